/* store.h: the log database by its operations: write these batches, answer this report. No tables, no SQL show here.
 *
 * One process writes (struct store_writer, one thread); any number read (struct store_reader, one thread each). Every
 * fault's text is for the operator's log: clients are told only the error. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "log/batch.h"
#include "base/err.h"
#include "format/log_out.h"
#include "report/report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_BODY_HASH_BYTES 32

/* Once, at the start of a program, before anything else of the stores: SQLite without memory statistics, and without
 * its mutexes where only one thread at a time works with any store. */
void store_setup(bool one_thread);

/* Makes DIR/analytics.db when missing, and brings its schema up to date. Takes the writer's lock while it works, so it
 * fails while analytics-ingest runs on an out-of-date file; an up-to-date file is left alone without the lock. */
enum err store_create(const char *data_dir, struct fault *fault);

/* The schema's newest version that this program knows. */
int store_schema_version(void);

/* Who holds the writer's lock. False: nobody, or it can't be told. The process's number, 0 when unknown, and its
 * program's name. */
#define STORE_NAME_BYTES 64
bool store_lock_holder(const char *data_dir, int64_t *ret_pid, char ret_name[STORE_NAME_BYTES]);

/* ---- writing ---- */

struct store_writer; /* opaque */
struct store_watch;  /* below */

/* Takes DIR/lock (flock: it goes with the process) and opens the database, upgrading it when needed.
 * ERR_UNAVAILABLE with who holds the lock, what is wrong with the file, or that a newer program made it. */
enum err store_writer_open(const char *data_dir, struct store_writer **ret_writer, struct fault *fault);
void store_writer_close(struct store_writer *writer);

/* Whose the marks of imports are (lib/log/import_mark.h). A key that is a mark is no other idempotency key: the batch
 * is the chunk of a file that begins there, whoever sends it, and what of it is stored already is not stored again.
 * Marks are kept for good. */
#define STORE_IMPORT_CALLER "analyticsctl import"

/* One batch to write, and what became of it. */
struct store_item {
    const struct batch *batch;                      /* borrowed */
    const char *caller;                             /* who sent it, NUL-terminated; keys belong to a caller */
    const char *idempotency_key;                    /* NULL: none */
    unsigned char body_hash[STORE_BODY_HASH_BYTES]; /* of the inflated body; read only when there is a key */

    enum err result;  /* OK: committed, synced, counted once. Else nothing of it is stored */
    bool replayed;    /* OK because the same key and body came before */
    uint32_t already; /* of a chunk of an import: so many logs, from the first, came before and are not stored again */
    struct fault fault; /* when result is not OK */
};

/* Where the time of one group went, microseconds. */
struct store_times {
    int64_t raw_us;
    int64_t rollup_us;
    int64_t commit_us;
};

/* Writes the group in one transaction, synced. Every item's result is set: OK, ERR_IDEMPOTENCY_KEY_REUSED,
 * ERR_LOGS_INVALID (the sums would pass 2^63-1), ERR_UNAVAILABLE (disk full, storage error: the whole group).
 * `now` is Unix seconds. Never fails halfway: what a result says is what is on disk. */
void store_write(struct store_writer *writer, struct store_item *items, size_t count, int64_t now,
                 struct store_times *ret_times);

/* Work between groups, a slice at a time: checkpoints, closing of past periods, forgetting of old idempotency keys,
 * deleting what is no longer kept, giving its space back.
 * *ret_more is true when there is more to do. `idempotency_seconds` is how long keys are kept. */
enum err store_maintain(struct store_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                        struct fault *fault);

/* The same for a long piece of work: store_writer_tend does all that is due, store_writer_settle, at the end, moves all
 * pages home too, as far as readers let it. No key is forgotten. When `watch` says so, they stop in between, with OK.
 */
enum err store_writer_tend(struct store_writer *writer, int64_t now, const struct store_watch *watch,
                           struct fault *fault);
enum err store_writer_settle(struct store_writer *writer, int64_t now, const struct store_watch *watch,
                             struct fault *fault);

/* Has no batch ever been written? */
enum err store_writer_is_empty(struct store_writer *writer, bool *ret_empty, struct fault *fault);

/* A write-ahead log longer than this must begin anew before anything else is written, LIMIT_WAL_BYTES by default. While
 * a reader keeps it from that, writes are refused, ERR_UNAVAILABLE; they work again by themselves. */
void store_writer_set_wal_limit(struct store_writer *writer, int64_t bytes);

/* Calls `watch` after each checkpoint with the time it took, from the thread that writes. */
void store_writer_watch_checkpoints(struct store_writer *writer, void (*watch)(void *ctx, int64_t microseconds),
                                    void *ctx);

/* How much of the write-ahead log is in use: what the limit is compared with. 0 when the next write begins it anew. */
int64_t store_writer_wal_bytes(const struct store_writer *writer);

