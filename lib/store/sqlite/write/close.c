/* close.c: closes hours and days that are over: packs everyone's hours of a day, four days, sixteen. Knows what is due
 * when. Leaves hours to write/hours.c, users' days to write/users.c, chunks to write/pack.c. */
#include "store/sqlite/write/close.h"

#include "base/int64.h"
#include "rollup/pack.h"
#include "store/sqlite/write/hours.h"
#include "store/sqlite/write/users.h"
#include "time/when.h"

#include <stdlib.h>

#include "base/banned.h"

/* Logs may come this late before they cost more to store. */
#define CLOSE_GRACE_SECONDS (30 * 60)

/* Users or empty days that one slice may take on, beside writer->closed.packing.slice_entries. */
#define SLICE_STEPS 1000

/* ---- wider periods, and everyone's days: from the tier below, user by user ---- */

/* Buckets of the tier below in one of this. */
static int64_t parts_of(enum tier tier)
{
    return tier_width(tier) / tier_width((enum tier)(tier - 1));
}

/* Adds one narrower chunk to writer->pack.entries, under the tier, bucket and user of the `whole`. */
static enum err add_chunk(struct sqlite_writer *writer, const struct fold_key *whole, int64_t part,
                          sqlite3_stmt *statement)
{
    struct pack_reader reader;
    int64_t base = part * tier_width((enum tier)(whole->tier - 1));
    pack_open(&reader, sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0), base, true);
    struct totals totals;
    enum err err = OK;
    while (!err && pack_next(&reader, &totals)) {
        struct fold_key key = reader.key;
        key.tier = whole->tier;
        key.bucket = whole->bucket;
        key.user_id = whole->user_id;
        err = fold_add(&writer->pack.entries, &key, &totals);
        writer->closed.packing.entries++;
    }
    return reader.damaged ? ERR_INTERNAL : err;
}

