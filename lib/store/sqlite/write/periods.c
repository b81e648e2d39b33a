/* periods.c: packs days and wider periods from the tier below, user by user. Knows how chunks become wider ones. Does
 * not know which periods are due. */
#include "store/sqlite/write/periods.h"

#include "base/int64.h"
#include "rollup/pack.h"
#include "store/sqlite/write/users.h"
#include "time/when.h"

#include <stdlib.h>

#include "base/banned.h"

/* Buckets of the tier below in one of this. */
static int64_t parts_of(enum tier tier)
{
    return tier_width(tier) / tier_width((enum tier)(tier - 1));
}

/* ---- entries ---- */

/* Where entries are added up, and how many were. */
struct gathering {
    struct fold *entries;
    size_t read;
};

/* Adds one narrower chunk, under the tier, bucket and user of the `whole`. */
static enum err add_chunk(struct gathering *to, const struct fold_key *whole, int64_t part, sqlite3_stmt *statement)
{
    struct pack_reader reader;
    int64_t base = part * tier_width((enum tier)(whole->tier - 1));
    pack_open(&reader, sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0), base, true);
    struct totals totals;
    enum err err = OK;
    while (!err && pack_next(&reader, &totals)) {
        struct fold_key key = reader.key;
        key.tier = whole->tier;
        key.bucket = whole->bucket;
        key.user_id = whole->user_id;
        err = fold_add(to->entries, &key, &totals);
        to->read++;
    }
    return reader.damaged ? ERR_INTERNAL : err;
}

static enum err add_part(struct gathering *to, struct db *db, const struct fold_key *whole, int64_t part,
                         struct fault *fault)
{
    int64_t tier = whole->tier - 1;
    sqlite3_stmt *statement = sql_of(db, W_CHUNKS_OF_USER);
    BIND_ALL(statement, tier, part, whole->user_id);
    bool row = true;
    enum err err = db_step(db, statement, "read chunks", &row, fault);
    while (!err && row) {
        if (add_chunk(to, whole, part, statement))
            err = fault_set(fault, ERR_UNAVAILABLE, "rollup_chunk is damaged, or out of memory: tier %lld, bucket %lld",
                            (long long)tier, (long long)part);
        else
            err = db_step(db, statement, "read chunks", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* The whole period of the key's user. */
static enum err add_period(struct gathering *to, struct db *db, const struct fold_key *whole, struct fault *fault)
{
    int64_t count = parts_of((enum tier)whole->tier), first = whole->bucket * count;
    enum err err = OK;
    for (int64_t part = first; !err && part < first + count; part++)
        err = add_part(to, db, whole, part, fault);
    return err;
}

enum err sqlite_pack_user(struct sqlite_writer *writer, enum tier tier, int64_t bucket, int64_t user,
                          struct fault *fault)
{
    struct fold_key whole = {.tier = tier, .bucket = bucket, .user_id = user};
    struct gathering to = {.entries = &writer->sums.entries};
    enum err err = add_period(&to, &writer->db, &whole, fault);
    return err ? err : sqlite_pack(&writer->pack, &writer->sums.entries, true, fault);
}

/* ---- everyone's day ---- */

void sqlite_day_ask(struct sqlite_writer *writer)
{
    struct closing_slice *slice = &writer->closing.slice;
    slice->kind = SLICE_DAY;
    slice->from = writer->closed.day * WHEN_QUARTERS_OF_DAY;
    slice->until = slice->from + WHEN_QUARTERS_OF_DAY;
    slice->period.tier = TIER_DAY;
    slice->period.bucket = writer->closed.day;
}

enum err sqlite_day_read(struct closing_slice *slice, struct log_reading *reading, struct fault *fault)
{
    struct fold_key whole = {.tier = TIER_DAY, .bucket = slice->period.bucket};
    struct gathering to = {.entries = &slice->sums.entries};
    return add_period(&to, reading->db, &whole, fault);
}

enum err sqlite_day_write(struct sqlite_writer *writer, struct fault *fault)
{
    int64_t day = writer->closed.day;
    sqlite3_stmt *statement = sql_of(&writer->db, W_DAY_REDO);
    BIND_ALL(statement, day);
    enum err err = db_run(&writer->db, statement, "close a day's traffic", fault);
    bool has_logs = sqlite3_changes(writer->db.handle) > 0;
    writer->closed.packing.tier = TIER_DAY;
    writer->closed.packing.bucket = day;
    writer->closed.packing.active = true;
    sqlite_users_begin(writer, TIER_DAY, day);
    writer->closed.walk.is_done = !has_logs;
    return err ? err : sqlite_sums_put(&writer->pack, &writer->closing.slice.sums, true, fault);
}

/* ---- who has entries ---- */

static enum err add_user(struct user_list *list, int64_t user, struct fault *fault)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 256;
        int64_t *users = realloc(list->users, cap * sizeof *users);
        if (!users)
            return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        list->users = users;
        list->cap = cap;
    }
    list->users[list->count++] = user;
    return OK;
}

/* The users of one narrower bucket. A loose scan: from each user straight to the next. */
static enum err list_users_of(struct user_list *list, struct db *db, int64_t tier, int64_t part, struct fault *fault)
{
    bool row = true;
    int64_t user = -1;
    enum err err = OK;
    while (!err && row) {
        sqlite3_stmt *statement = sql_of(db, W_NEXT_USER);
        BIND_ALL(statement, tier, part, user);
        err = db_step(db, statement, "list users", &row, fault);
        if (err || !row)
            return err;
        user = sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
        err = add_user(list, user, fault);
    }
    return err;
}

static int by_value(const void *left, const void *right)
{
    return compare64(*(const int64_t *)left, *(const int64_t *)right);
}

static void sort_users(struct user_list *list)
{
    if (list->count > 1)
        qsort(list->users, list->count, sizeof *list->users, by_value);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || list->users[kept - 1] != list->users[i])
            list->users[kept++] = list->users[i];
    list->count = kept;
}

