/* close.c: closes hours and days that are over: packs an hour's raw logs, a day's hours, four days, sixteen.
 * Knows what is due when. Leaves the chunks to write/pack.c. */
#include "store/sqlite/write/writer.h"

#include "rollup/pack.h"
#include "time/when.h"

#include <stdlib.h>

#include "base/banned.h"

/* Logs may come this late before they cost more to store. */
#define CLOSE_GRACE_SECONDS (30 * 60)

/* Users or empty days that one slice may take on, beside writer->packing.slice_entries. */
#define SLICE_STEPS 1000

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

enum err sqlite_lookup(struct sqlite_writer *writer, enum writer_statement which, int64_t value, int64_t otherwise,
                       int64_t *ret_value, struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, which);
    bool row = false;
    if (sqlite3_bind_parameter_count(statement) > 0)
        sqlite3_bind_int64(statement, 1, value);
    enum err err = db_step(&writer->db, statement, "look for rows", &row, fault);
    if (err)
        return err;
    *ret_value = row ? sqlite3_column_int64(statement, 0) : otherwise;
    sqlite3_reset(statement);
    return OK;
}

/* ---- what is packed ---- */

static bool is_waiting(const struct packing *packing, int64_t user)
{
    size_t low = packing->next, high = packing->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (packing->users[middle] < user)
            low = middle + 1;
        else
            high = middle;
    }
    return low < packing->count && packing->users[low] == user;
}

/* Of the period that is being packed, those users are whose turn is over or who were not in it until now; and of the
 * narrower ones that end with the same day, all. */
static bool is_packed_so_far(const struct packing *packing, enum tier tier, int64_t bucket, int64_t user)
{
    if (!packing->active || tier > packing->tier)
        return false;
    if (tier == packing->tier)
        return bucket == packing->bucket && !is_waiting(packing, user);
    int64_t last = (packing->bucket + 1) * (tier_width(packing->tier) / tier_width(tier)) - 1;
    return bucket == last;
}

bool sqlite_is_packed(const struct sqlite_writer *writer, enum tier tier, int64_t bucket, int64_t user)
{
    int64_t end = (bucket + 1) * tier_width(tier);
    if (!sqlite_is_kept(writer, tier, bucket))
        return false;
    if (tier == TIER_HOUR)
        return end <= writer->closed_hour * WHEN_HOUR;
    return end <= writer->closed_day * WHEN_DAY || is_packed_so_far(&writer->packing, tier, bucket, user);
}

/* ---- an hour ---- */

struct totals sqlite_raw_totals(sqlite3_stmt *statement)
{
    int64_t ts = sqlite3_column_int64(statement, 9);
    return (struct totals){.count = sqlite3_column_int64(statement, 4),
                           .bytes_sent = sqlite3_column_int64(statement, 5),
                           .bytes_received = sqlite3_column_int64(statement, 6),
                           .errors = sqlite3_column_int64(statement, 7),
                           .max_concurrency = sqlite3_column_int64(statement, 8),
                           .first = ts,
                           .last = ts};
}

/* The entries of the log's user, and of everyone. */
static enum err add_entries(struct sqlite_writer *writer, struct fold_key key, const struct totals *totals)
{
    enum err err = fold_add(&writer->packed, &key, totals);
    key.user_id = key.order_id = 0;
    return err ? err : fold_add(&writer->packed, &key, totals);
}

static enum err add_raw(struct sqlite_writer *writer, sqlite3_stmt *statement, int64_t hour)
{
    struct totals totals = sqlite_raw_totals(statement);
    writer->logs_packed++;
    int64_t error = sqlite3_column_int64(statement, 2);
    struct fold_key key = {.tier = TIER_HOUR,
                           .bucket = hour,
                           .user_id = sqlite3_column_int64(statement, 0),
                           .domain = sqlite3_column_int64(statement, 1),
                           .order_id = sqlite3_column_int64(statement, 3)};
    enum err err = sqlite_traffic_add(writer, key.user_id, key.order_id, &totals);
    if (!err)
        err = add_entries(writer, key, &totals);
    key.error = error;
    return !err && error ? add_entries(writer, key, &totals) : err;
}

