/* traffic.c: sums into the traffic tables. Knows which of them an hour counts for. Does not know whether logs are new,
 * late or being closed. */
#include "store/sqlite/write/traffic.h"

#include "store/sqlite/write/sql.h"
#include "time/when.h"

#include "base/banned.h"

enum err sqlite_quarter_add(struct writer_traffic *traffic, int64_t quarter, int64_t user_id,
                            const struct totals *totals)
{
    struct fold_key key = {.tier = TIER_QUARTER, .bucket = quarter};
    enum err err = fold_add(&traffic->sums, &key, totals);
    key.user_id = user_id;
    return err ? err : fold_add(&traffic->sums, &key, totals);
}

enum err sqlite_traffic_add(struct writer_traffic *traffic, int64_t user_id, int64_t order_id,
                            const struct totals *totals)
{
    struct fold_key key = {.tier = TIER_HOUR, .bucket = tier_bucket(TIER_HOUR, totals->first)};
    enum err err = fold_add(&traffic->sums, &key, totals);
    key.user_id = user_id;
    if (!err)
        err = fold_add(&traffic->sums, &key, totals);
    key.order_id = order_id;
    return err ? err : fold_add(&traffic->sums, &key, totals);
}

static enum err put_quarter(struct writer_traffic *traffic, const struct fold_entry *entry, struct fault *fault)
{
    const struct totals *t = &entry->totals;
    int64_t start = entry->key.bucket * WHEN_QUARTER;
    sqlite3_stmt *statement = sql_of(traffic->db, W_QUARTER_ADD);
    BIND_ALL(statement, entry->key.bucket, entry->key.user_id, t->count, t->bytes_sent, t->bytes_received, t->errors,
             t->max_concurrency, t->duration_ms, t->first - start, t->last - start);
    return db_run(traffic->db, statement, "add to traffic_quarter", fault);
}

/* Adds to traffic_hour or traffic_day. */
static enum err put_bucket(struct writer_traffic *traffic, enum writer_statement which, int64_t bucket,
                           const struct fold_entry *entry, struct fault *fault)
{
    const struct totals *t = &entry->totals;
    sqlite3_stmt *statement = sql_of(traffic->db, which);
    BIND_ALL(statement, bucket, entry->key.user_id, entry->key.order_id, t->count, t->bytes_sent, t->bytes_received,
             t->errors, t->max_concurrency, t->duration_ms);
    return db_run(traffic->db, statement, "add to traffic", fault);
}

/* Adds an hour's entry to its hour, and to its day if that is closed; to neither that is no longer kept. */
static enum err put_traffic(struct writer_traffic *traffic, const struct fold_entry *entry, struct fault *fault)
{
    if (entry->key.tier == TIER_QUARTER)
        return put_quarter(traffic, entry, fault);
    int64_t hour = entry->key.bucket, day = hour / 24;
    enum err err = OK;
    if (sqlite_is_kept(traffic->closed, TIER_HOUR, hour))
        err = put_bucket(traffic, W_HOUR_ADD, hour, entry, fault);
    if (err || day >= traffic->closed->day || !sqlite_is_kept(traffic->closed, TIER_DAY, day))
        return err;
    return put_bucket(traffic, W_DAY_ADD, day, entry, fault);
}

enum err sqlite_traffic_put(struct writer_traffic *traffic, struct fault *fault)
{
    fold_sort(&traffic->sums); /* in key order each page is visited once */
    enum err err = OK;
    for (size_t i = 0; !err && i < traffic->sums.count; i++)
        err = put_traffic(traffic, &traffic->sums.entries[i], fault);
    fold_clear(&traffic->sums);
    return err;
}

static enum err put_alone(struct writer_traffic *traffic, const struct fold_entry *entry, struct fault *fault)
{
    if (entry->key.tier == TIER_QUARTER)
        return put_quarter(traffic, entry, fault);
    return put_bucket(traffic, entry->key.tier == TIER_HOUR ? W_HOUR_ADD : W_DAY_ADD, entry->key.bucket, entry, fault);
}

enum err sqlite_traffic_put_alone(struct writer_traffic *traffic, struct fault *fault)
{
    fold_sort(&traffic->sums);
    enum err err = OK;
    for (size_t i = 0; !err && i < traffic->sums.count; i++)
        err = put_alone(traffic, &traffic->sums.entries[i], fault);
    fold_clear(&traffic->sums);
    return err;
}