static enum err add_part(struct sqlite_writer *writer, const struct fold_key *whole, int64_t part, struct fault *fault)
{
    int64_t tier = whole->tier - 1;
    sqlite3_stmt *statement = sql_of(&writer->db, W_CHUNKS_OF_USER);
    BIND_ALL(statement, tier, part, whole->user_id);
    bool row = true;
    enum err err = db_step(&writer->db, statement, "read chunks", &row, fault);
    while (!err && row) {
        if (add_chunk(writer, whole, part, statement))
            err = fault_set(fault, ERR_UNAVAILABLE, "rollup_chunk is damaged, or out of memory: tier %lld, bucket %lld",
                            (long long)tier, (long long)part);
        else
            err = db_step(&writer->db, statement, "read chunks", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

enum err sqlite_pack_user(struct sqlite_writer *writer, enum tier tier, int64_t bucket, int64_t user,
                          struct fault *fault)
{
    int64_t count = parts_of(tier), first = bucket * count;
    struct fold_key whole = {.tier = tier, .bucket = bucket, .user_id = user};
    enum err err = OK;
    for (int64_t part = first; !err && part < first + count; part++)
        err = add_part(writer, &whole, part, fault);
    return err ? err : sqlite_pack(&writer->pack, true, fault);
}

static enum err add_user(struct packing *packing, int64_t user, struct fault *fault)
{
    if (packing->count == packing->cap) {
        size_t cap = packing->cap ? packing->cap * 2 : 256;
        int64_t *users = realloc(packing->users, cap * sizeof *users);
        if (!users)
            return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        packing->users = users;
        packing->cap = cap;
    }
    packing->users[packing->count++] = user;
    return OK;
}

/* The users of one narrower bucket. A loose scan: from each user straight to the next. */
static enum err list_users_of(struct sqlite_writer *writer, int64_t part, struct fault *fault)
{
    bool row = true;
    int64_t user = -1;
    enum err err = OK;
    while (!err && row) {
        sqlite3_stmt *statement = sql_of(&writer->db, W_NEXT_USER);
        BIND_ALL(statement, writer->closed.packing.tier - 1, part, user);
        err = db_step(&writer->db, statement, "list users", &row, fault);
        if (err || !row)
            return err;
        user = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
        err = add_user(&writer->closed.packing, user, fault);
    }
    return err;
}

static int by_value(const void *left, const void *right)
{
    return compare64(*(const int64_t *)left, *(const int64_t *)right);
}

static void sort_users(struct packing *packing)
{
    if (packing->count > 1)
        qsort(packing->users, packing->count, sizeof *packing->users, by_value);
    size_t kept = 0;
    for (size_t i = 0; i < packing->count; i++)
        if (kept == 0 || packing->users[kept - 1] != packing->users[i])
            packing->users[kept++] = packing->users[i];
    packing->count = kept;
}

/* Everyone who has logs in the period, user 0 among them, ascending. */
static enum err list_users(struct sqlite_writer *writer, struct fault *fault)
{
    struct packing *packing = &writer->closed.packing;
    int64_t count = parts_of(packing->tier), first = packing->bucket * count;
    packing->next = packing->count = 0;
    enum err err = OK;
    for (int64_t part = first; !err && part < first + count; part++)
        err = list_users_of(writer, part, fault);
    sort_users(packing);
    return err;
}

static void set_period(struct sqlite_writer *writer, enum tier tier)
{
    writer->closed.packing.tier = tier;
    writer->closed.packing.bucket = writer->closed.day / (tier_width(tier) / WHEN_DAY);
    writer->closed.packing.active = true;
}

/* Everyone's sums of the day that is being closed, from its hours; then it is the turn of its users. */
static enum err begin_day(struct sqlite_writer *writer, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_DAY_REDO);
    BIND_ALL(statement, writer->closed.day);
    enum err err = db_run(&writer->db, statement, "close a day's traffic", fault);
    bool has_logs = sqlite3_changes(writer->db.handle) > 0;
    set_period(writer, TIER_DAY);
    sqlite_users_begin(writer, TIER_DAY, writer->closed.day);
    writer->closed.walk.is_done = !has_logs;
    return err ? err : sqlite_pack_user(writer, TIER_DAY, writer->closed.day, 0, fault);
}

/* Does a period of this tier end with the day that is being closed? A period that began before the horizon is never
 * packed. */
static bool ends_now(const struct sqlite_writer *writer, enum tier tier)
{
    int64_t days = tier_width(tier) / WHEN_DAY;
    return (writer->closed.day + 1) % days == 0 && sqlite_is_kept(&writer->closed, tier, writer->closed.day / days);
}

/* All users of the period are packed: goes on to the wider period that ends with this day, or closes the day. */
static enum err end_period(struct sqlite_writer *writer, struct fault *fault)
{
    enum tier wider = (enum tier)(writer->closed.packing.tier + 1);
    if (wider < TIER_COUNT && ends_now(writer, wider)) {
        set_period(writer, wider);
        return list_users(writer, fault);
    }
    writer->closed.packing.active = writer->closed.walk.is_active = false;
    writer->closed.day++;
    return OK;
}

static bool is_period_done(const struct writer_closed *closed)
{
    const struct packing *packing = &closed->packing;
    return packing->tier == TIER_DAY ? closed->walk.is_done : packing->next == packing->count;
}

/* Some users of a day, which are a slice of packing, or one of a wider period. */
static enum err pack_some(struct sqlite_writer *writer, struct fault *fault)
{
    struct packing *packing = &writer->closed.packing;
    if (packing->tier > TIER_DAY)
        return sqlite_pack_user(writer, packing->tier, packing->bucket, packing->users[packing->next++], fault);
    packing->entries = packing->slice_entries;
    return sqlite_users_next(writer, fault);
}

/* A day begins, its users follow, then those of each wider period that ends with it. */
static enum err pack_step(struct sqlite_writer *writer, struct fault *fault)
{
    const struct writer_closed *closed = &writer->closed;
    enum err err = OK;
    if (!closed->packing.active)
        err = begin_day(writer, fault);
    else if (!is_period_done(closed))
        err = pack_some(writer, fault);
    return err || !is_period_done(closed) ? err : end_period(writer, fault);
}

/* ---- days ---- */

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

/* A slice of packing the days whose hours are closed. */
static enum err pack_days(struct sqlite_writer *writer, struct fault *fault)
{
    struct writer_closed *closed = &writer->closed;
    closed->packing.entries = 0;
    enum err err = closed->packing.clean ? OK : drop_half_packed(writer, fault);
    for (int steps = 0; !err && sqlite_day_waits(closed) && steps < SLICE_STEPS; steps++) {
        err = pack_step(writer, fault);
        if (closed->packing.entries >= closed->packing.slice_entries)
            break;
    }
    return err;
}

static enum err set_closed(struct sqlite_writer *writer, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_SET_CLOSED);
    BIND_ALL(statement, writer->closed.hour, writer->closed.day);
    return db_run(&writer->db, statement, "close a period", fault);
}

/* ---- back again ---- */

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

/* ---- a slice ---- */

/* What may be closed. */
struct due_hours {
    int64_t first, limit; /* the first one with logs, and the one behind the last */
    int64_t day_end;      /* before it, whole days are over, and have no more logs; 0: nothing is closed yet */
};

static enum err close_hours(struct sqlite_writer *writer, const struct due_hours *due, struct fault *fault)
{
    if (due->day_end > writer->closed.hour) {
        writer->closed.hour = due->day_end; /* from now on a log of these hours is late */
        return OK;
    }
    if (!due->day_end) /* nothing older has logs */
        writer->closed.day = due->first / 24;
    return sqlite_hours_close(writer, due->first, min64(due->limit, (due->first / 24 + 1) * 24), fault);
}

/* In one transaction; after a failure everything is as before. `due` NULL: of the day that waits. */
static enum err run_slice(struct sqlite_writer *writer, const struct due_hours *due, struct fault *fault)
{
    int64_t closed_hour = writer->closed.hour, closed_day = writer->closed.day;
    fold_clear(&writer->pack.entries);
    fold_clear(&writer->traffic.sums);
    enum err err = db_begin(&writer->db, fault);
    if (!err)
        err = due ? close_hours(writer, due, fault) : pack_days(writer, fault);
    bool is_new = due ? writer->closed.hour != closed_hour : writer->closed.day != closed_day;
    if (!err && is_new)
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

/* The newest log decides what may be closed, so that an import is closed as it goes, but never later than now. */
static enum err find_due(struct sqlite_writer *writer, int64_t now, struct due_hours *ret_due, struct fault *fault)
{
    int64_t newest = -1, closed = writer->closed.hour;
    enum err err = sqlite_lookup(&writer->db, W_NEWEST_QUARTER, 0, -1, &newest, fault);
    if (!err)
        err = sqlite_lookup(&writer->db, W_NEXT_HOUR, closed, INT64_MAX, &ret_due->first, fault);
    int64_t until = min64((newest + 1) * WHEN_QUARTER, now) - CLOSE_GRACE_SECONDS;
    ret_due->limit = until > 0 ? until / WHEN_HOUR : 0;
    ret_due->day_end = closed ? min64(ret_due->first, ret_due->limit) / 24 * 24 : 0;
    return err;
}

enum err sqlite_close_hours(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault)
{
    struct due_hours due = {0};
    *ret_more = false;
    if (now < writer->closed.since)
        return OK;
    enum err err = find_due(writer, now, &due, fault);
    if (err)
        return err;
    *ret_more = due.first < due.limit || due.day_end > writer->closed.hour;
    return *ret_more ? run_slice(writer, &due, fault) : OK;
}

enum err sqlite_close_day(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault)
{
    *ret_more = sqlite_day_waits(&writer->closed) && now >= writer->closed.since;
    return *ret_more ? run_slice(writer, NULL, fault) : OK;
}
