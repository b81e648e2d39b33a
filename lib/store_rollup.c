/* store_rollup.c: keeps the derived tables true: folds a group of logs into them, and closes past days. Knows which
 * tiers hold what (see schema/). Knows no batches and no time of day but the one it is given. */
#include "store_writer.h"

#include "when.h"

#include "banned.h"

/* Logs may come this late before they cost more to store. */
#define CLOSE_GRACE_SECONDS (2 * WHEN_HOUR)

/* Days without logs that one slice of closing may pass over. */
#define EMPTY_DAYS_PER_SLICE 1000

static struct totals log_totals(const struct log_record *log)
{
    return (struct totals){.count = log->count,
                           .bytes_sent = log->bytes_sent,
                           .bytes_received = log->bytes_received,
                           .errors = log->error_count,
                           .max_concurrency = log->max_concurrency,
                           .first = log->ts,
                           .last = log->ts};
}

/* Everyone, the user, and (above a quarter of an hour) the user's order. */
static enum err fold_traffic(struct fold *fold, const struct raw_row *row, const struct totals *totals)
{
    enum err err = OK;
    for (int tier = TIER_QUARTER; !err && tier <= TIER_DAY; tier++) {
        struct fold_key key = {.tier = tier, .bucket = tier_bucket((enum tier)tier, row->log->ts)};
        err = fold_add(fold, &key, totals);
        key.user_id = row->user_id;
        if (!err)
            err = fold_add(fold, &key, totals);
        key.order_id = row->order_id;
        if (!err && tier != TIER_QUARTER)
            err = fold_add(fold, &key, totals);
    }
    return err;
}

/* The tiers above an hour exist for closed periods only. */
static bool is_closed(const struct store_writer *writer, enum tier tier, int64_t bucket)
{
    int64_t days = tier_width(tier) / WHEN_DAY;
    return (bucket + 1) * days <= writer->closed_day;
}

/* A group's rows of domain_traffic, or with `error` those of error_traffic: everyone's hour, and what is closed. */
static enum err fold_domain(struct store_writer *writer, struct fold *fold, const struct raw_row *row, int64_t error,
                            const struct totals *totals)
{
    struct fold_key all = {.error = error, .domain = row->domain};
    struct fold_key own = {.error = error, .domain = row->domain, .user_id = row->user_id, .order_id = row->order_id};
    all.tier = TIER_HOUR;
    all.bucket = tier_bucket(TIER_HOUR, row->log->ts);
    enum err err = fold_add(fold, &all, totals);
    for (int tier = TIER_DAY; !err && tier < TIER_COUNT; tier++) {
        all.tier = own.tier = tier;
        all.bucket = own.bucket = tier_bucket((enum tier)tier, row->log->ts);
        if (!is_closed(writer, (enum tier)tier, all.bucket))
            break;
        err = fold_add(fold, &all, totals);
        if (!err)
            err = fold_add(fold, &own, totals);
    }
    return err;
}

static enum err fold_row(struct store_writer *writer, const struct raw_row *row)
{
    struct totals totals = log_totals(row->log);
    int64_t error = writer->name_ids[row->first_name + row->log->name[NAME_ERROR]];
    enum err err = fold_traffic(&writer->traffic, row, &totals);
    if (!err)
        err = fold_domain(writer, &writer->domains, row, 0, &totals);
    if (!err && error)
        err = fold_domain(writer, &writer->errors, row, error, &totals);
    return err;
}

/* Binds consecutive integers from parameter `from`. */
static void bind_all(sqlite3_stmt *statement, int from, const int64_t *values, int count)
{
    for (int i = 0; i < count; i++)
        sqlite3_bind_int64(statement, from + i, values[i]);
}

