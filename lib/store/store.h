/* store.h: the log database by its operations: write these batches, answer this report. What every engine can do; no
 * tables, no SQL, no files show here. store/engine.h says what an engine is, store/sqlite/sqlite.h what only SQLite
 * can.
 *
 * One process writes (struct store_writer, one thread); any number read (struct store_reader, one thread each). Every
 * fault's text is for the operator's log: clients are told only the error. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "log/batch.h"
#include "log/text.h"
#include "base/err.h"
#include "report/report.h"
#include "store/retention.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_BODY_HASH_BYTES 32

struct store_engine;      /* store/engine.h */
struct clickhouse_config; /* store/clickhouse/clickhouse.h */

/* Where the logs are. All of it is borrowed. */
struct store_place {
    const struct store_engine *engine;
    const char *data_dir;
    const struct clickhouse_config *clickhouse; /* what that engine has to know; NULL for others */
};

/* NULL: there is none of this name. */
const struct store_engine *store_engine_find(const char *name);

/* This folder, in the engine that is used where none is named: SQLite. */
struct store_place store_in(const char *data_dir);

/* The newest version of the engine's schema that this program knows. */
int store_schema_version(struct store_place place);

/* What lies on this machine until another engine has it. All-zero: nothing does, or nobody knows. */
struct store_queue {
    int64_t logs;        /* that wait */
    int64_t since;       /* when the oldest of them came, Unix seconds; 0: none waits */
    bool is_stuck;       /* something keeps them */
    int64_t put_aside;   /* blocks of logs that the engine refused for what they hold */
    int64_t compared_at; /* when what the engine has was last compared with what it took, Unix seconds; 0: never */
    int64_t differences; /* found so since the writer's start */
};

/* How much room the logs take, bytes; 0 where there is none. */
struct store_size {
    int64_t data;
    int64_t write_ahead; /* what is written before it goes there */
    struct store_queue queue;
};
void store_measure(struct store_place place, struct store_size *ret_size);

/* ---- writing ---- */

struct store_writer; /* opaque */

/* No other process can write to the place until the writer is closed. ERR_UNAVAILABLE names the process that writes to
 * it now, or says what is wrong with what is stored, or that a newer program made it. */
enum err store_writer_open(struct store_place place, struct store_writer **ret_writer, struct fault *fault);
void store_writer_close(struct store_writer *writer);

/* The caller of all marks of imports (lib/log/import_mark.h). A key that is such a mark is special: the batch is the
 * chunk of a file that begins there, whoever sends it, and logs of it that are stored already are not stored again.
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

/* Work between groups, a slice at a time: forgetting of old idempotency keys, deleting what is no longer kept, and what
 * else the engine puts off. *ret_more is true when there is more to do. `idempotency_seconds` is how long keys are
 * kept.
 */
enum err store_maintain(struct store_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                        struct fault *fault);

/* From now on store_maintain deletes what is older, a slice at a time. Only days that are over are deleted. What is
 * deleted does not come back when a longer time is set. It must have passed store_retention_check. At first nothing is
 * deleted. */
void store_writer_set_retention(struct store_writer *writer, const struct store_retention *retention);

/* What happened to logs on their way from this machine to another engine. */
enum store_news {
    STORE_STUCK,       /* something keeps them; told once, until they go on */
    STORE_GOES_ON,     /* nothing does any more */
    STORE_PUT_ASIDE,   /* the engine refused a block of them for what it holds; the others go on */
    STORE_DIFFERS,     /* it does not have what it took */
    STORE_CLOCK_APART, /* its clock and the one here differ */
};

/* Who is told, from any thread, that store_maintain has something to do, and what an operator should know. */
struct store_wake {
    void *ctx;
    void (*wake)(void *ctx);
    void (*tell)(void *ctx, enum store_news news, const char *words); /* NULL: nobody wants to know */
};

