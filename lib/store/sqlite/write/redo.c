/* redo.c: makes rollups right again after logs were deleted: everyone's hours and users' days from the logs that are
 * left, the others from narrower ones; of the users that lost logs, and of everyone. Nothing is subtracted: the
 * greatest of what is left can't be told from the greatest of all. Knows which rollups a log is in. Does not know why
 * logs went.
 */
#include "store/sqlite/write/redo.h"

#include "store/sqlite/write/close.h"
#include "store/sqlite/write/logs.h"
#include "store/sqlite/write/periods.h"
#include "store/sqlite/write/users.h"
#include "store/sqlite/write/values.h"
#include "time/when.h"

#include <assert.h>

#include "base/banned.h"

static enum err run(struct sqlite_writer *writer, enum writer_statement which, int64_t user, int64_t second,
                    int64_t bucket, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, which);
    BIND_ALL(statement, user, second, bucket);
    return db_run(&writer->db, statement, "make a rollup again", fault);
}

/* ---- one hour or day ---- */

/* Did this order of the user lose some? Order 0: any of them. */
static bool has_lost(const struct loss *loss, int64_t user, int64_t order)
{
    size_t low = 0, high = loss->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct fold_key *key = &loss->gone[middle].key;
        if (key->user_id < user || (key->user_id == user && key->order_id < order))
            low = middle + 1;
        else
            high = middle;
    }
    if (low == loss->count || loss->gone[low].key.user_id != user)
        return false;
    return order == 0 || loss->gone[low].key.order_id == order;
}

enum err sqlite_redo_traffic(struct sqlite_writer *writer, const struct loss *loss, int64_t user, int64_t order,
                             const struct totals *totals)
{
    struct fold_key key = {.tier = loss->tier, .bucket = loss->bucket};
    enum err err = fold_add(&writer->sums.traffic, &key, totals);
    if (err || !has_lost(loss, user, 0))
        return err;
    key.user_id = user;
    err = fold_add(&writer->sums.traffic, &key, totals);
    key.order_id = order;
    return err || !has_lost(loss, user, order) ? err : fold_add(&writer->sums.traffic, &key, totals);
}

enum err sqlite_redo_entry(struct sqlite_writer *writer, const struct loss *loss, int64_t user,
                           const struct fold_key *entry, const struct totals *totals)
{
    struct fold_key key = {.tier = loss->tier, .bucket = loss->bucket, .domain = entry->domain, .error = entry->error};
    enum err err = fold_add(&writer->sums.entries, &key, totals);
    if (err || !has_lost(loss, user, 0))
        return err;
    key.user_id = user;
    key.order_id = entry->order_id;
    return fold_add(&writer->sums.entries, &key, totals);
}

static enum err drop_user(struct sqlite_writer *writer, const struct loss *loss, int64_t user, struct fault *fault)
{
    enum writer_statement traffic = loss->tier == TIER_HOUR ? W_HOUR_DROP : W_DAY_DROP;
    enum err err = run(writer, traffic, user, 0, loss->bucket, fault);
    return err ? err : run(writer, W_CHUNKS_DROP_USER, user, loss->tier, loss->bucket, fault);
}

static enum err drop_rows(struct sqlite_writer *writer, const struct loss *loss, struct fault *fault)
{
    enum err err = drop_user(writer, loss, 0, fault);
    for (size_t i = 0; !err && i < loss->count; i++) {
        const struct fold_key *key = &loss->gone[i].key;
        if (i == 0 || key->user_id != loss->gone[i - 1].key.user_id)
            err = drop_user(writer, loss, key->user_id, fault);
        if (!err)
            err = run(writer, loss->tier == TIER_HOUR ? W_HOUR_DROP : W_DAY_DROP, key->user_id, key->order_id,
                      loss->bucket, fault);
    }
    return err;
}

enum err sqlite_redo_put(struct sqlite_writer *writer, const struct loss *loss, struct fault *fault)
{
    enum err err = drop_rows(writer, loss, fault);
    return err ? err : sqlite_sums_put(&writer->pack, &writer->sums, true, fault);
}

