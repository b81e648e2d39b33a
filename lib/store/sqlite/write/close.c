/* close.c: closes hours and days that are over, and has the logs of such days moved into parts, slice by slice. Knows
 * what is due when, and what a late log means for a slice that is being read. Leaves the slices to write/kinds.h. */
#include "store/sqlite/write/close.h"

#include "base/int64.h"
#include "store/sqlite/write/beside.h"
#include "store/sqlite/write/compact.h"
#include "store/sqlite/write/hours.h"
#include "store/sqlite/write/kinds.h"
#include "store/sqlite/write/periods.h"
#include "store/sqlite/write/users.h"
#include "time/when.h"

#include "base/banned.h"

/* Logs may come this late before they cost more to store. */
#define CLOSE_GRACE_SECONDS (30 * 60)

/* Empty days that one transaction may close. */
#define EMPTY_DAYS 1000

/* A slice that the thread reads is so many times as large: what is left to the writer takes no longer than a whole one.
 */
#define LARGER_BESIDE 2

/* A slice is read beside the writer so many times, if late logs come each time; then by the writer, which none can
 * disturb. */
#define TRIES_BESIDE 3

/* ---- transactions ---- */

static enum err set_closed(struct sqlite_writer *writer, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_SET_CLOSED);
    BIND_ALL(statement, writer->closed.hour, writer->closed.day);
    return db_run(&writer->db, statement, "close a period", fault);
}

/* After a failure everything is as before. */
static enum err in_transaction(struct sqlite_writer *writer,
                               enum err (*work)(struct sqlite_writer *writer, struct fault *fault), struct fault *fault)
{
    int64_t closed_hour = writer->closed.hour, closed_day = writer->closed.day;
    enum err err = db_begin(&writer->db, fault);
    if (!err)
        err = work(writer, fault);
    if (!err && (writer->closed.hour != closed_hour || writer->closed.day != closed_day))
        err = set_closed(writer, fault);
    if (!err)
        err = db_commit(&writer->db, fault);
    if (!err)
        return OK;
    db_rollback(&writer->db);
    writer->closed.hour = closed_hour;
    writer->closed.day = closed_day;
    writer->closed.packing.clean = false;
    return err;
}

/* ---- back again ---- */

/* The table traffic_day has the day last in its key, so it is only looked through where a day was begun. */
static enum err drop_half_closed_day(struct sqlite_writer *writer, struct fault *fault)
{
    int64_t begun = 0;
    enum err err = sqlite_lookup(&writer->db, W_DAY_IS_BEGUN, writer->closed.day, 0, &begun, fault);
    if (err || !begun)
        return err;
    BIND_ALL(sql_of(&writer->db, W_DAYS_DROP_FROM), writer->closed.day);
    return db_run(&writer->db, sql_of(&writer->db, W_DAYS_DROP_FROM), "drop what was half packed", fault);
}

/* Drops what a stop or a failure in the middle of a period has left. Readers never look at it. */
static enum err drop_half_packed(struct sqlite_writer *writer, struct fault *fault)
{
    enum err err = drop_half_closed_day(writer, fault);
    for (int tier = TIER_DAY; !err && tier < TIER_COUNT; tier++) {
        sqlite3_stmt *statement = sql_of(&writer->db, W_CHUNKS_DROP_FROM);
        BIND_ALL(statement, tier, writer->closed.day / (tier_width((enum tier)tier) / WHEN_DAY));
        err = db_run(&writer->db, statement, "drop what was half packed", fault);
    }
    writer->closed.packing.active = writer->closed.walk.is_active = false;
    writer->closed.packing.clean = !err;
    return err;
}

/* Days that are open again have no rows. */
enum err sqlite_open_again(struct sqlite_writer *writer, struct fault *fault)
{
    int64_t newest = -1;
    struct writer_closed *closed = &writer->closed;
    enum err err = sqlite_lookup(&writer->db, W_NEWEST_QUARTER, 0, -1, &newest, fault);
    int64_t hour = max64(newest < 0 ? 0 : newest / 4 + 1, closed->horizons.raw_from * 24);
    if (err || closed->hour <= hour)
        return err;
    closed->hour = hour;
    if (closed->day > hour / 24) {
        closed->day = hour / 24;
        err = drop_half_packed(writer, fault);
    }
    return err ? err : set_closed(writer, fault);
}