static enum err add_quarter(struct sqlite_writer *writer, int64_t quarter, struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, W_RAW_QUARTER);
    bool row = true;
    sqlite3_bind_int64(statement, 1, quarter);
    enum err err = db_step(&writer->db, statement, "read raw logs", &row, fault);
    while (!err && row) {
        if (add_raw(writer, statement, quarter / 4))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else
            err = db_step(&writer->db, statement, "read raw logs", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

static enum err pack_hour(struct sqlite_writer *writer, int64_t hour, struct fault *fault)
{
    enum err err = OK;
    for (int64_t quarter = hour * 4; !err && quarter < (hour + 1) * 4; quarter++)
        err = add_quarter(writer, quarter, fault);
    if (!err)
        err = sqlite_traffic_put(writer, fault);
    return err ? err : sqlite_pack(writer, true, fault);
}

/* ---- wider periods: from the tier below, user by user ---- */

/* Buckets of the tier below in one of this. */
static int64_t parts_of(enum tier tier)
{
    return tier_width(tier) / tier_width((enum tier)(tier - 1));
}

/* Adds one narrower chunk to writer->packed. */
static enum err add_chunk(struct sqlite_writer *writer, int64_t part, int64_t user, sqlite3_stmt *statement)
{
    const struct packing *packing = &writer->packing;
    struct pack_reader reader;
    struct totals totals;
    enum err err = OK;
    int64_t base = part * tier_width((enum tier)(packing->tier - 1));
    pack_open(&reader, sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0), base, true);
    while (!err && pack_next(&reader, &totals)) {
        struct fold_key key = reader.key;
        key.tier = packing->tier;
        key.bucket = packing->bucket;
        key.user_id = user;
        err = fold_add(&writer->packed, &key, &totals);
        writer->packing.entries++;
    }
    return reader.damaged ? ERR_INTERNAL : err;
}

static enum err add_part(struct sqlite_writer *writer, int64_t part, int64_t user, struct fault *fault)
{
    int64_t tier = writer->packing.tier - 1;
    sqlite3_stmt *statement = writer_statement(writer, W_CHUNKS_OF_USER);
    bool row = true;
    BIND_ALL(statement, tier, part, user);
    enum err err = db_step(&writer->db, statement, "read chunks", &row, fault);
    while (!err && row) {
        if (add_chunk(writer, part, user, statement))
            err = fault_set(fault, ERR_UNAVAILABLE, "rollup_chunk is damaged, or out of memory: tier %lld, bucket %lld",
                            (long long)tier, (long long)part);
        else
            err = db_step(&writer->db, statement, "read chunks", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

static enum err pack_user(struct sqlite_writer *writer, int64_t user, struct fault *fault)
{
    int64_t count = parts_of(writer->packing.tier), first = writer->packing.bucket * count;
    enum err err = OK;
    for (int64_t part = first; !err && part < first + count; part++)
        err = add_part(writer, part, user, fault);
    return err ? err : sqlite_pack(writer, true, fault);
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
        sqlite3_stmt *statement = writer_statement(writer, W_NEXT_USER);
        BIND_ALL(statement, writer->packing.tier - 1, part, user);
        err = db_step(&writer->db, statement, "list users", &row, fault);
        if (err || !row)
            return err;
        user = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
        err = add_user(&writer->packing, user, fault);
    }
    return err;
}

static int by_value(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void sort_users(struct packing *packing)
{
    size_t kept = 0;
    if (packing->count > 1)
        qsort(packing->users, packing->count, sizeof *packing->users, by_value);
    for (size_t i = 0; i < packing->count; i++)
        if (kept == 0 || packing->users[kept - 1] != packing->users[i])
            packing->users[kept++] = packing->users[i];
    packing->count = kept;
}

/* Everyone who has logs in the period, user 0 among them, ascending. */
static enum err list_users(struct sqlite_writer *writer, struct fault *fault)
{
    struct packing *packing = &writer->packing;
    int64_t count = parts_of(packing->tier), first = packing->bucket * count;
    enum err err = OK;
    packing->next = packing->count = 0;
    for (int64_t part = first; !err && part < first + count; part++)
        err = list_users_of(writer, part, fault);
    sort_users(packing);
    return err;
}

/* Begins with the period of `tier` that ends with the day writer->closed_day. */
static enum err begin_period(struct sqlite_writer *writer, enum tier tier, struct fault *fault)
{
    writer->packing.tier = tier;
    writer->packing.bucket = writer->closed_day / (tier_width(tier) / WHEN_DAY);
    writer->packing.active = true;
    return list_users(writer, fault);
}

/* Does a period of the tier end with the day that is being closed? One that began before the horizon never does. */
static bool ends_now(const struct sqlite_writer *writer, enum tier tier)
{
    int64_t days = tier_width(tier) / WHEN_DAY;
    return (writer->closed_day + 1) % days == 0 && sqlite_is_kept(writer, tier, writer->closed_day / days);
}

/* All users of the period are packed: on to the wider one that ends with this day, or the day is closed. */
static enum err end_period(struct sqlite_writer *writer, struct fault *fault)
{
    enum tier wider = (enum tier)(writer->packing.tier + 1);
    if (wider < TIER_COUNT && ends_now(writer, wider))
        return begin_period(writer, wider, fault);
    sqlite3_stmt *statement = writer_statement(writer, W_CLOSE_TRAFFIC);
    sqlite3_bind_int64(statement, 1, writer->closed_day);
    writer->packing.active = false;
    writer->closed_day++;
    return db_run(&writer->db, statement, "close a day's traffic", fault);
}

static enum err pack_step(struct sqlite_writer *writer, struct fault *fault)
{
    struct packing *packing = &writer->packing;
    if (!packing->active)
        return begin_period(writer, TIER_DAY, fault);
    if (packing->next == packing->count)
        return end_period(writer, fault);
    return pack_user(writer, packing->users[packing->next++], fault);
}

/* A slice of packing days before `day_limit`. */
static enum err pack_days(struct sqlite_writer *writer, int64_t day_limit, struct fault *fault)
{
    enum err err = OK;
    int steps = 0;
    writer->packing.entries = 0;
    while (!err && writer->closed_day < day_limit && writer->packing.entries < writer->packing.slice_entries &&
           steps++ < SLICE_STEPS)
        err = pack_step(writer, fault);
    return err;
}

/* ---- what is due ---- */

/* What a stop or a failure in the middle of a period has left: readers never look at it. */
static enum err drop_half_packed(struct sqlite_writer *writer, struct fault *fault)
{
    enum err err = OK;
    for (int tier = TIER_DAY; !err && tier < TIER_COUNT; tier++) {
        sqlite3_stmt *statement = writer_statement(writer, W_CHUNKS_DROP_FROM);
        BIND_ALL(statement, tier, writer->closed_day / (tier_width((enum tier)tier) / WHEN_DAY));
        err = db_run(&writer->db, statement, "drop what was half packed", fault);
    }
    writer->packing.active = false;
    writer->packing.clean = !err;
    return err;
}

static enum err set_closed(struct sqlite_writer *writer, struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, W_SET_CLOSED);
    BIND_ALL(statement, writer->closed_hour, writer->closed_day);
    return db_run(&writer->db, statement, "close a period", fault);
}

/* One slice of work: an hour (`hour` >= 0), or a part of a day. */
static enum err work(struct sqlite_writer *writer, int64_t hour, int64_t day_limit, struct fault *fault)
{
    enum err err = writer->packing.clean ? OK : drop_half_packed(writer, fault);
    if (err)
        return err;
    if (hour >= 0) {
        err = pack_hour(writer, hour, fault);
        writer->closed_hour = hour + 1;
    } else {
        /* First all their hours, empty ones too: a log that comes for one of them from now on is late. */
        writer->closed_hour = max64(writer->closed_hour, day_limit * 24);
        err = pack_days(writer, day_limit, fault);
    }
    return err ? err : set_closed(writer, fault);
}

/* In one transaction; after a failure everything is as before. */
static enum err run_slice(struct sqlite_writer *writer, int64_t hour, int64_t day_limit, struct fault *fault)
{
    int64_t closed_hour = writer->closed_hour, closed_day = writer->closed_day;
    fold_clear(&writer->packed);
    fold_clear(&writer->traffic);
    enum err err = db_begin(&writer->db, fault);
    if (!err)
        err = work(writer, hour, day_limit, fault);
    if (!err)
        err = db_commit(&writer->db, fault);
    if (!err)
        return OK;
    db_rollback(&writer->db);
    writer->closed_hour = closed_hour;
    writer->closed_day = closed_day;
    writer->packing.clean = false;
    return err;
}

/* Hours before it may be closed: by the newest log, so that an import is packed as it goes, but not later than now. */
static enum err hour_limit(struct sqlite_writer *writer, int64_t now, int64_t *ret_hour, struct fault *fault)
{
    int64_t newest = -1;
    enum err err = sqlite_lookup(writer, W_NEWEST_QUARTER, 0, -1, &newest, fault);
    if (err)
        return err;
    int64_t until = (newest + 1) * WHEN_QUARTER;
    until = (until < now ? until : now) - CLOSE_GRACE_SECONDS;
    *ret_hour = until > 0 ? until / WHEN_HOUR : 0;
    return OK;
}

enum err sqlite_close_next(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault)
{
    int64_t limit = 0, hour = 0;
    *ret_more = false;
    enum err err = hour_limit(writer, now, &limit, fault);
    if (!err)
        err = sqlite_lookup(writer, W_NEXT_HOUR, writer->closed_hour, INT64_MAX, &hour, fault);
    if (err)
        return err;
    int64_t day_limit = (hour < limit ? hour : limit) / 24; /* days before it have no open hour with logs */
    bool day_due = writer->closed_hour > 0 && writer->closed_day < day_limit;
    if (!day_due && hour >= limit)
        return OK;
    if (writer->closed_hour == 0) /* the first time: nothing older has logs */
        writer->closed_day = hour / 24;
    *ret_more = true;
    return run_slice(writer, day_due ? -1 : hour, day_limit, fault);
}
