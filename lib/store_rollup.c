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

/* Hours are closed one by one; a wider bucket is when its last day is. */
static bool is_closed(const struct store_writer *writer, enum tier tier, int64_t bucket)
{
    int64_t end = (bucket + 1) * tier_width(tier);
    return end <= (tier == TIER_HOUR ? writer->closed_hour * tier_width(TIER_HOUR)
                                     : writer->closed_day * tier_width(TIER_DAY));
}

/* A late log: its hour is packed already, and perhaps its day and more. */
static enum err fold_late(struct store_writer *writer, const struct raw_row *row, const struct totals *totals)
{
    struct fold_key key = {.user_id = row->user_id, .domain = row->domain, .order_id = row->order_id};
    int64_t error = writer->name_ids[row->first_name + row->log->name[NAME_ERROR]];
    enum err err = OK;
    for (int tier = TIER_HOUR; !err && tier < TIER_COUNT; tier++) {
        key.tier = tier;
        key.bucket = tier_bucket((enum tier)tier, row->log->ts);
        key.error = 0;
        if (!is_closed(writer, (enum tier)tier, key.bucket))
            break;
        err = store_pack_add(writer, &key, totals);
        key.error = error;
        if (!err && error)
            err = store_pack_add(writer, &key, totals);
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
