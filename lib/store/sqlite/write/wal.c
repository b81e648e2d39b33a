/* wal.c: how long the write-ahead log gets: when a checkpoint is worth its time, how long it waits for readers, and
 * when nothing more may be written. */
#include "store/sqlite/write/wal.h"

#include "base/limit.h"
#include "db/files.h"
#include "store/sqlite/file.h"
#include "time/mono.h"

#include "base/banned.h"

/* So many new pages make a checkpoint due; docs/bench/studies.md has the figures. */
#define CHECKPOINT_PAGES 4000

/* From this length on (64 MiB), each checkpoint waits a moment for readers. Without that wait, reports that overlap
 * without a gap would let the WAL grow up to its limit. Reports that take longer than the wait still do. */
#define INSIST_PAGES 16384
#define INSIST_MS 10

/* Deleting fills the WAL faster than batches do, so each wait for a checkpoint would be felt. While a service deletes,
 * checkpoints come this many pages earlier and take a quarter of the time. */
#define EARLIER_PAGES 3000

void sqlite_wal_tell(const struct writer_wal *wal)
{
    if (wal->watch.length)
        wal->watch.length(wal->watch.ctx, wal->length * wal->page_bytes);
}

static int note_pages(void *ctx, sqlite3 *handle, const char *database, int pages)
{
    (void)handle;
    (void)database;
    struct writer_wal *wal = ctx;
    wal->pages = wal->length = pages;
    sqlite_wal_tell(wal);
    return SQLITE_OK;
}

enum err sqlite_wal_begin(struct writer_wal *wal, struct db *db, struct fault *fault)
{
    wal->db = db;
    wal->limit_bytes = LIMIT_WAL_BYTES;
    enum err err = db_get_i64(db, "PRAGMA page_size", 0, &wal->page_bytes, fault);
    if (err)
        return err;
    sqlite3_wal_hook(db->handle, note_pages, wal);
    wal->is_old = true;
    return OK;
}

/* A checkpoint. With `wait_ms` it waits so long for readers, so that the next commit restarts the WAL; *ret_restarts is
 * false when they took longer. In WAL mode the commits are synced already. */
static enum err checkpoint(struct writer_wal *wal, int wait_ms, bool *ret_restarts, struct fault *fault)
{
    int mode = wait_ms ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    int64_t start = mono_us();
    sqlite3_busy_timeout(wal->db->handle, wait_ms);
    int in_wal = 0, moved = 0;
    int rc = sqlite3_wal_checkpoint_v2(wal->db->handle, NULL, mode, &in_wal, &moved);
    sqlite3_busy_timeout(wal->db->handle, STORE_WRITER_BUSY_MS);
    if (wal->watch.checkpoint)
        wal->watch.checkpoint(wal->watch.ctx, mono_us() - start);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
        return db_fault(wal->db, "checkpoint", fault);
    *ret_restarts = wait_ms && rc == SQLITE_OK;
    wal->length = *ret_restarts ? 0 : in_wal;
    /* Readers may prevent some pages from being checkpointed: then wait for as many new ones again. */
    bool all = moved == in_wal;
    wal->pages = all ? 0 : in_wal;
    wal->checkpoint_at = all ? CHECKPOINT_PAGES : in_wal + CHECKPOINT_PAGES;
    sqlite_wal_tell(wal);
    return OK;
}

enum err sqlite_wal_make_room(struct writer_wal *wal, struct fault *fault)
{
    if (!wal->is_old && wal->length * wal->page_bytes < wal->limit_bytes)
        return OK;
    bool restarts = true;
    enum err err = checkpoint(wal, STORE_WRITER_BUSY_MS, &restarts, fault);
    if (err)
        return err;
    wal->is_old &= !restarts;
    if (restarts)
        return OK;
    return fault_set(fault, ERR_UNAVAILABLE,
                     "the write-ahead log (%lld MiB) cannot restart: a program that reads " FILE_LOGS
                     " keeps a transaction open (find it with lsof)",
                     (long long)(wal->length * wal->page_bytes >> 20));
}

bool sqlite_wal_is_due(const struct writer_wal *wal, bool earlier)
{
    return wal->pages >= wal->checkpoint_at - (earlier && wal->pages > 0 ? EARLIER_PAGES : 0);
}

bool sqlite_wal_insists(const struct writer_wal *wal)
{
    return wal->length >= INSIST_PAGES;
}

enum err sqlite_wal_checkpoint(struct writer_wal *wal, struct fault *fault)
{
    bool restarts;
    return checkpoint(wal, sqlite_wal_insists(wal) ? INSIST_MS : 0, &restarts, fault);
}

enum err sqlite_wal_settle(struct writer_wal *wal, struct fault *fault)
{
    bool restarts;
    return checkpoint(wal, STORE_WRITER_BUSY_MS, &restarts, fault);
}
