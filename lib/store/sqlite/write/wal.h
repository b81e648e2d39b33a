/* wal.h: the length of the write-ahead log, and its checkpoints. Knows no batch, no row and no table. */
#ifndef STORE_SQLITE_WRITE_WAL_H
#define STORE_SQLITE_WRITE_WAL_H

#include "db/db.h"
#include "store/sqlite/sqlite.h"

struct writer_wal {
    struct db *db;     /* the writer's */
    int pages;         /* in the WAL after the last commit, unless all of them are home */
    int checkpoint_at; /* so many are worth a checkpoint */
    int length;        /* in the WAL, at home or not; 0 when the next commit begins it anew */
    bool is_old;       /* it is of before this start: nothing may be appended to it */
    int64_t page_bytes;
    int64_t limit_bytes; /* over it, nothing is written until it has begun anew */
    struct sqlite_wal_watch watch;
};

/* Watches the WAL of an open database from now on. */
enum err sqlite_wal_begin(struct writer_wal *wal, struct db *db, struct fault *fault);

/* Tells whoever watches the length, at once. */
void sqlite_wal_tell(const struct writer_wal *wal);

/* May another transaction go into the WAL? Not over the limit, which one may pass, and not into an old WAL: if a sync
 * failed before this start, the WAL as the system shows it may not be the one on the disk, and no later sync would
 * tell. Then it must begin anew first, and a reader may be in the way: ERR_UNAVAILABLE. */
enum err sqlite_wal_make_room(struct writer_wal *wal, struct fault *fault);

/* Is a checkpoint worth its time? While a service deletes, it comes `earlier`. */
bool sqlite_wal_is_due(const struct writer_wal *wal, bool earlier);

/* Moves the WAL's pages home, as far as readers let it; waits a moment for them when the WAL is long. */
enum err sqlite_wal_checkpoint(struct writer_wal *wal, struct fault *fault);

/* The same, waiting as long for readers as for a lock: the next commit should begin the WAL anew. */
enum err sqlite_wal_settle(struct writer_wal *wal, struct fault *fault);

#endif
