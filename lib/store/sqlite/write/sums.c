/* sums.c: sums into the traffic tables and packed rollups. Knows which rows a log counts for. Does not know whether
 * logs are new, late or being closed. */
#include "store/sqlite/write/sums.h"

#include "store/sqlite/write/sql.h"
#include "time/when.h"

#include "base/banned.h"

void sqlite_sums_clear(struct sums *sums)
{
    fold_clear(&sums->traffic);
    fold_clear(&sums->entries);
}

void sqlite_sums_release(struct sums *sums)
{
    fold_release(&sums->traffic);
    fold_release(&sums->entries);
}

/* ---- noting ---- */

enum err sqlite_quarter_add(struct sums *sums, int64_t quarter, int64_t user_id, const struct totals *totals)
{
    struct fold_key key = {.tier = TIER_QUARTER, .bucket = quarter};
    enum err err = fold_add(&sums->traffic, &key, totals);
    key.user_id = user_id;
    return err ? err : fold_add(&sums->traffic, &key, totals);
}

/* The hour or the day of the key: everyone's, or its user's and its order's. */
static enum err add_traffic(struct fold *traffic, const struct fold_key *key, const struct totals *totals)
{
    struct fold_key row = {.tier = key->tier, .bucket = key->bucket, .user_id = key->user_id};
    enum err err = fold_add(traffic, &row, totals);
    row.order_id = key->order_id;
    return err || !key->user_id ? err : fold_add(traffic, &row, totals);
}

enum err sqlite_sums_add(struct sums *sums, const struct fold_key *key, const struct totals *totals)
{
    struct fold_key all = *key;
    all.error = 0;
    enum err err = fold_add(&sums->entries, &all, totals);
    if (!err && key->error)
        err = fold_add(&sums->entries, key, totals);
    return err || key->tier > TIER_DAY ? err : add_traffic(&sums->traffic, key, totals);
}

/* ---- putting ---- */

static enum err put_quarter(struct db *db, const struct fold_entry *entry, struct fault *fault)
{
    const struct totals *t = &entry->totals;
    int64_t start = entry->key.bucket * WHEN_QUARTER;
    sqlite3_stmt *statement = sql_of(db, W_QUARTER_ADD);
    BIND_ALL(statement, entry->key.bucket, entry->key.user_id, t->count, t->bytes_sent, t->bytes_received, t->errors,
             t->max_concurrency, t->duration_ms, t->first - start, t->last - start);
    return db_run(db, statement, "add to traffic_quarter", fault);
}

/* Adds to traffic_hour or traffic_day. */
static enum err put_bucket(struct db *db, const struct fold_entry *entry, struct fault *fault)
{
    const struct totals *t = &entry->totals;
    sqlite3_stmt *statement = sql_of(db, entry->key.tier == TIER_HOUR ? W_HOUR_ADD : W_DAY_ADD);
    BIND_ALL(statement, entry->key.bucket, entry->key.user_id, entry->key.order_id, t->count, t->bytes_sent,
             t->bytes_received, t->errors, t->max_concurrency, t->duration_ms);
    return db_run(db, statement, "add to traffic", fault);
}

static enum err put_traffic(struct db *db, struct fold *traffic, struct fault *fault)
{
    fold_sort(traffic); /* in key order each page is visited once */
    enum err err = OK;
    for (size_t i = 0; !err && i < traffic->count; i++) {
        const struct fold_entry *entry = &traffic->entries[i];
        err = entry->key.tier == TIER_QUARTER ? put_quarter(db, entry, fault) : put_bucket(db, entry, fault);
    }
    fold_clear(traffic);
    return err;
}

enum err sqlite_sums_put(struct writer_pack *pack, struct sums *sums, bool fresh, struct fault *fault)
{
    enum err err = put_traffic(pack->db, &sums->traffic, fault);
    return err ? err : sqlite_pack(pack, &sums->entries, fresh, fault);
}
