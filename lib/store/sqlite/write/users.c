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

void sqlite_users_begin(struct sqlite_writer *writer, enum tier tier, int64_t bucket)
{
    writer->closed.walk = (struct user_walk){.is_active = true, .tier = tier, .bucket = bucket, .user_from = 1};
}

void sqlite_users_ask(struct sqlite_writer *writer)
{
    struct closing_slice *slice = &writer->closing.slice;
    slice->kind = SLICE_USERS;
    slice->walk = writer->closed.walk;
    slice->from = first_quarter(&slice->walk);
    slice->until = end_quarter(&slice->walk);
}

/* ---- reading ---- */

static enum err add_log(void *ctx, const struct stored_log *log)
{
    struct closing_slice *slice = ctx;
    struct fold_key key = log->key;
    key.tier = slice->walk.tier;
    key.bucket = slice->walk.bucket;
    return sqlite_sums_add(&slice->sums, &key, &log->totals);
}

/* The walk's users, in a slice of quarters. */
static enum err add_some(struct closing_slice *slice, struct log_reading *reading, struct fault *fault)
{
    struct user_walk *walk = &slice->walk;
    struct log_range range = {walk->quarter, min64(walk->quarters, end_quarter(walk) - walk->quarter), walk->user_from,
                              walk->user_to};
    walk->quarter += range.quarters;
    return sqlite_each_log(reading, &range, add_log, slice, fault);
}

/* As many users of the day from walk->user_from on as have `most` logs together, at least one; *ret_logs is how many
 * these have. */
static enum err count_users(struct db *db, struct user_walk *walk, int64_t most, int64_t *ret_logs, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(db, W_PARTS_FROM);
    BIND_ALL(statement, first_quarter(walk) * WHEN_QUARTER / WHEN_DAY, walk->user_from);
    int64_t user = 0, logs = 0;
    bool row = true;
    enum err err = db_step(db, statement, "list users", &row, fault);
    while (!err && row) {
        int64_t next = sqlite3_column_int64(statement, 0), more = sqlite3_column_int64(statement, 1);
        if (user && next != user) {
            *ret_logs = logs;
            walk->user_to = user;
        }
        if (walk->user_to && logs + more > most)
            break;
        user = next;
        logs += more;
        err = db_step(db, statement, "list users", &row, fault);
    }
    sqlite3_reset(statement);
    if (err || row)
        return err;
    *ret_logs = logs;
    walk->user_to = INT64_MAX;
    return OK;
}

/* The users that follow; all of them count as theirs from now on. One with too many logs is a slice's alone, some
 * quarters at a time. */
static enum err choose_users(struct closing_slice *slice, struct db *db, struct fault *fault)
{
    struct user_walk *walk = &slice->walk;
    int64_t quarters = end_quarter(walk) - first_quarter(walk), logs = 0;
    int64_t most = slice->most * WHEN_QUARTERS_OF_DAY / quarters;
    enum err err = count_users(db, walk, most, &logs, fault);
    walk->quarter = first_quarter(walk);
    walk->quarters = logs <= most ? quarters : max64(1, quarters * most / logs);
    return err;
}

enum err sqlite_users_read(struct closing_slice *slice, struct log_reading *reading, struct fault *fault)
{
    enum err err = slice->walk.user_to ? OK : choose_users(slice, reading->db, fault);
    return err ? err : add_some(slice, reading, fault);
}

/* ---- writing ---- */

enum err sqlite_users_write(struct sqlite_writer *writer, struct fault *fault)
{
    struct closing_slice *slice = &writer->closing.slice;
    struct user_walk *walk = &writer->closed.walk;
    bool is_fresh = walk->user_to == 0; /* the first slice of these users */
    *walk = slice->walk;
    if (walk->quarter == end_quarter(walk)) {
        walk->is_done = walk->user_to == INT64_MAX;
        walk->user_from = walk->is_done ? INT64_MAX : walk->user_to + 1;
        walk->user_to = 0;
    }
    return sqlite_sums_put(&writer->pack, &slice->sums, is_fresh, fault);
}

/* ---- again ---- */

enum err sqlite_users_redo(struct sqlite_writer *writer, int64_t day, int64_t user, struct fault *fault)
{
    struct closing_slice *slice = &writer->closing.slice;
    struct user_walk *walk = &slice->walk;
    sqlite3_stmt *chunks = sql_of(&writer->db, W_CHUNKS_DROP_USER), *rows = sql_of(&writer->db, W_DAY_DROP_USER);
    *walk = (struct user_walk){.tier = TIER_DAY, .bucket = day, .user_from = user, .user_to = user};
    walk->quarter = first_quarter(walk);
    walk->quarters = end_quarter(walk) - walk->quarter;
    sqlite_sums_clear(&slice->sums);
    BIND_ALL(chunks, user, TIER_DAY, day);
    BIND_ALL(rows, user, day);
    enum err err = db_run(&writer->db, chunks, "make a rollup again", fault);
    if (!err)
        err = db_run(&writer->db, rows, "make a rollup again", fault);
    if (!err)
        err = add_some(slice, &writer->reading, fault);
    return err ? err : sqlite_sums_put(&writer->pack, &slice->sums, true, fault);
}