/* How much one slice of upkeep takes on, in packed entries read (about 0.1 us each). For tests: the default is right.
 */
void store_writer_set_slice(struct store_writer *writer, size_t entries);

/* How long what is kept, in days of 24 hours, as of the newest log (or now, if that is earlier: neither a clock that
 * runs ahead nor an import of old logs makes anything old at once). 0: for ever. */
struct store_retention {
    int64_t raw_days;  /* logs as they came */
    int64_t hour_days; /* sums by the quarter and the hour */
    int64_t day_days;  /* sums by the day */
};
#define STORE_RETENTION_MAX_DAYS 36500

/* OK when nothing is kept for less time than what is finer; else ERR_PARAMETER_INVALID and words that name the
 * settings. */
enum err store_retention_check(const struct store_retention *retention, struct fault *fault);

/* From now on store_maintain deletes what is older, a slice at a time: only days that are over, and not again what was
 * kept longer once it is gone. It must have passed store_retention_check. None is set at first. */
void store_writer_set_retention(struct store_writer *writer, const struct store_retention *retention);

/* Can it write? OK, or ERR_UNAVAILABLE with the reason: the last write's failure (the next success clears it) or a
 * failed sync (only a restart clears it: sqlite.org, and fsync(2) on Linux, may report a lost write just once). */
enum err store_writer_health(struct store_writer *writer, struct fault *fault);

/* After a failure: tries a write of nothing, so that health recovers without waiting for a batch. */
void store_writer_probe(struct store_writer *writer);

/* ---- reading ---- */

struct store_reader; /* opaque */

/* ERR_UNAVAILABLE when the file is missing or its schema is not this program's. */
enum err store_reader_open(const char *data_dir, struct store_reader **ret_reader, struct fault *fault);
void store_reader_close(struct store_reader *reader);

/* The file that is open is not DIR/analytics.db any more: a restore put another one in its place. Costs a stat().
 * Never while a moment is held (store_hold): an answer and its tag are of one file. */
bool store_reader_has_moved(struct store_reader *reader);

/* Ends any report that runs longer: ERR_QUERY_TIMEOUT. 0: no bound. */
void store_reader_set_timeout(struct store_reader *reader, int64_t milliseconds);

/* What is stored about a range, told from whatever else was stored about it before or will be: from equal states the
 * same program gives equal answers. To be compared, not read. */
struct store_state {
    int64_t file[4];
    int64_t is_closed; /* the range, so that only late logs change it */
    int64_t changes;
    int64_t batch; /* the newest, unless the range is closed */
    int64_t received_at;
};

/* Reads it in some microseconds, and holds the moment: the reports that follow are of this state, until store_let_go
 * (or the next store_hold). */
enum err store_hold(struct store_reader *reader, const struct report_filter *filter, struct store_state *ret_state,
                    struct fault *fault);
void store_let_go(struct store_reader *reader);

/* Buckets in order; those with no logs are left out unless `fill_zero`. */
enum err store_chart(struct store_reader *reader, const struct report_filter *filter, enum granularity granularity,
                     bool fill_zero, struct chart *ret_chart, struct fault *fault);

/* The totals of everything in the range. */
enum err store_summary(struct store_reader *reader, const struct report_filter *filter, struct totals *ret_totals,
                       struct fault *fault);

/* The first `limit` values by the measure, descending, ties by value in byte order, and the sums over the others.
 * "first" and "last" are not told. */
enum err store_breakdown(struct store_reader *reader, const struct report_filter *filter, enum dimension by,
                         enum domain_order order, size_t limit, struct breakdown *ret_breakdown, struct fault *fault);

/* Domains by the measure, descending, ties by name: rows `offset` … `offset + limit - 1`. */
enum err store_domains(struct store_reader *reader, const struct report_filter *filter, enum domain_order order,
                       uint64_t offset, size_t limit, struct domain_list *ret_list, struct fault *fault);

/* Distinct non-empty errors by total, descending, ties by name: the first `limit`. */
enum err store_errors(struct store_reader *reader, const struct report_filter *filter, size_t limit,
                      struct error_list *ret_list, struct fault *fault);

/* Can it read? Reads a row; *ret_schema_version is the file's. */
enum err store_reader_health(struct store_reader *reader, int *ret_schema_version, struct fault *fault);

/* ---- export ---- */

struct store_export; /* opaque */

struct store_export_filter {
    int64_t from, to; /* from <= ts < to, Unix seconds */
    int64_t user_id;  /* 0: everyone */
    int64_t order_id; /* 0: any */
};

/* ERR_UNAVAILABLE when the file is missing or its schema is not this program's. */
enum err store_export_open(const char *data_dir, const struct store_export_filter *filter,
                           struct store_export **ret_export, struct fault *fault);