/* ---- what is due ---- */

/* What a slice has to be read for, or what is done at once. */
enum due_step { NOTHING, A_SLICE, AT_ONCE };

static enum err answer(enum err err, enum due_step due, enum due_step *ret_due)
{
    if (!err)
        *ret_due = due;
    return err;
}

/* Hours before it are over, of which the first one with logs is *ret_first. The newest log decides, so that an import
 * is closed as it goes, but never later than now. */
static enum err find_hours(struct sqlite_writer *writer, int64_t now, int64_t *ret_first, int64_t *ret_limit,
                           struct fault *fault)
{
    int64_t newest = -1;
    enum err err = sqlite_lookup(&writer->db, W_NEWEST_QUARTER, 0, -1, &newest, fault);
    int64_t until = min64((newest + 1) * WHEN_QUARTER, now) - CLOSE_GRACE_SECONDS;
    *ret_limit = until > 0 ? until / WHEN_HOUR : 0;
    return err ? err : sqlite_lookup(&writer->db, W_NEXT_HOUR, writer->closed.hour, INT64_MAX, ret_first, fault);
}

/* The rest of a day, and empty days behind it, hold no logs: from now on one of theirs is late. */
static enum err end_day(struct sqlite_writer *writer, struct fault *fault)
{
    (void)fault;
    writer->closed.hour = writer->closing.day_end;
    return OK;
}

static enum err next_hours(struct sqlite_writer *writer, int64_t now, enum due_step *ret_due, struct fault *fault)
{
    int64_t first = 0, limit = 0;
    enum err err = find_hours(writer, now, &first, &limit, fault);
    if (err)
        return err;
    writer->closing.day_end = min64(first, limit) / 24 * 24;
    if (writer->closed.hour > 0 && writer->closing.day_end > writer->closed.hour)
        return answer(in_transaction(writer, end_day, fault), AT_ONCE, ret_due);
    if (first >= limit)
        return OK;
    sqlite_hours_ask(writer, first, min64(limit, (first / 24 + 1) * 24));
    return answer(OK, A_SLICE, ret_due);
}

static bool is_period_done(const struct writer_closed *closed)
{
    const struct packing *packing = &closed->packing;
    return packing->tier == TIER_DAY ? closed->walk.is_done : packing->next == packing->listed.count;
}

/* Does a period of this tier end with the day that waits? A period that began before the horizon is never packed. */
static bool ends_now(const struct writer_closed *closed, enum tier tier)
{
    if (tier == TIER_COUNT)
        return false;
    int64_t days = tier_width(tier) / WHEN_DAY;
    return (closed->day + 1) % days == 0 && sqlite_is_kept(closed, tier, closed->day / days);
}

/* Days without logs that end no wider period. */
static enum err skip_empty(struct sqlite_writer *writer, struct fault *fault)
{
    struct writer_closed *closed = &writer->closed;
    int64_t next = 0;
    enum err err = sqlite_lookup(&writer->db, W_NEXT_HOUR, closed->day * 24, INT64_MAX, &next, fault);
    for (int i = 0; !err && i < EMPTY_DAYS && sqlite_day_waits(closed); i++) {
        if (next / 24 == closed->day || ends_now(closed, TIER_4_DAYS))
            break;
        closed->day++;
    }
    return err;
}

/* A day begins, its users follow, then those of each wider period that ends with it. */
static enum err next_of_day(struct sqlite_writer *writer, enum due_step *ret_due, struct fault *fault)
{
    struct writer_closed *closed = &writer->closed;
    const struct packing *packing = &closed->packing;
    int64_t day = closed->day;
    if (!packing->clean)
        return answer(in_transaction(writer, drop_half_packed, fault), AT_ONCE, ret_due);
    enum err err = packing->active ? OK : in_transaction(writer, skip_empty, fault);
    if (err || closed->day > day)
        return answer(err, AT_ONCE, ret_due);
    if (!packing->active)
        sqlite_day_ask(writer);
    else if (packing->tier == TIER_DAY && !is_period_done(closed))
        sqlite_users_ask(writer);
    else
        sqlite_period_ask(writer, (enum tier)(packing->tier + is_period_done(closed)));
    return answer(OK, A_SLICE, ret_due);
}

