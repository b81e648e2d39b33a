/* rollup.c: folds a group of logs into the rollups. Knows which rollups there are (see schema/). Knows no batches
 * and no time of day. */
#include "store/sqlite/write/writer.h"

#include "time/when.h"

#include "base/banned.h"

enum err sqlite_quarter_add(struct sqlite_writer *writer, int64_t quarter, int64_t user_id, const struct totals *totals)
{
    struct fold_key key = {.tier = TIER_QUARTER, .bucket = quarter};
    enum err err = fold_add(&writer->traffic, &key, totals);
    key.user_id = user_id;
    return err ? err : fold_add(&writer->traffic, &key, totals);
}

enum err sqlite_traffic_add(struct sqlite_writer *writer, int64_t user_id, int64_t order_id,
                            const struct totals *totals)
{
    struct fold_key key = {.tier = TIER_HOUR, .bucket = tier_bucket(TIER_HOUR, totals->first)};
    enum err err = fold_add(&writer->traffic, &key, totals);
    key.user_id = user_id;
    if (!err)
        err = fold_add(&writer->traffic, &key, totals);
    key.order_id = order_id;
    return err ? err : fold_add(&writer->traffic, &key, totals);
}

/* Adds to the packed entries of one user, or of everyone (0), if they exist. */
static enum err fold_packed(struct sqlite_writer *writer, struct fold_key key, int64_t error,
                            const struct totals *totals)
{
    if (!sqlite_is_packed(writer, (enum tier)key.tier, key.bucket, key.user_id))
        return OK;
    enum err err = fold_add(&writer->packed, &key, totals);
    key.error = error;
    return !err && error ? fold_add(&writer->packed, &key, totals) : err;
}

/* A late log: its hour is packed already, and perhaps its day and more. */
static enum err fold_late(struct sqlite_writer *writer, const struct raw_row *row, const struct totals *totals)
{
    int64_t error = writer->name_ids[row->first_name + row->log->name[NAME_ERROR]];
    enum err err = OK;
    if (row->log->ts / tier_width(TIER_HOUR) >= writer->closed_hour)
        return OK;
    err = sqlite_traffic_add(writer, row->user_id, row->order_id, totals);
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

static enum err fold_rows(struct sqlite_writer *writer, struct fault *fault)
{
    enum err err = OK;
    fold_clear(&writer->traffic);
    fold_clear(&writer->packed);
    for (size_t i = 0; !err && i < writer->row_count; i++) {
        struct totals totals = log_totals(writer->rows[i].log);
        if (sqlite_is_kept(writer, TIER_QUARTER, writer->rows[i].quarter))
            err = sqlite_quarter_add(writer, writer->rows[i].quarter, writer->rows[i].user_id, &totals);
        if (!err)
            err = fold_late(writer, &writer->rows[i], &totals);
    }
    return err ? fault_set(fault, ERR_UNAVAILABLE, "out of memory") : OK;
}

/* Most (order, user) pairs were seen before: writer->orders remembers. */
static enum err put_order_user(struct sqlite_writer *writer, const struct raw_row *row, struct fault *fault)
{
    struct fold_key pair = {.order_id = row->order_id, .user_id = row->user_id};
    size_t known = writer->orders.count;
    if (fold_add(&writer->orders, &pair, &TOTALS_NONE))
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (writer->orders.count == known)
        return OK;
    sqlite3_stmt *statement = writer_statement(writer, W_ORDER_USER_ADD);
    BIND_ALL(statement, pair.order_id, pair.user_id);
    return db_run(&writer->db, statement, "add to order_user", fault);
}

static enum err put_orders(struct sqlite_writer *writer, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < writer->row_count; i++)
        err = put_order_user(writer, &writer->rows[i], fault);
    return err;
}

static enum err put_quarter(struct sqlite_writer *writer, const struct fold_entry *entry, struct fault *fault)
{
    const struct totals *t = &entry->totals;
    int64_t start = entry->key.bucket * WHEN_QUARTER;
    sqlite3_stmt *statement = writer_statement(writer, W_QUARTER_ADD);
    BIND_ALL(statement, entry->key.bucket, entry->key.user_id, t->count, t->bytes_sent, t->bytes_received, t->errors,
             t->max_concurrency, t->first - start, t->last - start);
    return db_run(&writer->db, statement, "add to traffic_quarter", fault);
}

/* Adds to traffic_hour or traffic_day. */
static enum err put_bucket(struct sqlite_writer *writer, enum writer_statement which, int64_t bucket,
                           const struct fold_entry *entry, struct fault *fault)
{
    const struct totals *t = &entry->totals;
    sqlite3_stmt *statement = writer_statement(writer, which);
    BIND_ALL(statement, bucket, entry->key.user_id, entry->key.order_id, t->count, t->bytes_sent, t->bytes_received,
             t->errors, t->max_concurrency);
    return db_run(&writer->db, statement, "add to traffic", fault);
}

/* An hour's entry counts for its day too, if that is closed; and for neither that is no longer kept. */
static enum err put_traffic(struct sqlite_writer *writer, const struct fold_entry *entry, struct fault *fault)
{
    int64_t hour = entry->key.bucket, day = hour / 24;
    enum err err = OK;
    if (entry->key.tier == TIER_QUARTER)
        return put_quarter(writer, entry, fault);
    if (sqlite_is_kept(writer, TIER_HOUR, hour))
        err = put_bucket(writer, W_HOUR_ADD, hour, entry, fault);
    if (err || day >= writer->closed_day || !sqlite_is_kept(writer, TIER_DAY, day))
        return err;
    return put_bucket(writer, W_DAY_ADD, day, entry, fault);
}

enum err sqlite_traffic_put(struct sqlite_writer *writer, struct fault *fault)
{
    enum err err = OK;
    fold_sort(&writer->traffic); /* in key order each page is visited once */
    for (size_t i = 0; !err && i < writer->traffic.count; i++)
        err = put_traffic(writer, &writer->traffic.entries[i], fault);
    fold_clear(&writer->traffic);
    return err;
}

/* Readers that keep sums of closed hours are told when there were late logs. */
static enum err note_change(struct sqlite_writer *writer, struct fault *fault)
{
    if (writer->packed.count == 0)
        return OK;
    return db_run(&writer->db, writer_statement(writer, W_NOTE_CHANGE), "note a change of closed hours", fault);
}

enum err sqlite_rollup(struct sqlite_writer *writer, struct fault *fault)
{
    enum err err = fold_rows(writer, fault);
    if (!err)
        err = note_change(writer, fault);
    if (!err)
        err = put_orders(writer, fault);
    if (!err)
        err = sqlite_traffic_put(writer, fault);
    return err ? err : sqlite_pack(writer, false, fault);
}
