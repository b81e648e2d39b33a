/* upkeep.c: the upkeep between groups, slice by slice. Knows what comes before what. Leaves the work to write/wal.c,
 * write/close.c, write/admit.c and write/retain.c. */
#include "store/sqlite/write/upkeep.h"

#include "store/sqlite/write/admit.h"
#include "store/sqlite/write/close.h"
#include "store/sqlite/write/health.h"
#include "store/sqlite/write/retain.h"

#include "base/banned.h"

bool sqlite_checkpoint_is_due(const struct sqlite_writer *writer)
{
    return sqlite_wal_is_due(&writer->wal, sqlite_retain_is_busy(writer));
}

static enum err maintain(struct sqlite_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault)
{
    bool must_wait = writer->closing.is_read_beside && sqlite_wal_insists(&writer->wal); /* its own reader, too */
    if (sqlite_checkpoint_is_due(writer) && !must_wait) {
        *ret_more = true;
        return sqlite_wal_checkpoint(&writer->wal, fault);
    }
    enum err err = sqlite_close_next(writer, now, ret_more, fault);
    if (err || *ret_more || writer->closing.is_read_beside)
        return err;
    err = sqlite_expire_keys(writer, now - idempotency_seconds, ret_more, fault);
    return err || *ret_more ? err : sqlite_retain_next(writer, now, ret_more, fault);
}

enum err sqlite_maintain(struct sqlite_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault)
{
    *ret_more = false;
    if (writer->health.sync_failed)
        return OK; /* said already */
    enum err err = sqlite_wal_make_room(&writer->wal, fault);
    if (!err)
        err = maintain(writer, now, idempotency_seconds, ret_more, fault);
    if (!err)
        return OK;
    *ret_more = false;
    sqlite_undo(writer, fault);
    return err;
}

enum err sqlite_tend(struct sqlite_writer *writer, int64_t now, const struct watch *watch, struct fault *fault)
{
    bool more = true;
    enum err err = OK;
    sqlite_close_alone(writer); /* no batch waits */
    while (!err && more && !watch_is_stopped(watch))
        err = sqlite_maintain(writer, now, KEEP_KEYS, &more, fault);
    return err;
}

enum err sqlite_settle(struct sqlite_writer *writer, int64_t now, const struct watch *watch, struct fault *fault)
{
    enum err err = sqlite_tend(writer, now, watch, fault);
    if (!err && !writer->health.sync_failed)
        err = sqlite_wal_settle(&writer->wal, fault);
    return err;
}
