/* rollup.c: folds a group of logs into the rollups. Knows which rollups there are (see schema/). Knows no batches
 * and no time of day. */
#include "store/sqlite/write/rollup.h"

#include "store/sqlite/write/close.h"
#include "store/sqlite/write/values.h"

#include "base/banned.h"

/* Adds to the sums of one user, or of everyone (0), if they are made. */
static enum err fold_packed(struct sqlite_writer *writer, const struct fold_key *key, const struct totals *totals)
{
    bool is_packed = sqlite_is_packed(&writer->closed, (enum tier)key->tier, totals->first, key->user_id);
    return is_packed ? sqlite_sums_add(&writer->sums, key, totals) : OK;
}

/* A late log: its hour is packed already, and perhaps its day and more. */
static enum err fold_late(struct sqlite_writer *writer, const struct raw_row *row, const struct totals *totals)
{
    int64_t error = writer->names.ids[row->first_name + row->log->name[NAME_ERROR]];
    enum err err = OK;
    for (int tier = TIER_HOUR; !err && tier < TIER_COUNT; tier++) {
        struct fold_key key = {
            .tier = tier, .bucket = tier_bucket((enum tier)tier, row->log->ts), .domain = row->domain, .error = error};
        err = fold_packed(writer, &key, totals);
        key.user_id = row->user_id;
        key.order_id = row->order_id;
        if (!err)
            err = fold_packed(writer, &key, totals);
    }
    return err;
}

static enum err fold_rows(struct sqlite_writer *writer, struct fault *fault)
{
    sqlite_sums_clear(&writer->sums);
    enum err err = OK;
    for (size_t i = 0; !err && i < writer->rows.count; i++) {
        struct totals totals = log_totals(writer->rows.rows[i].log);
        sqlite_close_note(&writer->closing, writer->rows.rows[i].quarter);
        if (sqlite_is_kept(&writer->closed, TIER_QUARTER, writer->rows.rows[i].quarter))
            err =
                sqlite_quarter_add(&writer->sums, writer->rows.rows[i].quarter, writer->rows.rows[i].user_id, &totals);
        if (!err && writer->rows.rows[i].log->ts < writer->closed.hour * tier_width(TIER_HOUR))
            err = fold_late(writer, &writer->rows.rows[i], &totals);
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
    sqlite3_stmt *statement = sql_of(&writer->db, W_ORDER_USER_ADD);
    BIND_ALL(statement, pair.order_id, pair.user_id);
    return db_run(&writer->db, statement, "add to order_user", fault);
}

static enum err put_orders(struct sqlite_writer *writer, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < writer->rows.count; i++)
        err = put_order_user(writer, &writer->rows.rows[i], fault);
    return err;
}

/* Tells readers that keep sums of closed hours that late logs came. */
static enum err note_change(struct sqlite_writer *writer, struct fault *fault)
{
    if (writer->sums.entries.count == 0)
        return OK;
    return db_run(&writer->db, sql_of(&writer->db, W_NOTE_CHANGE), "note a change of closed hours", fault);
}

enum err sqlite_rollup(struct sqlite_writer *writer, struct fault *fault)
{
    enum err err = fold_rows(writer, fault);
    if (!err)
        err = note_change(writer, fault);
    if (!err)
        err = put_orders(writer, fault);
    if (!err)
        err = sqlite_sums_put(&writer->pack, &writer->sums, false, fault);
    return err ? err : sqlite_values_late(writer, fault);
}
