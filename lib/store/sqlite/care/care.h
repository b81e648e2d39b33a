/* care.h: what an operator asks of the database: verify, rebuild, prune. backup.h has the rest. */
#ifndef STORE_SQLITE_CARE_CARE_H
#define STORE_SQLITE_CARE_CARE_H

#include "base/work.h"
#include "report/report.h"

/* ---- verify ---- */

/* The periods that a rollup knows. PERIOD_NONE: what is told has no time. */
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
    size_t entries_at_once; /* sums held in memory, about 120 bytes each; 0: as is usual. For tests */
    void *ctx;
    void (*difference)(void *ctx, const struct sqlite_difference *difference); /* all of it borrowed; or NULL */
};

struct sqlite_verified {
    int64_t logs;         /* that were added up again */
    int64_t differences;  /* none: all is well */
    bool facts_differ;    /* among them are some that sqlite_rebuild can't mend: the logs themselves, or the file */
    int64_t pruned_until; /* Unix seconds; 0: never. Logs before it are gone: rollups were compared with finer ones */
};

/* Checks the file (PRAGMA quick_check, and integrity_check of the tables with an index), then adds the logs up again
 * and compares with that every rollup, and the tables total, order_user and batch. Only reads, and may run beside a
 * writer: what is compared is read in one transaction, some tenths of a second each but for the file's, so that the WAL
 * can go on. ERR_UNAVAILABLE when it could not be done. */
enum err sqlite_verify(const char *data_dir, const struct sqlite_verify_options *options, const struct watch *watch,
                       struct sqlite_verified *ret_verified, struct fault *fault);

/* ---- rebuild ---- */

struct sqlite_rebuilt {
    int64_t logs;
    int64_t closed_until; /* Unix seconds: hours before it are closed; 0: none is */
};

/* Makes everything that is derived from the logs again, but for what is older than the oldest log that is kept. Takes
 * the writer's lock. Wherever it ends (an error, a stop, the process killed), the database is as right as before: what
 * is not made again yet is as it was, or is not closed and answered from the logs. Running it once more finishes the
 * work, as does the upkeep of a writer. `now`: Unix seconds. */
enum err sqlite_rebuild(const char *data_dir, int64_t now, const struct watch *watch,
                        struct sqlite_rebuilt *ret_rebuilt, struct fault *fault);

/* ---- prune ---- */

#define PRUNED_TABLES 6

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
 * earlier), and gives the space back. Takes the writer's lock. Wherever it ends, reports are right: nothing that old is
 * reported any more from its first moment on. Running it once more finishes the work, as does the upkeep of a writer.
 */
enum err sqlite_prune(const char *data_dir, int64_t now, int64_t days, const struct watch *watch,
                      struct sqlite_pruned *ret_pruned, struct fault *fault);

#endif