/* ---- an hour, from its logs ---- */

struct left {
    struct sqlite_writer *writer;
    const struct loss *loss;
    bool is_closed;
};

/* A log that is left. Only a closed hour has sums of everyone by domain and error. */
static enum err add_log(void *ctx, const struct stored_log *log)
{
    const struct left *left = ctx;
    struct fold *quarters = &left->writer->sums.traffic;
    struct fold_key key = {.tier = TIER_QUARTER, .bucket = log->key.bucket};
    struct fold_key everyone = {
        .tier = TIER_HOUR, .bucket = left->loss->bucket, .domain = log->key.domain, .error = log->key.error};
    enum err err = fold_add(quarters, &key, &log->totals);
    key.user_id = log->key.user_id;
    if (!err && has_lost(left->loss, key.user_id, 0))
        err = fold_add(quarters, &key, &log->totals);
    return err || !left->is_closed ? err : sqlite_sums_add(&left->writer->sums, &everyone, &log->totals);
}

static enum err drop_quarters(struct sqlite_writer *writer, const struct loss *loss, struct fault *fault)
{
    enum err err = run(writer, W_QUARTERS_DROP, 0, 0, loss->bucket, fault);
    for (size_t i = 0; !err && i < loss->count; i++)
        if (i == 0 || loss->gone[i].key.user_id != loss->gone[i - 1].key.user_id)
            err = run(writer, W_QUARTERS_DROP, loss->gone[i].key.user_id, 0, loss->bucket, fault);
    return err;
}

static enum err redo_hour(struct sqlite_writer *writer, const struct loss *loss, struct fault *fault)
{
    struct left left = {writer, loss, sqlite_is_packed(&writer->closed, TIER_HOUR, loss->bucket * WHEN_HOUR, 0)};
    sqlite_sums_clear(&writer->sums);
    enum err err = drop_quarters(writer, loss, fault);
    if (!err)
        err = sqlite_each_log(&writer->reading, ALL_LOGS(loss->bucket * 4, 4), add_log, &left, fault);
    return err ? err : sqlite_redo_put(writer, loss, fault); /* an open hour has quarters alone */
}

static enum err redo_hours(struct sqlite_writer *writer, const struct fold *gone, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0, n; !err && i < gone->count; i += n) {
        int64_t hour = gone->entries[i].key.bucket;
        for (n = 1; i + n < gone->count && gone->entries[i + n].key.bucket == hour; n++)
            ;
        err = redo_hour(writer, &(struct loss){TIER_HOUR, hour, &gone->entries[i], n}, fault);
    }
    return err;
}

/* ---- a day ---- */

static enum err redo_user_days(struct sqlite_writer *writer, int64_t day, const struct fold *pairs, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && day < writer->closed.day && i < pairs->count; i++) {
        const struct fold_key *pair = &pairs->entries[i].key;
        if (pair->user_id && !pair->order_id) /* each user's first pair */
            err = sqlite_users_redo(writer, day, pair->user_id, fault);
    }
    return err;
}

/* Everyone's, from the hours. */
static enum err redo_day(struct sqlite_writer *writer, int64_t day, struct fault *fault)
{
    if (day >= writer->closed.day)
        return OK;
    enum err err = run(writer, W_DAY_DROP, 0, 0, day, fault);
    BIND_ALL(sql_of(&writer->db, W_DAY_REDO), day);
    if (!err)
        err = db_run(&writer->db, sql_of(&writer->db, W_DAY_REDO), "make a rollup again", fault);
    if (!err)
        err = run(writer, W_CHUNKS_DROP_USER, 0, TIER_DAY, day, fault);
    return err ? err : sqlite_pack_user(writer, TIER_DAY, day, 0, fault);
}

