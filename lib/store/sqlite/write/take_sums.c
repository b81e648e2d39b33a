/* take_sums.c: takes logs that are no longer kept out of what is left of them: the packed sums of their hours and days,
 * which know users, orders and domains. The rows of traffic_hour and traffic_day are made again from these. Quarters of
 * an hour know users alone. Knows packed entries. Leaves wider periods to write/redo.c. */
#include "store/sqlite/write/take_sums.h"

#include "store/sqlite/write/redo.h"
#include "store/sqlite/write/values.h"
#include "time/when.h"

#include "base/banned.h"

/* One hour or day. */
struct period {
    enum tier tier;
    int64_t bucket;
    const struct selection *selection;
    struct fold gone;   /* (user, order) pairs that lose sums */
    struct totals sums; /* which */
};

static bool is_in(const struct id_range *range, int64_t id)
{
    return id >= range->from && id <= range->to;
}

static bool is_selected(const struct period *period, int64_t user, const struct fold_key *entry)
{
    return is_in(&period->selection->users, user) && is_in(&period->selection->orders, entry->order_id) &&
           is_in(&period->selection->domains, entry->domain);
}

/* ---- entries ---- */

typedef enum err (*entry_sink)(struct sqlite_writer *writer, struct period *period, int64_t user,
                               const struct fold_key *entry, const struct totals *totals);

static enum err read_chunk(struct sqlite_writer *writer, struct period *period, sqlite3_stmt *statement,
                           entry_sink sink)
{
    struct pack_reader reader;
    int64_t user = sqlite3_column_int64(statement, 0);
    pack_open(&reader, sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1),
              period->bucket * tier_width(period->tier), true);
    struct totals totals;
    enum err err = OK;
    while (!err && pack_next(&reader, &totals))
        err = sink(writer, period, user, &reader.key, &totals);
    return reader.damaged ? ERR_INTERNAL : err;
}

/* Gives the sink every entry of these users. */
static enum err read_chunks(struct sqlite_writer *writer, struct period *period, const struct id_range *users,
                            entry_sink sink, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_CHUNKS_OF_BUCKET);
    BIND_ALL(statement, period->tier, period->bucket, users->from, users->to);
    bool row = true;
    enum err err = db_step(&writer->db, statement, "read chunks", &row, fault);
    while (!err && row) {
        if (read_chunk(writer, period, statement, sink))
            err = fault_set(fault, ERR_UNAVAILABLE, "rollup_chunk is damaged, or out of memory: tier %d, bucket %lld",
                            (int)period->tier, (long long)period->bucket);
        else
            err = db_step(&writer->db, statement, "read chunks", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

static enum err note_gone(struct sqlite_writer *writer, struct period *period, int64_t user,
                          const struct fold_key *entry, const struct totals *totals)
{
    (void)writer;
    if (entry->error || !is_selected(period, user, entry))
        return OK;
    totals_add(&period->sums, totals);
    return fold_add(&period->gone, &(struct fold_key){.user_id = user, .order_id = entry->order_id}, &TOTALS_NONE);
}

static struct loss loss_of(const struct period *period)
{
    return (struct loss){period->tier, period->bucket, period->gone.entries, period->gone.count};
}

static enum err keep_entry(struct sqlite_writer *writer, struct period *period, int64_t user,
                           const struct fold_key *entry, const struct totals *totals)
{
    struct loss loss = loss_of(period);
    if (is_selected(period, user, entry))
        return OK;
    enum err err = sqlite_redo_entry(writer, &loss, user, entry, totals);
    return err || entry->error ? err : sqlite_redo_traffic(writer, &loss, user, entry->order_id, totals);
}

/* ---- quarters of an hour ---- */

/* They know nothing but the user, so all of it goes. */
static enum err redo_quarters(struct sqlite_writer *writer, const struct period *period, struct fault *fault)
{
    sqlite3_stmt *drop = sql_of(&writer->db, W_QUARTERS_DROP), *all = sql_of(&writer->db, W_QUARTERS_OF_ALL);
    BIND_ALL(drop, 0, 0, period->bucket);
    enum err err = db_run(&writer->db, drop, "delete sums", fault);
    for (size_t i = 0; !err && i < period->gone.count; i++) {
        BIND_ALL(drop, period->gone.entries[i].key.user_id, 0, period->bucket);
        err = db_run(&writer->db, drop, "delete sums", fault);
    }
    BIND_ALL(all, period->bucket);
    return err ? err : db_run(&writer->db, all, "make a rollup again", fault);
}

/* ---- an hour, a day ---- */

static enum err redo_period(struct sqlite_writer *writer, struct period *period, struct fault *fault)
{
    static const struct id_range everyone = {1, INT64_MAX};
    struct loss loss = loss_of(period);
    sqlite_sums_clear(&writer->sums);
    enum err err = read_chunks(writer, period, &everyone, keep_entry, fault);
    if (!err)
        err = sqlite_redo_put(writer, &loss, fault);
    return err || period->tier != TIER_HOUR ? err : redo_quarters(writer, period, fault);
}

/* Nothing is changed where nothing is selected. */
static enum err take_period(struct sqlite_writer *writer, struct period *period, struct fault *fault)
{
    enum err err = read_chunks(writer, period, &period->selection->users, note_gone, fault);
    fold_sort(&period->gone);
    return err || period->gone.count == 0 ? err : redo_period(writer, period, fault);
}

static enum err take_hours(struct sqlite_writer *writer, const struct selection *selection, int64_t day,
                           struct fault *fault)
{
    if (!sqlite_is_kept(&writer->closed, TIER_HOUR, day * 24))
        return OK;
    enum err err = OK;
    for (int64_t hour = day * 24; !err && hour < (day + 1) * 24; hour++) {
        struct period period = {.tier = TIER_HOUR, .bucket = hour, .selection = selection};
        err = take_period(writer, &period, fault);
        fold_release(&period.gone);
    }
    return err;
}

/* Sums before the horizon of logs stand in the table retention too. */
static enum err count_taken(struct sqlite_writer *writer, const struct totals *sums, struct fault *fault)
{
    BIND_ALL(sql_of(&writer->db, W_GONE), 0, -sums->count, -sums->bytes_sent, -sums->bytes_received, -sums->errors,
             -sums->duration_ms);
    enum err err = db_run(&writer->db, sql_of(&writer->db, W_GONE), "count deleted sums", fault);
    return err ? err : sqlite_take_total(writer, sums, fault);
}

static enum err take_day(struct sqlite_writer *writer, void *ctx, struct fault *fault)
{
    struct period *day = ctx;
    enum err err = take_hours(writer, day->selection, day->bucket, fault);
    if (!err)
        err = take_period(writer, day, fault);
    if (err || day->gone.count == 0)
        return err;
    err = sqlite_redo_wider(writer, day->bucket, &day->gone, fault);
    if (!err)
        err = sqlite_values_forget(writer, day->bucket, fault);
    return err ? err : count_taken(writer, &day->sums, fault);
}

enum err sqlite_take_sums(struct sqlite_writer *writer, const struct selection *selection, int64_t day,
                          struct totals *sums, struct fault *fault)
{
    struct period period = {.tier = TIER_DAY, .bucket = day, .selection = selection, .sums = TOTALS_NONE};
    enum err err = sqlite_take_in_transaction(writer, take_day, &period, fault);
    fold_release(&period.gone);
    if (!err)
        totals_add(sums, &period.sums);
    return err;
}
