/* users.c: adds up the logs of users in an hour or a day: some users at a time, and of these some quarters. Everyone's
 * sums are not made here. Knows which rollups of a period a user is in. Does not know why they are made. */
#include "store/sqlite/write/users.h"

#include "base/int64.h"
#include "store/sqlite/write/logs.h"
#include "time/when.h"

#include "base/banned.h"

static int64_t first_quarter(const struct user_walk *walk)
{
    return walk->bucket * (tier_width(walk->tier) / WHEN_QUARTER);
}

static int64_t end_quarter(const struct user_walk *walk)
{
    return (walk->bucket + 1) * (tier_width(walk->tier) / WHEN_QUARTER);
}

/* ---- logs ---- */

struct user_logs {
    struct sqlite_writer *writer;
    const struct user_walk *walk;
    int64_t count;
};

static enum err add_log(void *ctx, const struct stored_log *log)
{
    struct user_logs *logs = ctx;
    struct fold_key key = log->key;
    key.tier = logs->walk->tier;
    key.bucket = logs->walk->bucket;
    logs->count++;
    return sqlite_sums_add(logs->writer, &key, &log->totals);
}

/* The next one that has logs of anyone, or the end. */
static enum err next_quarter(struct sqlite_writer *writer, struct user_walk *walk, int64_t end, struct fault *fault)
{
    int64_t next = end;
    enum err err = sqlite_lookup(&writer->db, W_QUARTER_AFTER, walk->quarter, end, &next, fault);
    walk->quarter = min64(next, end);
    return err;
}

/* The walk's users, until `most` logs are read or the period ends. */
static enum err add_some(struct sqlite_writer *writer, struct user_walk *walk, int64_t most, struct fault *fault)
{
    struct user_logs logs = {writer, walk, 0};
    int64_t end = end_quarter(walk);
    bool is_fresh = walk->quarter == first_quarter(walk);
    fold_clear(&writer->traffic.sums);
    fold_clear(&writer->pack.entries);
    enum err err = OK;
    while (!err && walk->quarter < end && logs.count < most) {
        struct log_range range = {walk->quarter, 1, walk->user_from, walk->user_to};
        err = sqlite_each_log(writer, &range, add_log, &logs, fault);
        if (!err)
            err = next_quarter(writer, walk, end, fault);
    }
    if (!err)
        err = sqlite_traffic_put(&writer->traffic, fault);
    return err ? err : sqlite_pack(&writer->pack, is_fresh, fault);
}

/* ---- users ---- */

enum err sqlite_users_until(struct sqlite_writer *writer, int64_t first_quarter, int64_t quarters, int64_t from,
                            int64_t most, int64_t *ret_user, struct fault *fault)
{
    *ret_user = INT64_MAX;
    enum err err = OK;
    for (int64_t i = 0; !err && i < quarters; i++) {
        int64_t user = INT64_MAX;
        sqlite3_stmt *statement = sql_of(&writer->db, W_ROW_USER_AT);
        BIND_ALL(statement, first_quarter + i, most, from);
        err = db_step_i64(&writer->db, statement, "count raw logs", INT64_MAX, &user, fault);
        *ret_user = min64(*ret_user, user);
    }
    return err;
}

void sqlite_users_begin(struct sqlite_writer *writer, enum tier tier, int64_t bucket)
{
    writer->closed.walk = (struct user_walk){.is_active = true, .tier = tier, .bucket = bucket, .user_from = 1};
}

/* The users that follow; all of them count as theirs from now on. */
static enum err choose_users(struct sqlite_writer *writer, struct user_walk *walk, int64_t most, struct fault *fault)
{
    int64_t quarters = end_quarter(walk) - first_quarter(walk);
    walk->quarter = first_quarter(walk);
    return sqlite_users_until(writer, walk->quarter, quarters, walk->user_from, most / quarters, &walk->user_to, fault);
}

enum err sqlite_users_next(struct sqlite_writer *writer, struct fault *fault)
{
    struct user_walk *walk = &writer->closed.walk;
    int64_t most = sqlite_slice_logs(&writer->closed.packing);
    enum err err = walk->user_to ? OK : choose_users(writer, walk, most, fault);
    if (!err)
        err = add_some(writer, walk, most, fault);
    if (err || walk->quarter < end_quarter(walk))
        return err;
    walk->is_done = walk->user_to == INT64_MAX;
    walk->user_from = walk->is_done ? INT64_MAX : walk->user_to + 1;
    walk->user_to = 0;
    return OK;
}

enum err sqlite_users_redo(struct sqlite_writer *writer, int64_t day, int64_t user, struct fault *fault)
{
    struct user_walk walk = {.tier = TIER_DAY, .bucket = day, .user_from = user, .user_to = user};
    sqlite3_stmt *chunks = sql_of(&writer->db, W_CHUNKS_DROP_USER), *rows = sql_of(&writer->db, W_DAY_DROP_USER);
    walk.quarter = first_quarter(&walk);
    BIND_ALL(chunks, user, TIER_DAY, day);
    BIND_ALL(rows, user, day);
    enum err err = db_run(&writer->db, chunks, "make a rollup again", fault);
    if (!err)
        err = db_run(&writer->db, rows, "make a rollup again", fault);
    return err ? err : add_some(writer, &walk, INT64_MAX, fault);
}