/* A day that waits comes before further hours, so that what waits is never more than one. Its logs are moved into parts
 * first: to read them there costs a tenth. */
static enum err find_due(struct sqlite_writer *writer, int64_t now, enum due_step *ret_due, struct fault *fault)
{
    bool day_waits = sqlite_day_waits(&writer->closed), has_rows = false;
    enum err err = day_waits ? OK : next_hours(writer, now, ret_due, fault);
    if (err || *ret_due != NOTHING)
        return err;
    err = sqlite_parts_ask(writer, &has_rows, fault);
    if (err || has_rows)
        return answer(err, A_SLICE, ret_due);
    return day_waits ? next_of_day(writer, ret_due, fault) : OK;
}

/* ---- a slice ---- */

/* With the last users of a day, and of the wider periods that end with it, the day is closed. */
static enum err write_slice(struct sqlite_writer *writer, struct fault *fault)
{
    struct writer_closed *closed = &writer->closed;
    enum err err = sqlite_slice_write(writer, fault);
    bool is_of_day = closed->packing.active && writer->closing.slice.kind >= SLICE_DAY;
    if (err || !is_of_day || !is_period_done(closed) || ends_now(closed, (enum tier)(closed->packing.tier + 1)))
        return err;
    closed->packing.active = closed->walk.is_active = false;
    closed->day++;
    return OK;
}

/* How much a slice reads. */
static void set_size(struct sqlite_writer *writer, bool is_beside)
{
    struct closing_slice *slice = &writer->closing.slice;
    int larger = is_beside ? LARGER_BESIDE : 1;
    slice->entries = writer->closed.packing.slice_entries * (size_t)larger;
    slice->most = sqlite_slice_logs(&writer->closed.packing) * larger;
}

/* Asks for the next slice; the thread beside begins to read it, or it is read and written here. */
static enum err begin_slice(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault)
{
    struct writer_closing *closing = &writer->closing;
    enum due_step due = NOTHING;
    bool is_beside = closing->beside && closing->stale_in_a_row < TRIES_BESIDE;
    set_size(writer, is_beside);
    enum err err = find_due(writer, now, &due, fault);
    *ret_more = due != NOTHING;
    if (err || due != A_SLICE)
        return err;
    if (is_beside) {
        closing->is_stale = *ret_more = false;
        closing->is_read_beside = true;
        sqlite_beside_begin(closing->beside, &closing->slice);
        return OK;
    }
    err = sqlite_slice_read(&closing->slice, &writer->reading, fault);
    closing->stale_in_a_row = 0;
    return err ? err : in_transaction(writer, write_slice, fault);
}

/* A slice that the thread has read is written, unless a log came that it may have missed. */
static enum err end_slice(struct sqlite_writer *writer, struct fault *fault)
{
    struct writer_closing *closing = &writer->closing;
    enum err err = OK;
    if (!sqlite_beside_is_done(closing->beside, &err, fault))
        return OK;
    closing->is_read_beside = false;
    closing->stale_in_a_row = closing->is_stale ? closing->stale_in_a_row + 1 : 0;
    return err || closing->is_stale ? err : in_transaction(writer, write_slice, fault);
}

enum err sqlite_close_next(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault)
{
    *ret_more = false;
    enum err err = writer->closing.is_read_beside ? end_slice(writer, fault) : OK;
    if (err || writer->closing.is_read_beside || now < writer->closed.since)
        return err;
    *ret_more = writer->closing.beside && sqlite_wal_insists(&writer->wal) && sqlite_wal_is_due(&writer->wal, false);
    return *ret_more ? OK : begin_slice(writer, now, ret_more, fault);
}

void sqlite_close_alone(struct sqlite_writer *writer)
{
    sqlite_beside_stop(writer->closing.beside);
    writer->closing.beside = NULL;
    writer->closing.is_read_beside = false;
}

bool sqlite_reads_beside(const struct sqlite_writer *writer)
{
    return writer->closing.is_read_beside;
}

void sqlite_close_note(struct writer_closing *closing, int64_t quarter)
{
    closing->is_stale |= quarter >= closing->slice.from && quarter < closing->slice.until;
}