/* From now on, until the writer is closed, the engine may work in threads of its own, and calls `wake` when it needs
 * the writer's. At most once for a writer; without it nothing leaves an engine's spool. ERR_UNAVAILABLE. */
enum err store_writer_set_wake(struct store_writer *writer, const struct store_wake *wake, struct fault *fault);

/* Can it write? OK, or ERR_UNAVAILABLE with the reason: the last write's failure (the next success clears it), or one
 * that only a restart clears. */
enum err store_writer_health(struct store_writer *writer, struct fault *fault);

/* After a failure: tries a write of nothing, so that health recovers without waiting for a batch. */
void store_writer_probe(struct store_writer *writer);

/* ---- reading ---- */

struct store_reader; /* opaque */

/* ERR_UNAVAILABLE when nothing is there, or its schema is not this program's. */
enum err store_reader_open(struct store_place place, struct store_reader **ret_reader, struct fault *fault);
void store_reader_close(struct store_reader *reader);

/* Has something else been put into the place that it reads (by a restore)? Then open another one. Cheap enough for each
 * request. Not to be called while a moment is held (store_hold): an answer and its tag are of one store. */
bool store_reader_is_stale(struct store_reader *reader);

/* Ends any report that runs longer: ERR_QUERY_TIMEOUT. 0: no bound. */
void store_reader_set_timeout(struct store_reader *reader, int64_t milliseconds);

/* A fingerprint of what is stored about a range: from equal states the same program gives equal answers. Compare it
 * byte by byte; do not read it. */
#define STORE_STATE_BYTES 64
struct store_state {
    unsigned char bytes[STORE_STATE_BYTES];
};

/* Reads the state, in some microseconds, and holds a read transaction: the reports that follow are of this state, until
 * store_let_go or the next store_hold. */
enum err store_hold(struct store_reader *reader, const struct report_filter *filter, struct store_state *ret_state,
                    struct fault *fault);
void store_let_go(struct store_reader *reader);

/* Buckets in order; those with no logs are left out unless `fill_zero`. */
enum err store_chart(struct store_reader *reader, const struct report_filter *filter, enum granularity granularity,
                     bool fill_zero, struct chart *ret_chart, struct fault *fault);

/* The totals of everything in the range. */
enum err store_summary(struct store_reader *reader, const struct report_filter *filter, struct totals *ret_totals,
                       struct fault *fault);

/* A list, to the sink: nothing goes there before all that may take long is done. *ret_other has the sums over the rows
 * that it did not get. "first" and "last" are told of domains and of errors with samples alone. */
enum err store_list(struct store_reader *reader, const struct report_filter *filter, const struct list_ask *ask,
                    const struct list_sink *sink, struct totals *ret_other, struct fault *fault);

/* Can it read? Reads a row; *ret_schema_version is that of what is stored. */
enum err store_reader_health(struct store_reader *reader, int *ret_schema_version, struct fault *fault);

/* ---- export ---- */

struct store_export; /* opaque */

struct store_export_filter {
    int64_t from, to; /* from <= ts < to, Unix seconds */
    int64_t user_id;  /* 0: everyone */
    int64_t order_id; /* 0: any */
};

/* ERR_UNAVAILABLE when nothing is there, or its schema is not this program's. */
enum err store_export_open(struct store_place place, const struct store_export_filter *filter,
                           struct store_export **ret_export, struct fault *fault);
void store_export_close(struct store_export *export);

/* Takes a log, borrowed until it returns; false for enough. */
typedef bool (*store_log_sink)(void *ctx, const struct log_text *log);

/* Gives the next logs to the sink, in order of time, some thousands at the most, until the sink has enough. All of them
 * are read in one transaction, which ends before this returns, so a slow caller blocks nobody. Logs never change, so
 * the transactions together give every log that was there at the start once, and may give later ones. *ret_at:
 * everything older was given; it is filter->to at the end. */
enum err store_export_next(struct store_export *export, store_log_sink sink, void *ctx, int64_t *ret_at,
                           struct fault *fault);

#endif
