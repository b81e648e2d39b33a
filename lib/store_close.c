/* store_close.c: closes hours and days that are over: packs an hour's raw logs, a day's hours, four days, sixteen.
 * Knows what is due when. Leaves the chunks to store_pack.c. */
#include "store_writer.h"

#include "pack.h"
#include "when.h"

#include <stdlib.h>

#include "banned.h"

/* Logs may come this late before they cost more to store. */
#define CLOSE_GRACE_SECONDS (30 * 60)

/* Days without logs that one slice may pass over. */
#define EMPTY_DAYS_PER_SLICE 1000

static enum err lookup(struct store_writer *writer, enum writer_statement which, int64_t value, int64_t otherwise,
                       int64_t *ret_value, struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, which);
    bool row = false;
    if (sqlite3_bind_parameter_count(statement) > 0)
        sqlite3_bind_int64(statement, 1, value);
    enum err err = db_step(&writer->db, statement, "look for an hour to close", &row, fault);
    if (err)
        return err;
    *ret_value = row ? sqlite3_column_int64(statement, 0) : otherwise;
    sqlite3_reset(statement);
    return OK;
}

/* ---- an hour ---- */

static struct totals raw_totals(sqlite3_stmt *statement)
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

static enum err add_raw(struct store_writer *writer, sqlite3_stmt *statement, int64_t hour)
{
    struct totals totals = raw_totals(statement);
    int64_t error = sqlite3_column_int64(statement, 2);
    struct fold_key key = {.tier = TIER_HOUR,
                           .bucket = hour,
                           .user_id = sqlite3_column_int64(statement, 0),
                           .domain = sqlite3_column_int64(statement, 1),
                           .order_id = sqlite3_column_int64(statement, 3)};
    enum err err = store_pack_add(writer, &key, &totals);
    key.error = error;
    return !err && error ? store_pack_add(writer, &key, &totals) : err;
}

static enum err add_quarter(struct store_writer *writer, int64_t quarter, struct fault *fault)
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

static enum err pack_hour(struct store_writer *writer, int64_t hour, struct fault *fault)
{
    enum err err = OK;
    for (int64_t quarter = hour * 4; !err && quarter < (hour + 1) * 4; quarter++)
        err = add_quarter(writer, quarter, fault);
    return err ? err : store_pack(writer, fault);
}

/* ---- wider periods: from the tier below, user by user ---- */

/* A period being packed. */
struct period {
    enum tier tier;
    int64_t bucket;
};

static int64_t parts(enum tier tier)
{
    return tier_width(tier) / tier_width((enum tier)(tier - 1));
}

/* Adds one narrower chunk to writer->packed. */
static enum err add_chunk(struct store_writer *writer, struct period period, int64_t part, int64_t user,
                          sqlite3_stmt *statement)
{
    struct pack_reader reader;
    struct totals totals;
    enum err err = OK;
    int64_t base = part * tier_width((enum tier)(period.tier - 1));
    pack_open(&reader, sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0), base);
    while (!err && pack_next(&reader, &totals)) {
        struct fold_key key = reader.key;
        key.tier = period.tier;
        key.bucket = period.bucket;
        key.user_id = user;
        err = fold_add(&writer->packed, &key, &totals);
    }
    return reader.damaged ? ERR_INTERNAL : err;
}

