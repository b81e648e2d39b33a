/* traffic.c: sums into the traffic tables. Knows which rows a log counts for. Does not know whether logs are new, late
 * or being closed. */
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

enum err sqlite_traffic_add(struct writer_traffic *traffic, const struct fold_key *key, const struct totals *totals)
{
    struct fold_key row = {.tier = key->tier, .bucket = key->bucket, .user_id = key->user_id};
    enum err err = fold_add(&traffic->sums, &row, totals);
    row.order_id = key->order_id;
    return err || !key->user_id ? err : fold_add(&traffic->sums, &row, totals);
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
static enum err put_bucket(struct writer_traffic *traffic, const struct fold_entry *entry, struct fault *fault)
{
    const struct totals *t = &entry->totals;
    sqlite3_stmt *statement = sql_of(traffic->db, entry->key.tier == TIER_HOUR ? W_HOUR_ADD : W_DAY_ADD);
    BIND_ALL(statement, entry->key.bucket, entry->key.user_id, entry->key.order_id, t->count, t->bytes_sent,
             t->bytes_received, t->errors, t->max_concurrency, t->duration_ms);
    return db_run(traffic->db, statement, "add to traffic", fault);
}

enum err sqlite_traffic_put(struct writer_traffic *traffic, struct fault *fault)
{
    fold_sort(&traffic->sums); /* in key order each page is visited once */
    enum err err = OK;
    for (size_t i = 0; !err && i < traffic->sums.count; i++) {
        const struct fold_entry *entry = &traffic->sums.entries[i];
        err = entry->key.tier == TIER_QUARTER ? put_quarter(traffic, entry, fault) : put_bucket(traffic, entry, fault);
    }
    fold_clear(&traffic->sums);
    return err;
}
