/* delete.h: analyticsctl delete: takes back logs that should not be there, or must not. */
#ifndef STORE_SQLITE_CARE_DELETE_H
#define STORE_SQLITE_CARE_DELETE_H

#include "base/work.h"
#include "report/report.h"

/* Logs of which all that is given is true; and how. */
struct sqlite_delete_options {
    int64_t from, to;                /* from <= ts < to, Unix seconds */
    int64_t user_id;                 /* 0: any */
    int64_t order_id;                /* 0: any */
    int64_t first_batch, last_batch; /* batch.id; 0: any */
    const char *domain;              /* normalised; NULL: any */
    const char *worker;              /* NULL: any */

    bool vacuum; /* write the file anew: pages have copies of rows in their gaps, from when their neighbours moved */
};

/* Batches that a plan tells of. */
#define DELETE_BATCHES_TOLD 100

struct sqlite_doomed_batch {
    int64_t id;
    int64_t received_at; /* Unix seconds */
    int64_t logs;        /* that are selected; there may be others */
    char caller[64];     /* who sent it */
};

/* What is, or would be, deleted. */
struct sqlite_deleted {
    int64_t logs;
    struct totals totals; /* of the logs; all but max_concurrency */

    /* Where logs are no longer kept, but sums of them are. */
    struct totals sums; /* what was taken out of these; all but max_concurrency; not of a plan */
    struct {
        int64_t from, to; /* Unix seconds; from < to, or there is none */
    } left[2];            /* times whose sums stay as they are: they can't be told apart as the filter does */

    /* Only of a plan: the batches that the logs came in, the first so many of them. */
    int64_t batches;
    struct sqlite_doomed_batch batch[DELETE_BATCHES_TOLD];

    /* Not of a plan. */
    int64_t names;     /* texts that no log has any more */
    bool wal_is_empty; /* else a reader was in the way: deleted logs can still be found in the write-ahead log */
};

/* What sqlite_delete would delete. Only reads, and may run beside a writer: logs of which some are read later than
 * others. ERR_UNAVAILABLE when it could not be done. */
enum err sqlite_delete_plan(const char *data_dir, const struct sqlite_delete_options *options, const struct watch *watch,
                            struct sqlite_deleted *ret_deleted, struct fault *fault);

/* Deletes the logs, and makes every rollup and total as if they had never come; then the names that nothing has any
 * more. What is deleted is overwritten in the file, free pages go, and the write-ahead log is emptied. Idempotency keys
 * stay. Takes the writer's lock. Some thousands of logs in each transaction, and all that they are counted in with them: wherever it
 * ends, reports are right about the logs that are left. Running it once more finishes the work. `now`: Unix seconds. */
enum err sqlite_delete(const char *data_dir, const struct sqlite_delete_options *options, int64_t now,
                       const struct watch *watch, struct sqlite_deleted *ret_deleted, struct fault *fault);

#endif