static enum err put_traffic(struct store_writer *writer, const struct fold_entry *entry, struct fault *fault)
{
    const struct fold_key *k = &entry->key;
    const struct totals *t = &entry->totals;
    sqlite3_stmt *statement = writer_statement(writer, W_TRAFFIC_ADD);
    bind_all(statement, 1,
             (int64_t[]){k->tier, k->bucket, k->user_id, k->order_id, t->count, t->bytes_sent, t->bytes_received,
                         t->errors, t->max_concurrency},
             9);
    return db_run(&writer->db, statement, "add to traffic", fault);
}

static enum err put_domain(struct store_writer *writer, const struct fold_entry *entry, struct fault *fault)
{
    const struct fold_key *k = &entry->key;
    const struct totals *t = &entry->totals;
    sqlite3_stmt *statement = writer_statement(writer, W_DOMAIN_ADD);
    bind_all(statement, 1,
             (int64_t[]){k->tier, k->bucket, k->user_id, k->domain, k->order_id, t->count, t->bytes_sent,
                         t->bytes_received, t->errors, t->max_concurrency, t->first, t->last},
             12);
    return db_run(&writer->db, statement, "add to domain_traffic", fault);
}

static enum err put_error(struct store_writer *writer, const struct fold_entry *entry, struct fault *fault)
{
    const struct fold_key *k = &entry->key;
    const struct totals *t = &entry->totals;
    sqlite3_stmt *statement = writer_statement(writer, W_ERROR_ADD);
    bind_all(
        statement, 1,
        (int64_t[]){k->tier, k->bucket, k->user_id, k->error, k->domain, k->order_id, t->errors, t->first, t->last}, 9);
    return db_run(&writer->db, statement, "add to error_traffic", fault);
}

/* Most (order, user) pairs were seen before: writer->orders remembers. */
static enum err put_order_user(struct store_writer *writer, const struct fold_key *traffic, struct fault *fault)
{
    struct fold_key pair = {.order_id = traffic->order_id, .user_id = traffic->user_id};
    size_t known = writer->orders.count;
    if (fold_add(&writer->orders, &pair, &TOTALS_NONE))
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (writer->orders.count == known)
        return OK;
    sqlite3_stmt *statement = writer_statement(writer, W_ORDER_USER_ADD);
    bind_all(statement, 1, (int64_t[]){pair.order_id, pair.user_id}, 2);
    return db_run(&writer->db, statement, "add to order_user", fault);
}

static enum err put_orders(struct store_writer *writer, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < writer->traffic.count; i++) {
        const struct fold_key *key = &writer->traffic.entries[i].key;
        if (key->tier == TIER_DAY && key->order_id)
            err = put_order_user(writer, key, fault);
    }
    return err;
}

typedef enum err (*put_entry)(struct store_writer *writer, const struct fold_entry *entry, struct fault *fault);

/* In key order, so that each page is visited once. */
static enum err put_fold(struct store_writer *writer, struct fold *fold, put_entry put, struct fault *fault)
{
    enum err err = OK;
    fold_sort(fold);
    for (size_t i = 0; !err && i < fold->count; i++)
        err = put(writer, &fold->entries[i], fault);
    fold_clear(fold);
    return err;
}

static enum err fold_rows(struct store_writer *writer, struct fault *fault)
{
    fold_clear(&writer->traffic);
    fold_clear(&writer->domains);
    fold_clear(&writer->errors);
    for (size_t i = 0; i < writer->row_count; i++)
        if (fold_row(writer, &writer->rows[i]))
            return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    return OK;
}

enum err store_rollup(struct store_writer *writer, struct fault *fault)
{
    enum err err = fold_rows(writer, fault);
    if (!err)
        err = put_orders(writer, fault);
    if (!err)
        err = put_fold(writer, &writer->traffic, put_traffic, fault);
    if (!err)
        err = put_fold(writer, &writer->domains, put_domain, fault);
    if (!err)
        err = put_fold(writer, &writer->errors, put_error, fault);
    return err;
}

/* ---- closing ---- */

