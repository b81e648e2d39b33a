/* upkeep.c: the upkeep between groups, slice by slice. Knows what comes before what. Leaves the work to write/wal.c,
 * write/close.c, write/admit.c and write/retain.c. */
#include "store/sqlite/write/upkeep.h"

#include "store/sqlite/write/admit.h"
#include "store/sqlite/write/close.h"
#include "store/sqlite/write/compact.h"
#include "store/sqlite/write/health.h"
#include "store/sqlite/write/retain.h"

#include "base/banned.h"

bool sqlite_checkpoint_is_due(const struct sqlite_writer *writer)
{
    return sqlite_wal_is_due(&writer->wal, sqlite_retain_is_busy(writer));
}

/* A day that waits comes before further hours, so that what waits is never more than one. Its logs are moved into parts
 * first, which are read in no time. */
static enum err close_next(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault)
{
    bool day_waits = sqlite_day_waits(&writer->closed);
    enum err err = day_waits ? OK : sqlite_close_hours(writer, now, ret_more, fault);
    if (!err && !*ret_more)
        err = sqlite_compact_next(writer, now, ret_more, fault);
    return err || *ret_more || !day_waits ? err : sqlite_close_day(writer, now, ret_more, fault);
}

static enum err maintain(struct sqlite_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault)
{
    if (sqlite_checkpoint_is_due(writer)) {
        *ret_more = true;
        return sqlite_wal_checkpoint(&writer->wal, fault);
    }
    enum err err = close_next(writer, now, ret_more, fault);
    if (err || *ret_more)
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
