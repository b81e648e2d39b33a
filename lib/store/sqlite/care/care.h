/* care.h: what an operator asks of the database: verify, rebuild, prune, delete. backup.h has the rest. */
#ifndef STORE_SQLITE_CARE_CARE_H
#define STORE_SQLITE_CARE_CARE_H

#include "base/work.h"
#include "report/report.h"

/* ---- verify ---- */

/* The periods that a rollup knows. PERIOD_NONE: the difference has no time. */
enum sqlite_period { PERIOD_NONE, PERIOD_QUARTER, PERIOD_HOUR, PERIOD_DAY, PERIOD_4_DAYS, PERIOD_16_DAYS };

/* Something that is not as it should be. */
struct sqlite_difference {
    const char *table; /* "file": what SQLite says of the file itself */
    const char *words; /* all that is to be said of it, or NULL: the rest says it */
    enum sqlite_period period;
    int64_t bucket;     /* start, Unix seconds; any number, where a row is damaged */
    int64_t user_id;    /* 0: everyone */
    int64_t order_id;   /* 0: all of the user's */
    const char *domain; /* NULL where the table has none */
    const char *error;  /* NULL: all logs; else those that name it */
    bool is_there;      /* in the table, with these totals … */
    struct totals there;
    bool is_due; /* … and should be, with those */
    struct totals due;
    bool has_times; /* the table knows first and last */
};

/* So many differences are told in full; the others are counted. */
#define VERIFY_DIFFERENCES_TOLD 10

struct sqlite_verify_options {
    bool skip_file;         /* leave out SQLite's check of the file */
    size_t entries_at_once; /* how many sums are held in memory, about 120 bytes each; 0: the default. For tests */
    void *ctx;
    void (*difference)(void *ctx, const struct sqlite_difference *difference); /* all of it borrowed; or NULL */
};

struct sqlite_verified {
    int64_t logs;         /* that were added up again */
    int64_t differences;  /* none: all is well */
    bool facts_differ;    /* among them are some that sqlite_rebuild can't mend: the logs themselves, or the file */
    int64_t pruned_until; /* Unix seconds; 0: never. Logs before it are gone: rollups were compared with finer ones */
};

/* Checks the file (PRAGMA quick_check, and integrity_check of the tables with an index). Then adds the logs up again
 * and compares every rollup and the tables total, order_user and batch with the result. Only reads, and may run beside
 * a writer: each read transaction but the file's takes some tenths of a second, so the WAL can restart in between.
 * ERR_UNAVAILABLE when it could not be done. */
enum err sqlite_verify(const char *data_dir, const struct sqlite_verify_options *options, const struct watch *watch,
                       struct sqlite_verified *ret_verified, struct fault *fault);

/* ---- rebuild ---- */

struct sqlite_rebuilt {
    int64_t logs;
    int64_t closed_until; /* Unix seconds: hours before it are closed; 0: none is */
};

/* Makes everything again that is derived from the logs, but for what is older than the oldest log that is kept. Takes
 * the writer's lock. An error, a stop or a kill leaves the database as right as before: what is not made again yet is
 * either as it was, or not closed and answered from the logs. Another run finishes the work, and so does the upkeep of
 * a writer. `now`: Unix seconds. */
enum err sqlite_rebuild(const char *data_dir, int64_t now, const struct watch *watch,
                        struct sqlite_rebuilt *ret_rebuilt, struct fault *fault);

/* ---- prune ---- */

#define PRUNED_TABLES 8

struct sqlite_pruned {
    int64_t before; /* Unix seconds: everything older; 0: nothing is that old */
    struct {
        const char *name;
        int64_t rows;
        int64_t bytes; /* about; only of a plan */
    } tables[PRUNED_TABLES];
    int64_t file_bytes_before; /* analytics.db; only of a prune */
    int64_t file_bytes_after;
};

/* What sqlite_prune would delete. Only reads, and may run beside a writer. Reads every page of the tables. */
enum err sqlite_prune_plan(const char *data_dir, int64_t now, int64_t days, const struct watch *watch,
                           struct sqlite_pruned *ret_pruned, struct fault *fault);

/* Deletes all logs and sums of days that ended at least `days` days before the newest log (or `now`, if that is
 * earlier), and gives the space back. Takes the writer's lock. From its first moment on, nothing that old is reported;
 * wherever it ends, reports are right. Another run finishes the work, and so does the upkeep of a writer. */
enum err sqlite_prune(const char *data_dir, int64_t now, int64_t days, const struct watch *watch,
                      struct sqlite_pruned *ret_pruned, struct fault *fault);

/* ---- delete ---- */

/* Logs of which all that is given is true; and how. */
struct sqlite_delete_options {
    int64_t from, to;                /* from <= ts < to, Unix seconds */
    int64_t user_id;                 /* 0: any */
    int64_t order_id;                /* 0: any */
    int64_t first_batch, last_batch; /* batch.id; 0: any */
    const char *domain;              /* normalised; NULL: any */
    const char *worker;              /* NULL: any */
    const char *import;              /* what imports of this source have stored; "": of none; NULL: any */

    /* Imports may store the logs again. If batches are the only condition, their idempotency keys go too: with any
     * other one a batch may have logs left, which would be stored twice. A key that may be of another batch stays. */
    bool forget_keys;

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

    bool keys_stay; /* forget_keys is true, but not of idempotency keys: batches are not the only condition */

    /* Only of a plan: the batches that the logs came in, and the first of them. */
    int64_t batches; /* -1: too many to be counted */
    int64_t seconds; /* about: how long it takes one core; without vacuum */
    struct sqlite_doomed_batch batch[DELETE_BATCHES_TOLD];

    /* Not of a plan. */
    int64_t keys_left; /* of forget_keys: the same caller sent another batch in the same second */
    int64_t names;     /* texts that no log has any more */
    bool wal_is_empty; /* else a reader was in the way: deleted logs can still be found in the write-ahead log */
};

/* What sqlite_delete would delete. Only reads, and may run beside a writer: logs of which some are read later than
 * others. ERR_UNAVAILABLE when it could not be done. */
enum err sqlite_delete_plan(const char *data_dir, const struct sqlite_delete_options *options,
                            const struct watch *watch, struct sqlite_deleted *ret_deleted, struct fault *fault);

/* Deletes the logs, and makes every rollup and total as if they had never come; then the names that nothing has any
 * more. What is deleted is overwritten in the file, free pages go, and the write-ahead log is emptied. Idempotency keys
 * stay, unless they are to be forgotten. Takes the writer's lock. Some thousands of logs in each transaction, and all
 * that they are counted in with them: wherever it ends, reports are right about the logs that are left. Running it once
 * more finishes the work. `now`: Unix seconds. */
enum err sqlite_delete(const char *data_dir, const struct sqlite_delete_options *options, int64_t now,
                       const struct watch *watch, struct sqlite_deleted *ret_deleted, struct fault *fault);

#endif