static enum err run(struct store_writer *writer, enum writer_statement which, const int64_t *values, int count,
                    struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, which);
    bind_all(statement, 1, values, count);
    return db_run(&writer->db, statement, "close a period", fault);
}

static enum err lookup(struct store_writer *writer, enum writer_statement which, int64_t value, int64_t otherwise,
                       int64_t *ret_value, struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, which);
    bool row = false;
    if (sqlite3_bind_parameter_count(statement) > 0)
        sqlite3_bind_int64(statement, 1, value);
    enum err err = db_step(&writer->db, statement, "look for a day to close", &row, fault);
    if (err)
        return err;
    *ret_value = row ? sqlite3_column_int64(statement, 0) : otherwise;
    sqlite3_reset(statement);
    return OK;
}

static enum err close_day(struct store_writer *writer, int64_t day, struct fault *fault)
{
    static const enum writer_statement steps[] = {W_CLOSE_DOMAIN_USERS, W_CLOSE_DOMAIN_ALL, W_CLOSE_ERROR_USERS,
                                                  W_CLOSE_ERROR_ALL};
    enum err err = OK;
    for (size_t i = 0; !err && i < sizeof steps / sizeof *steps; i++)
        err = run(writer, steps[i], &day, 1, fault);
    return err;
}

/* The wider periods that end with `day`. */
static enum err close_wider(struct store_writer *writer, int64_t day, struct fault *fault)
{
    enum err err = OK;
    for (int64_t tier = TIER_4_DAYS, days = 4; !err && tier < TIER_COUNT && (day + 1) % days == 0; tier++, days *= 4) {
        err = run(writer, W_WIDEN_DOMAIN, (int64_t[]){tier, day / days}, 2, fault);
        if (!err)
            err = run(writer, W_WIDEN_ERROR, (int64_t[]){tier, day / days}, 2, fault);
    }
    return err;
}

/* Closes days from `from` up to and with `day`, the first one that has logs (or the last one of a slice). */
static enum err close_through(struct store_writer *writer, int64_t from, int64_t day, struct fault *fault)
{
    enum err err = db_begin(&writer->db, fault);
    if (err)
        return err;
    for (int64_t at = from; !err && at <= day; at++) {
        err = close_day(writer, at, fault);
        if (!err)
            err = close_wider(writer, at, fault);
    }
    if (!err)
        err = run(writer, W_SET_CLOSED, (int64_t[]){day + 1}, 1, fault);
    if (!err)
        err = db_commit(&writer->db, fault);
    else
        db_rollback(&writer->db);
    if (!err)
        writer->closed_day = day + 1;
    return err;
}

/* The time up to which logs have come, but not later than now: what closing goes by. */
static enum err horizon(struct store_writer *writer, int64_t now, int64_t *ret_seconds, struct fault *fault)
{
    int64_t newest = -1;
    enum err err = lookup(writer, W_NEWEST_QUARTER, 0, -1, &newest, fault);
    if (err)
        return err;
    int64_t newest_seconds = (newest + 1) * WHEN_QUARTER;
    *ret_seconds = newest_seconds < now ? newest_seconds : now;
    return OK;
}

enum err store_close_day(struct store_writer *writer, int64_t now, bool *ret_more, struct fault *fault)
{
    int64_t until = 0, day = 0;
    *ret_more = false;
    enum err err = horizon(writer, now, &until, fault);
    if (!err)
        err = lookup(writer, W_NEXT_DAY, writer->closed_day, INT64_MAX, &day, fault);
    if (err || day == INT64_MAX || (day + 1) * WHEN_DAY + CLOSE_GRACE_SECONDS > until)
        return err;
    int64_t from = writer->closed_day ? writer->closed_day : day;
    if (day - from > EMPTY_DAYS_PER_SLICE)
        day = from + EMPTY_DAYS_PER_SLICE;
    err = close_through(writer, from, day, fault);
    *ret_more = !err;
    return err;
}
