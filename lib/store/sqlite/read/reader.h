/* reader.h: what the files of the reading side share. Private to the SQLite engine. */
#ifndef STORE_SQLITE_READ_READER_H
#define STORE_SQLITE_READ_READER_H

#include "db/db.h"
#include "part/part.h"
#include "report/tally_cache.h"
#include "store/engine.h"
#include "store/sqlite/read/sql.h"

struct pass;

struct sqlite_reader {
    struct store_reader base;
    struct db db;
    int64_t timeout_ms;   /* 0: none */
    int64_t deadline_ms;  /* of the report under way, monotonic; 0: none */
    bool lacks_durations; /* of the report under way: sums of an older version do not know them */
    bool held;            /* in a read transaction of sqlite_hold's */
    int64_t file[4];      /* which file it is: see read/state.c */
    struct tally_cache cache;
    const struct pass *pass;                     /* read/pass.h: the reading under way */
    struct part part;                            /* the one that is read */
    struct totals part_sums[PART_TABLE_ENTRIES]; /* of a breakdown, by what is stored there for its value */
};

/* store.h documents the functions of these names. */

enum err sqlite_reader_open(const char *data_dir, struct sqlite_reader **ret_reader, struct fault *fault);
void sqlite_reader_close(struct sqlite_reader *reader);
bool sqlite_reader_is_stale(struct sqlite_reader *reader);
enum err sqlite_hold(struct sqlite_reader *reader, const struct report_filter *filter, struct store_state *ret_state,
                     struct fault *fault);
void sqlite_let_go(struct sqlite_reader *reader);
enum err sqlite_chart(struct sqlite_reader *reader, const struct report_filter *filter, enum granularity granularity,
                      bool fill_zero, struct chart *ret_chart, struct fault *fault);
enum err sqlite_summary(struct sqlite_reader *reader, const struct report_filter *filter, struct totals *ret_totals,
                        struct fault *fault);
enum err sqlite_list(struct sqlite_reader *reader, const struct report_filter *filter, const struct list_ask *ask,
                     const struct list_sink *sink, struct totals *ret_other, struct fault *fault);
enum err sqlite_reader_health(struct sqlite_reader *reader, int *ret_schema_version, struct fault *fault);

/* read/state.c */

void state_identify(struct sqlite_reader *reader, const char *path);

static inline sqlite3_stmt *reader_statement(struct sqlite_reader *reader, enum reader_statement which)
{
    return reader->db.statements[which];
}

#endif