/* Everyone who has logs in the period, user 0 among them, ascending. */
static enum err list_users(struct period_slice *period, struct db *db, struct fault *fault)
{
    int64_t count = parts_of(period->tier), first = period->bucket * count;
    struct user_list *list = &period->listed;
    list->count = 0;
    enum err err = OK;
    for (int64_t part = first; !err && part < first + count; part++)
        err = list_users_of(list, db, period->tier - 1, part, fault);
    sort_users(list);
    period->users = list->users;
    period->count = list->count;
    return err;
}

/* ---- wider periods ---- */

void sqlite_period_ask(struct sqlite_writer *writer, enum tier tier)
{
    struct closing_slice *slice = &writer->closing.slice;
    struct period_slice *period = &slice->period;
    const struct packing *packing = &writer->closed.packing;
    bool has_begun = packing->tier == tier;
    slice->kind = SLICE_PERIOD;
    period->tier = tier;
    period->bucket = writer->closed.day / (tier_width(tier) / WHEN_DAY);
    slice->from = period->bucket * (tier_width(tier) / WHEN_QUARTER);
    slice->until = slice->from + tier_width(tier) / WHEN_QUARTER;
    period->users = has_begun ? packing->listed.users : NULL;
    period->count = packing->listed.count;
    period->next = has_begun ? packing->next : 0;
}

enum err sqlite_period_read(struct closing_slice *slice, struct log_reading *reading, struct fault *fault)
{
    struct period_slice *period = &slice->period;
    enum err err = period->users ? OK : list_users(period, reading->db, fault);
    struct gathering to = {.entries = &slice->sums.entries};
    period->end = period->next;
    while (!err && period->end < period->count && to.read < slice->entries) {
        struct fold_key whole = {
            .tier = period->tier, .bucket = period->bucket, .user_id = period->users[period->end++]};
        err = add_period(&to, reading->db, &whole, fault);
    }
    return err;
}

enum err sqlite_period_write(struct sqlite_writer *writer, struct fault *fault)
{
    struct closing_slice *slice = &writer->closing.slice;
    struct period_slice *period = &slice->period;
    struct packing *packing = &writer->closed.packing;
    if (packing->tier != period->tier) {
        struct user_list before = packing->listed;
        packing->listed = period->listed;
        period->listed = before;
        packing->tier = period->tier;
        packing->bucket = period->bucket;
    }
    packing->next = period->end;
    return sqlite_sums_put(&writer->pack, &slice->sums, true, fault);
}