static enum err add_part(struct store_writer *writer, struct period period, int64_t part, int64_t user,
                         struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, W_CHUNKS_OF_USER);
    bool row = true;
    BIND_ALL(statement, period.tier - 1, part, user);
    enum err err = db_step(&writer->db, statement, "read chunks", &row, fault);
    while (!err && row) {
        if (add_chunk(writer, period, part, user, statement))
            err = fault_set(fault, ERR_UNAVAILABLE, "rollup_chunk is damaged, or out of memory: tier %d, bucket %lld",
                            (int)period.tier - 1, (long long)part);
        else
            err = db_step(&writer->db, statement, "read chunks", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

static enum err pack_user(struct store_writer *writer, struct period period, int64_t user, struct fault *fault)
{
    int64_t count = parts(period.tier), first = period.bucket * count;
    enum err err = OK;
    for (int64_t part = first; !err && part < first + count; part++)
        err = add_part(writer, period, part, user, fault);
    return err ? err : store_pack(writer, fault);
}

/* Everyone who has logs in the period, user 0 among them. */
static enum err pack_period(struct store_writer *writer, struct period period, struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, W_USERS);
    int64_t days = tier_width(period.tier) / WHEN_DAY;
    bool row = true;
    BIND_ALL(statement, period.bucket * days, (period.bucket + 1) * days);
    enum err err = db_step(&writer->db, statement, "list users", &row, fault);
    while (!err && row) {
        err = pack_user(writer, period, sqlite3_column_int64(statement, 0), fault);
        if (!err)
            err = db_step(&writer->db, statement, "list users", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* The day, and the wider periods that end with it. */
static enum err pack_day(struct store_writer *writer, int64_t day, struct fault *fault)
{
    enum err err = OK;
    for (int tier = TIER_DAY; !err && tier < TIER_COUNT; tier++) {
        int64_t days = tier_width((enum tier)tier) / WHEN_DAY;
        if ((day + 1) % days != 0)
            break;
        err = pack_period(writer, (struct period){(enum tier)tier, day / days}, fault);
    }
    return err;
}

/* ---- what is due ---- */

/* One slice: packs and moves closing on, in one transaction. */
struct slice_of_work {
    int64_t hour;        /* to pack; -1: none */
    int64_t first_day;   /* to pack: first_day … closed_day - 1 */
    int64_t closed_hour; /* as of the end of the slice */
    int64_t closed_day;
};

static enum err pack_slice(struct store_writer *writer, const struct slice_of_work *work, struct fault *fault)
{
    enum err err = work->hour >= 0 ? pack_hour(writer, work->hour, fault) : OK;
    for (int64_t day = work->first_day; !err && day < work->closed_day; day++)
        err = pack_day(writer, day, fault);
    if (err)
        return err;
    sqlite3_stmt *statement = writer_statement(writer, W_SET_CLOSED);
    BIND_ALL(statement, work->closed_hour, work->closed_day);
    return db_run(&writer->db, statement, "close a period", fault);
}

static enum err run_slice(struct store_writer *writer, const struct slice_of_work *work, struct fault *fault)
{
    fold_clear(&writer->packed);
    enum err err = db_begin(&writer->db, fault);
    if (!err)
        err = pack_slice(writer, work, fault);
    if (!err)
        err = db_commit(&writer->db, fault);
    if (err) {
        db_rollback(&writer->db);
        return err;
    }
    writer->closed_hour = work->closed_hour;
    writer->closed_day = work->closed_day;
    return OK;
}

/* Hours before it may be closed: by the newest log, so that an import is packed as it goes, but not later than now. */
static enum err hour_limit(struct store_writer *writer, int64_t now, int64_t *ret_hour, struct fault *fault)
{
    int64_t newest = -1;
    enum err err = lookup(writer, W_NEWEST_QUARTER, 0, -1, &newest, fault);
    if (err)
        return err;
    int64_t until = (newest + 1) * WHEN_QUARTER;
    until = (until < now ? until : now) - CLOSE_GRACE_SECONDS;
    *ret_hour = until > 0 ? until / WHEN_HOUR : 0;
    return OK;
}

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

enum err store_close_next(struct store_writer *writer, int64_t now, bool *ret_more, struct fault *fault)
{
    int64_t limit = 0, hour = 0;
    *ret_more = false;
    enum err err = hour_limit(writer, now, &limit, fault);
    if (!err)
        err = lookup(writer, W_NEXT_HOUR, writer->closed_hour, INT64_MAX, &hour, fault);
    if (err)
        return err;
    bool begun = writer->closed_hour > 0;
    struct slice_of_work work = {.hour = -1, .closed_hour = writer->closed_hour, .closed_day = writer->closed_day};
    work.first_day = work.closed_day = begun ? writer->closed_day : hour / 24;
    int64_t day_limit = min64(hour, limit) / 24; /* days before it have no open hour with logs */
    if (begun && writer->closed_day < day_limit) {
        work.closed_day = min64(day_limit, writer->closed_day + EMPTY_DAYS_PER_SLICE);
        work.closed_hour = work.closed_day * 24 > work.closed_hour ? work.closed_day * 24 : work.closed_hour;
    } else if (hour < limit) {
        work.hour = hour;
        work.closed_hour = hour + 1;
    } else {
        return OK;
    }
    *ret_more = true;
    return run_slice(writer, &work, fault);
}
