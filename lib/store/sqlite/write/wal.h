/* wal.h: the length of the write-ahead log, and its checkpoints. Knows no batch, no row and no table. */
#ifndef STORE_SQLITE_WRITE_WAL_H
#define STORE_SQLITE_WRITE_WAL_H

#include "db/db.h"
#include "store/sqlite/sqlite.h"

struct writer_wal {
    struct db *db;     /* the writer's */
    int pages;         /* in the WAL after the last commit; 0 when all are checkpointed */
    int checkpoint_at; /* so many make a checkpoint due */
    int length;        /* in the WAL, checkpointed or not; 0 when the next commit restarts it */
    bool is_old;       /* older than this start: nothing may be appended to it */
    int64_t page_bytes;
    int64_t limit_bytes; /* over it, nothing is written until the WAL has restarted */
    struct sqlite_wal_watch watch;
};

/* Watches the WAL of an open database from now on. */
enum err sqlite_wal_begin(struct writer_wal *wal, struct db *db, struct fault *fault);

/* Tells whoever watches the length, at once. */
void sqlite_wal_tell(const struct writer_wal *wal);

/* May another transaction go into the WAL? Not when the WAL is over its limit (one transaction may pass it), and not
 * when it is older than this start. If a sync failed before the start, the kernel may show a WAL that is not the one on
 * the disk, and no later sync would report it. In both cases the WAL must restart first. ERR_UNAVAILABLE when a reader
 * prevents that. */
enum err sqlite_wal_make_room(struct writer_wal *wal, struct fault *fault);

/* Are there enough new pages for a checkpoint? `earlier`: fewer will do, because a service deletes. */
/* It is so long that a checkpoint waits for readers, and none should begin before. */
bool sqlite_wal_insists(const struct writer_wal *wal);

bool sqlite_wal_is_due(const struct writer_wal *wal, bool earlier);

/* A checkpoint, as far as readers allow. Waits a moment for them when the WAL is long. */
enum err sqlite_wal_checkpoint(struct writer_wal *wal, struct fault *fault);

/* A checkpoint that waits for readers as long as for a lock, so that the next commit restarts the WAL. */
enum err sqlite_wal_settle(struct writer_wal *wal, struct fault *fault);

#endif
