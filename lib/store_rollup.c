/* store_rollup.c: folds a group of logs into the rollups. Knows which rollups there are (see schema/). Knows no batches
 * and no time of day. */
#include "store_writer.h"

#include "banned.h"

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

/* Adds to the packed entries of one user, or of everyone (0), if they exist. */
static enum err fold_packed(struct store_writer *writer, struct fold_key key, int64_t error,
                            const struct totals *totals)
{
    if (!store_is_packed(writer, (enum tier)key.tier, key.bucket, key.user_id))
        return OK;
    enum err err = fold_add(&writer->packed, &key, totals);
    key.error = error;
    return !err && error ? fold_add(&writer->packed, &key, totals) : err;
}

/* A late log: its hour is packed already, and perhaps its day and more. */
static enum err fold_late(struct store_writer *writer, const struct raw_row *row, const struct totals *totals)
{
    int64_t error = writer->name_ids[row->first_name + row->log->name[NAME_ERROR]];
    enum err err = OK;
    if (row->log->ts / tier_width(TIER_HOUR) >= writer->closed_hour)
        return OK;
    for (int tier = TIER_HOUR; !err && tier < TIER_COUNT; tier++) {
        struct fold_key key = {
            .tier = tier, .bucket = tier_bucket((enum tier)tier, row->log->ts), .domain = row->domain};
        err = fold_packed(writer, key, error, totals);
        key.user_id = row->user_id;
        key.order_id = row->order_id;
        if (!err)
            err = fold_packed(writer, key, error, totals);
    }
    return err;
}

static enum err fold_rows(struct store_writer *writer, struct fault *fault)
{
    enum err err = OK;
    fold_clear(&writer->traffic);
    fold_clear(&writer->packed);
    for (size_t i = 0; !err && i < writer->row_count; i++) {
        struct totals totals = log_totals(writer->rows[i].log);
        err = fold_traffic(&writer->traffic, &writer->rows[i], &totals);
        if (!err)
            err = fold_late(writer, &writer->rows[i], &totals);
    }
    return err ? fault_set(fault, ERR_UNAVAILABLE, "out of memory") : OK;
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
    BIND_ALL(statement, pair.order_id, pair.user_id);
    return db_run(&writer->db, statement, "add to order_user", fault);
}

static enum err put_traffic(struct store_writer *writer, const struct fold_entry *entry, struct fault *fault)
{
    const struct fold_key *k = &entry->key;
    const struct totals *t = &entry->totals;
    sqlite3_stmt *statement = writer_statement(writer, W_TRAFFIC_ADD);
    BIND_ALL(statement, k->tier, k->bucket, k->user_id, k->order_id, t->count, t->bytes_sent, t->bytes_received,
             t->errors, t->max_concurrency);
    enum err err = db_run(&writer->db, statement, "add to traffic", fault);
    if (!err && k->tier == TIER_DAY && k->order_id)
        err = put_order_user(writer, k, fault);
    return err;
}

enum err store_rollup(struct store_writer *writer, struct fault *fault)
{
    enum err err = fold_rows(writer, fault);
    fold_sort(&writer->traffic); /* in key order each page is visited once */
    for (size_t i = 0; !err && i < writer->traffic.count; i++)
        err = put_traffic(writer, &writer->traffic.entries[i], fault);
    if (!err)
        err = store_pack(writer, fault);
    return err;
}