void store_export_close(struct store_export *export);

/* Takes a log, borrowed until it returns; false for enough. */
typedef bool (*store_log_sink)(void *ctx, const struct log_text *log);

/* Gives the next logs to the sink, some thousands at the most, until it has enough, in order of time; all of them are
 * read in one transaction, which ends before this returns, so a caller that is slow elsewhere is in nobody's way. Logs
 * never change, so all these transactions together show every log that was there at the start, once, and may show later
 * ones. *ret_at: all that is older was given; it is filter->to at the end. */
enum err store_export_next(struct store_export *export, store_log_sink sink, void *ctx, int64_t *ret_at,
                           struct fault *fault);

/* ---- verify and rebuild ---- */

/* How far a step of a long piece of work has come. */
struct store_progress {
    const char *step; /* in plain words */
    const char *unit; /* what is counted: "logs" */
    int64_t done;
    int64_t total; /* 0: nobody knows */
};

/* The periods that a rollup knows. PERIOD_NONE: what is told has no time. */
enum store_period { PERIOD_NONE, PERIOD_QUARTER, PERIOD_HOUR, PERIOD_DAY, PERIOD_4_DAYS, PERIOD_16_DAYS };

/* Something that is not as it should be. */
struct store_difference {
    const char *table; /* "file": what SQLite says of the file itself */
    const char *words; /* all that is to be said of it, or NULL: the rest says it */
    enum store_period period;
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
#define STORE_DIFFERENCES_TOLD 10

/* Who waits for it. Any function may be NULL. */
struct store_watch {
    void *ctx;
    bool (*is_stopped)(void *ctx); /* asked many times a second; true ends the work: ERR_UNAVAILABLE, "stopped" */
    void (*progress)(void *ctx, const struct store_progress *progress);
    void (*difference)(void *ctx, const struct store_difference *difference); /* all of it borrowed */
};

struct store_verify_options {
    bool skip_file;         /* leave out SQLite's check of the file */
    size_t entries_at_once; /* sums held in memory, about 120 bytes each; 0: as is usual. For tests */
};

struct store_verified {
    int64_t logs;         /* that were added up again */
    int64_t differences;  /* none: all is well */
    bool facts_differ;    /* among them are some that store_rebuild can't mend: the logs themselves, or the file */
    int64_t pruned_until; /* Unix seconds; 0: never. Logs before it are gone: rollups were compared with finer ones */
};

/* Checks the file (PRAGMA quick_check, and integrity_check of the tables with an index), then adds the logs up again
 * and compares with that every rollup, and the tables total, order_user and batch. Only reads, and may run beside a
 * writer: what is compared is read in one transaction, some tenths of a second each but for the file's, so that the WAL
 * can go on. ERR_UNAVAILABLE when it could not be done. */
enum err store_verify(const char *data_dir, const struct store_verify_options *options, const struct store_watch *watch,
                      struct store_verified *ret_verified, struct fault *fault);

struct store_rebuilt {
    int64_t logs;
    int64_t closed_until; /* Unix seconds: hours before it are closed; 0: none is */
};

/* Makes everything that is derived from the logs again, but for what is older than the oldest log that is kept. Takes
 * the writer's lock. Wherever it ends (an error, a stop, the process killed), the database is as right as before: what
 * is not made again yet is as it was, or is not closed and answered from the logs. Running it once more finishes the
 * work, as does the upkeep of a writer. `now`: Unix seconds. */
enum err store_rebuild(const char *data_dir, int64_t now, const struct store_watch *watch,
                       struct store_rebuilt *ret_rebuilt, struct fault *fault);

/* ---- prune ---- */

#define STORE_PRUNED_TABLES 6

struct store_pruned {
    int64_t before; /* Unix seconds: everything older; 0: nothing is that old */
    struct {
        const char *name;
        int64_t rows;
        int64_t bytes; /* about; only of a plan */
    } tables[STORE_PRUNED_TABLES];
    int64_t file_bytes_before; /* analytics.db; only of a prune */
    int64_t file_bytes_after;
};

/* What store_prune would delete. Only reads, and may run beside a writer. Reads every page of the tables. */
enum err store_prune_plan(const char *data_dir, int64_t now, int64_t days, const struct store_watch *watch,
                          struct store_pruned *ret_pruned, struct fault *fault);

/* Deletes all logs and sums of days that ended at least `days` days before the newest log (or `now`, if that is
 * earlier), and gives the space back. Takes the writer's lock. Wherever it ends, reports are right: nothing that old is
 * reported any more from its first moment on. Running it once more finishes the work, as does the upkeep of a writer.
 */
enum err store_prune(const char *data_dir, int64_t now, int64_t days, const struct store_watch *watch,
                     struct store_pruned *ret_pruned, struct fault *fault);

#endif
