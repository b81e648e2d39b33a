/* status.h: figures of a data folder, read beside a service without disturbing it. */
#ifndef STORE_SQLITE_STATUS_H
#define STORE_SQLITE_STATUS_H

#include "store/sqlite/sqlite.h"

enum sqlite_span { SPAN_MINUTE, SPAN_HOUR, SPAN_DAY, STORE_SPANS };
extern const int64_t sqlite_span_seconds[STORE_SPANS];

/* What came in during the last minute, hour or day; -1: counting would take too long. */
struct sqlite_received {
    int64_t batches;
    int64_t logs;
};

struct sqlite_status {
    int schema_version;
    int64_t file_bytes;    /* analytics.db */
    int64_t free_bytes;    /* of it: pages that will be used again */
    int64_t wal_bytes;     /* analytics.db-wal */
    int64_t checkpoint_at; /* Unix seconds, as all times: only a checkpoint writes to analytics.db itself */
    int64_t logs;          /* stored; -1: it would take too long to count */
    int64_t first_log;     /* of those that are stored; -1: none (0 is 1970's first second) */
    int64_t last_log;
    int64_t last_batch; /* when it came; 0: none has */
    struct sqlite_received received[STORE_SPANS];
    int64_t hours_closed; /* hours and days before these are; 0: none are */
    int64_t days_closed;
    bool is_written; /* somebody holds the writer's lock: analytics-ingest, but for rebuild and the like */
    int64_t writer;  /* its process; 0: unknown */
    char writer_name[LOCK_HOLDER_BYTES];
};

/* A table with its indexes. */
struct sqlite_table {
    const char *name; /* borrowed */
    int64_t bytes;
    int64_t rows;
};

/* Reads all but the tables' sizes in one read transaction of some milliseconds. `now`: Unix seconds. A schema that is
 * older than this program's will do. ERR_UNAVAILABLE when the file can't be read. */
enum err sqlite_status_read(const char *data_dir, int64_t now, const struct watch *watch,
                            struct sqlite_status *ret_status, struct fault *fault);

/* Calls `each` for every table, the largest first. Reads every page of the file in one read transaction, about a second
 * per GB when they are in memory; ERR_QUERY_TIMEOUT when that takes longer than `bound_ms`, 0: no bound. */
enum err sqlite_status_tables(const char *data_dir, int64_t bound_ms, const struct watch *watch,
                              void (*each)(void *ctx, const struct sqlite_table *table), void *ctx,
                              struct fault *fault);

/* "3.40.1"; and its number, 3040001. */
const char *sqlite_version(int *ret_number);

#endif