static enum err repack_user(struct sqlite_writer *writer, enum tier tier, int64_t bucket, int64_t user,
                            struct fault *fault)
{
    if (!sqlite_is_packed(&writer->closed, tier, bucket * tier_width(tier), user))
        return OK;
    enum err err = run(writer, W_CHUNKS_DROP_USER, user, tier, bucket, fault);
    return err ? err : sqlite_pack_user(writer, tier, bucket, user, fault);
}

/* The wider periods that the day lies in. */
static enum err repack(struct sqlite_writer *writer, int64_t day, const struct fold *pairs, struct fault *fault)
{
    enum err err = OK;
    for (int tier = TIER_4_DAYS; !err && tier < TIER_COUNT; tier++) {
        int64_t bucket = tier_bucket((enum tier)tier, day * WHEN_DAY);
        for (size_t i = 0; !err && i < pairs->count; i++)
            if (pairs->entries[i].key.order_id == 0) /* each user's first pair */
                err = repack_user(writer, (enum tier)tier, bucket, pairs->entries[i].key.user_id, fault);
    }
    return err;
}

/* ---- whose orders ---- */

/* A pair goes when no log of it is left, and no sum of logs that are no longer kept. */
static enum err drop_pairs(struct sqlite_writer *writer, const struct fold *pairs, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < pairs->count; i++) {
        const struct fold_key *pair = &pairs->entries[i].key;
        if (pair->order_id)
            err = run(writer, W_PAIR_DROP, pair->user_id, pair->order_id, 0, fault);
    }
    fold_clear(&writer->orders);
    return err;
}

/* ---- the whole ---- */

/* Everyone, each user, each order of theirs. */
static enum err list_pairs(const struct fold *gone, struct fold *pairs)
{
    enum err err = fold_add(pairs, &(struct fold_key){0}, &TOTALS_NONE);
    for (size_t i = 0; !err && i < gone->count; i++) {
        struct fold_key pair = {.user_id = gone->entries[i].key.user_id};
        err = fold_add(pairs, &pair, &TOTALS_NONE);
        pair.order_id = gone->entries[i].key.order_id;
        if (!err)
            err = fold_add(pairs, &pair, &TOTALS_NONE);
    }
    fold_sort(pairs);
    return err;
}

static enum err redo(struct sqlite_writer *writer, const struct fold *gone, const struct fold *pairs,
                     struct fault *fault)
{
    int64_t day = gone->entries[0].key.bucket / 24;
    assert(gone->entries[gone->count - 1].key.bucket / 24 == day);
    enum err err = redo_hours(writer, gone, fault);
    if (!err)
        err = redo_day(writer, day, fault);
    if (!err)
        err = redo_user_days(writer, day, pairs, fault);
    if (!err)
        err = repack(writer, day, pairs, fault);
    if (!err)
        err = sqlite_open_again(writer, fault);
    if (!err)
        err = sqlite_values_redo(writer, day, fault);
    return err ? err : drop_pairs(writer, pairs, fault);
}

static enum err note_change(struct sqlite_writer *writer, struct fault *fault)
{
    return db_run(&writer->db, sql_of(&writer->db, W_NOTE_CHANGE), "note a change of closed hours", fault);
}

enum err sqlite_redo(struct sqlite_writer *writer, struct fold *gone, struct fault *fault)
{
    if (gone->count == 0)
        return OK;
    fold_sort(gone);
    struct fold pairs = {0};
    enum err err = list_pairs(gone, &pairs) ? fault_set(fault, ERR_UNAVAILABLE, "out of memory")
                                            : redo(writer, gone, &pairs, fault);
    fold_release(&pairs);
    return err ? err : note_change(writer, fault);
}

enum err sqlite_redo_wider(struct sqlite_writer *writer, int64_t day, const struct fold *gone, struct fault *fault)
{
    struct fold pairs = {0};
    enum err err = list_pairs(gone, &pairs) ? fault_set(fault, ERR_UNAVAILABLE, "out of memory")
                                            : repack(writer, day, &pairs, fault);
    if (!err)
        err = drop_pairs(writer, &pairs, fault);
    fold_release(&pairs);
    return err ? err : note_change(writer, fault);
}
