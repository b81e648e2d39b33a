/* health.c: whether anything may be written. After a write that failed, the next one may be tried at once; after a
 * failed sync, none. Knows what a failed transaction leaves behind. Does not know what was written. */
#include "store/sqlite/write/health.h"

#include "base/banned.h"

/* A failed sync may have lost pages that the next one would report as safe: no more writing until a restart. */
static bool is_sync_failure(int code)
{
    return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
}

void sqlite_undo(struct sqlite_writer *writer, const struct fault *fault)
{
    writer->health.sync_failed |= is_sync_failure(sqlite3_extended_errcode(writer->db.handle));
    writer->health.is_bad = true;
    writer->health.reason = *fault;
    db_rollback(&writer->db);
    name_cache_clear(&writer->names.cache);
    fold_clear(&writer->orders);
}

bool sqlite_may_write(struct sqlite_writer *writer, struct fault *fault)
{
    if (!writer->health.sync_failed && sqlite_wal_make_room(&writer->wal, fault))
        sqlite_undo(writer, fault);
    else if (!writer->health.sync_failed)
        return true;
    *fault = writer->health.reason;
    return false;
}

/* A transaction that changes nothing, synced like any other. (SQLite writes nothing when a row is set to the value that
 * it has.) */
static enum err write_nothing(struct sqlite_writer *writer, struct fault *fault)
{
    enum err err = db_begin(&writer->db, fault);
    if (!err)
        err = db_exec(&writer->db,
                      "UPDATE closing SET closed_day = closed_day + 1; UPDATE closing SET closed_day = closed_day - 1;",
                      fault);
    return err ? err : db_commit(&writer->db, fault);
}

/* After a failed sync this is the connection's last write, and it must not sync: restarting a WAL syncs its header
 * before the first frame is written. */
static enum err overwrite(struct sqlite_writer *writer)
{
    struct fault fault = {0};
    if (writer->health.sync_failed)
        db_exec(&writer->db, "PRAGMA synchronous=OFF", &fault);
    enum err err = write_nothing(writer, &fault);
    if (err) {
        writer->health.sync_failed |= is_sync_failure(sqlite3_extended_errcode(writer->db.handle));
        db_rollback(&writer->db);
    }
    return err;
}

void sqlite_withdraw(struct sqlite_writer *writer)
{
    if (overwrite(writer) && writer->health.sync_failed)
        overwrite(writer);
}

enum err sqlite_writer_health(struct sqlite_writer *writer, struct fault *fault)
{
    if (!writer->health.sync_failed && !writer->health.is_bad)
        return OK;
    *fault = writer->health.reason;
    return fault->err;
}

void sqlite_writer_probe(struct sqlite_writer *writer)
{
    struct fault fault = {0};
    if (!sqlite_may_write(writer, &fault))
        return;
    if (write_nothing(writer, &fault))
        sqlite_undo(writer, &fault);
    else
        writer->health.is_bad = false;
}
