/* sqlite.h: what only the SQLite engine can do, for the programs' starts, for analyticsctl and for tests. Everyone else
 * calls store/store.h. care/ has more: verify, rebuild, prune, backup and restore; status.h has figures. */
#ifndef STORE_SQLITE_SQLITE_H
#define STORE_SQLITE_SQLITE_H

#include "base/work.h"
#include "store/store.h"

/* To be called once, before anything else of the stores. Turns off SQLite's memory statistics, and its mutexes where
 * only one thread at a time works with any store. */
void sqlite_setup(bool one_thread);

/* Makes DIR/analytics.db when missing, and brings its schema up to date. Takes the writer's lock while it works, so it
 * fails while analytics-ingest runs on an out-of-date file; an up-to-date file is left alone without the lock. */
enum err sqlite_create(const char *data_dir, struct fault *fault);

/* Waits while a file is there that another process has to bring up to date first, for so long at most. */
void sqlite_await_upgrade(const char *data_dir, int64_t milliseconds);

/* Tells which process holds the writer's lock: its number, 0 when unknown, and its program's name. False when nobody
 * holds it, or when that cannot be found out. */
#define LOCK_HOLDER_BYTES 64
bool sqlite_lock_holder(const char *data_dir, int64_t *ret_pid, char ret_name[LOCK_HOLDER_BYTES]);

/* ---- of a writer ---- */

struct sqlite_writer; /* opaque; it begins with a struct store_writer */

/* A writer that this engine opened; any other is a bug of ours. */
struct sqlite_writer *sqlite_writer_of(struct store_writer *writer);

/* store_maintain for a long piece of work. sqlite_tend does all that is due. sqlite_settle does the same and then
 * checkpoints as many pages as readers allow. Neither forgets a key. When `watch` asks them to stop, they return OK
 * between two slices. */
enum err sqlite_tend(struct sqlite_writer *writer, int64_t now, const struct watch *watch, struct fault *fault);
enum err sqlite_settle(struct sqlite_writer *writer, int64_t now, const struct watch *watch, struct fault *fault);

/* Has no batch ever been written? */
enum err sqlite_is_empty(struct sqlite_writer *writer, bool *ret_empty, struct fault *fault);

/* When the write-ahead log is longer than this, by default LIMIT_WAL_BYTES, nothing is written until it has restarted.
 * While a reader prevents that, writes are refused with ERR_UNAVAILABLE. They succeed again once the reader ends. */
void sqlite_set_wal_limit(struct sqlite_writer *writer, int64_t bytes);

/* Whoever wants to know the state of the write-ahead log. Called from the thread that writes. */
struct sqlite_wal_watch {
    void *ctx;
    void (*checkpoint)(void *ctx, int64_t microseconds); /* after each one: the time it took */
    /* After each change: how many bytes are in use, as the limit counts them; 0 when the next write restarts it. */
    void (*length)(void *ctx, int64_t bytes);
};

/* Tells the length at once, and from now on both. */
void sqlite_watch_wal(struct sqlite_writer *writer, const struct sqlite_wal_watch *watch);

/* A thread reads for the next step of store_maintain, which has nothing to close meanwhile: it runs once
 * store_writer_set_wake was called. For tests. */
bool sqlite_reads_beside(const struct sqlite_writer *writer);

/* How many packed entries one slice of upkeep reads (about 0.1 us each). For tests: the default is right. */
void sqlite_set_slice(struct sqlite_writer *writer, size_t entries);

#endif
