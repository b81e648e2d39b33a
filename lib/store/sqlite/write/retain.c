/* retain.c: retention. First what is kept longer than logs is made of them; then a horizon moves, in one transaction,
 * and from then on nobody reads what lies before it. Then those rows are deleted and their pages given back, a slice at
 * a time. Knows horizons and tables. Does not know what the rows mean. */
#include "store/sqlite/write/retain.h"

#include "base/int64.h"
#include "store/sqlite/write/kinds.h"
#include "store/sqlite/write/users.h"
#include "time/when.h"

#include <stdio.h>

#include "base/banned.h"

/* A slice of deleting takes one row for so many entries of a slice of packing. Moving a page costs as much as many
 * rows. docs/bench/studies.md has the figures. */
#define ENTRIES_PER_ROW 50
#define ENTRIES_PER_PAGE 1000

/* Deleting a part of many logs frees ten pages. */
#define ROWS_PER_PART 32

/* (user, order) pairs that one slice may look at. */
#define SLICE_PAIRS 500

/* One page in so many may stay free in the file: new rows use them. */
#define FREE_SHARE 8

/* ---- what is wanted ---- */

void sqlite_set_retention(struct sqlite_writer *writer, const struct store_retention *retention)
{
    writer->pruning.retention = *retention;
    sqlite_forget_user_hours(&writer->closed);
}

void sqlite_retain_from(struct sqlite_writer *writer, int64_t day)
{
    writer->pruning.before = day;
    sqlite_forget_user_hours(&writer->closed);
    writer->pruning.give_back_all = writer->pruning.pending = true;
}

bool sqlite_retain_is_busy(const struct sqlite_writer *writer)
{
    return writer->pruning.pending && !writer->pruning.give_back_all;
}

/* ---- horizons ---- */

enum err sqlite_retain_today(struct sqlite_writer *writer, int64_t now, int64_t *ret_day, struct fault *fault)
{
    int64_t newest = -1;
    enum err err = sqlite_lookup(&writer->db, W_NEWEST_QUARTER, 0, -1, &newest, fault);
    if (!err)
        *ret_day = newest < 0 ? -1 : min64(newest * WHEN_QUARTER, now) / WHEN_DAY;
    return err;
}

/* The day where a horizon should be: never before its place, never after `most`. */
static int64_t due_from(const struct writer_pruning *pruning, int64_t today, int64_t days, int64_t most, int64_t from)
{
    int64_t due = days ? today - days : 0;
    return max64(min64(max64(due, pruning->before), most), from);
}

static struct horizons due_horizons(const struct sqlite_writer *writer, int64_t today)
{
    const struct writer_pruning *pruning = &writer->pruning;
    const struct store_retention *keep = &pruning->retention;
    struct horizons due = writer->closed.horizons;
    due.raw_from = due_from(pruning, today, keep->raw_days, writer->closed.day, due.raw_from);
    due.hour_from = due_from(pruning, today, keep->hour_days, due.raw_from, due.hour_from);
    due.day_from = due_from(pruning, today, keep->day_days, due.hour_from, due.day_from);
    return due;
}

/* Readers that keep sums of closed hours must forget those too. */
static enum err move_horizons(struct sqlite_writer *writer, const struct horizons *to, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_HORIZON);
    BIND_ALL(statement, to->raw_from, to->hour_from, to->day_from);
    enum err err = db_begin(&writer->db, fault);
    if (!err)
        err = db_run(&writer->db, statement, "move a horizon", fault);
    if (!err && sqlite3_changes(writer->db.handle) != 1) /* nothing may go that readers would still look for */
        err = fault_set(fault, ERR_UNAVAILABLE, "the table retention is damaged: its row is missing");
    if (!err)
        err = db_run(&writer->db, sql_of(&writer->db, W_NOTE_CHANGE), "note a change of closed hours", fault);
    if (!err)
        err = db_commit(&writer->db, fault);
    if (err)
        return err; /* sqlite_maintain rolls it back */
    writer->closed.horizons = *to;
    sqlite_forget_user_hours(&writer->closed);
    writer->pruning.pending = true;
    writer->pruning.vacuuming = false;
    writer->pruning.user = writer->pruning.order = -1;
    return OK;
}

/* ---- what takes the place of logs ---- */

static enum err run_at(struct sqlite_writer *writer, enum writer_statement which, int64_t bucket, struct fault *fault)
{
    BIND_ALL(sql_of(&writer->db, which), bucket);
    return db_run(&writer->db, sql_of(&writer->db, which), "delete sums", fault);
}

/* What an interruption, or an older version, has left of users' sums in this hour. */
static enum err drop_user_hour(struct sqlite_writer *writer, int64_t hour, struct fault *fault)
{
    enum err err = run_at(writer, W_USER_HOURS_DROP, hour, fault);
    return err ? err : run_at(writer, W_USER_CHUNKS_DROP, hour, fault);
}

/* The next hour that has logs, before `end`. */
static enum err begin_user_hour(struct sqlite_writer *writer, int64_t end, struct fault *fault)
{
    struct writer_closed *closed = &writer->closed;
    int64_t hour = end;
    enum err err = sqlite_lookup(&writer->db, W_NEXT_HOUR, closed->user_hour, end, &hour, fault);
    closed->user_hour = min64(hour, end);
    if (err || closed->user_hour == end)
        return err;
    sqlite_users_begin(writer, TIER_HOUR, closed->user_hour);
    return drop_user_hour(writer, closed->user_hour, fault);
}

/* A slice of its users, read and written at once. */
static enum err make_some(struct sqlite_writer *writer, struct fault *fault)
{
    sqlite_users_ask(writer);
    enum err err = sqlite_slice_read(&writer->closing.slice, &writer->reading, fault);
    return err ? err : sqlite_slice_write(writer, fault);
}

/* Some of an hour before `end`. */
static enum err make_user_hour(struct sqlite_writer *writer, int64_t end, struct fault *fault)
{
    struct writer_closed *closed = &writer->closed;
    enum err err = closed->walk.is_active ? OK : begin_user_hour(writer, end, fault);
    if (!err && closed->walk.is_active)
        err = make_some(writer, fault);
    if (err || !closed->walk.is_active || !closed->walk.is_done)
        return err;
    closed->walk.is_active = false;
    closed->user_hour++;
    return OK;
}

/* Users' hours are made when their logs are about to go: until then these tell the same, and take less room. In a
 * transaction of its own; readers look at none of it before the horizon moves. */
static enum err make_user_hours(struct sqlite_writer *writer, int64_t end, struct fault *fault)
{
    enum err err = db_begin(&writer->db, fault);
    if (!err)
        err = make_user_hour(writer, end, fault);
    if (!err)
        err = db_commit(&writer->db, fault);
    if (!err)
        return OK;
    sqlite_forget_user_hours(&writer->closed);
    return err; /* sqlite_maintain rolls it back */
}

/* Does the horizon of logs wait for users' hours that are to be kept longer? */
static bool lacks_user_hours(struct writer_closed *closed, const struct horizons *due)
{
    if (due->raw_from == closed->horizons.raw_from || due->hour_from >= due->raw_from)
        return false;
    closed->user_hour = max64(closed->user_hour, due->hour_from * 24);
    return closed->user_hour < due->raw_from * 24;
}

/* ---- rows ---- */

/* Table after table, as care/prune.c names them. */
enum { RAW, PARTS, QUARTERS, HOURS, DAYS, CHUNKS, BATCHES, VALUES };

static int64_t slice_rows(const struct sqlite_writer *writer)
{
    return max64(1, (int64_t)writer->closed.packing.slice_entries / ENTRIES_PER_ROW);
}

/* Some rows of one table; *ret_rows is 0 when none are left. */
static enum err prune_table(struct sqlite_writer *writer, int table, enum writer_statement which, int64_t before,
                            int64_t tier, int64_t *ret_rows, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, which);
    BIND_ALL(statement, before, slice_rows(writer));
    if (sqlite3_bind_parameter_count(statement) > 2)
        sqlite3_bind_int64(statement, 3, tier);
    enum err err = db_run(&writer->db, statement, "delete what is no longer kept", fault);
    if (err)
        return err;
    *ret_rows = sqlite3_changes(writer->db.handle);
    writer->pruning.rows[table] += *ret_rows;
    return OK;
}

static enum err count_logs(struct sqlite_writer *writer, int64_t logs, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_GONE);
    BIND_ALL(statement, logs, 0, 0, 0, 0, 0);
    return db_run(&writer->db, statement, "count deleted logs", fault);
}

static enum err prune_raw(struct sqlite_writer *writer, int64_t *ret_rows, struct fault *fault)
{
    int64_t before = writer->closed.horizons.raw_from * WHEN_QUARTERS_OF_DAY;
    enum err err = prune_table(writer, RAW, W_RAW_PRUNE, before, 0, ret_rows, fault);
    return err || *ret_rows == 0 ? err : count_logs(writer, *ret_rows, fault);
}

/* The same for logs in parts: a part has as many as thousands of rows. */
static enum err prune_parts(struct sqlite_writer *writer, int64_t *ret_rows, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_PARTS_PRUNE);
    BIND_ALL(statement, writer->closed.horizons.raw_from, max64(1, slice_rows(writer) / ROWS_PER_PART));
    int64_t logs = 0;
    *ret_rows = 0;
    bool row = true;
    enum err err = db_step(&writer->db, statement, "delete what is no longer kept", &row, fault);
    while (!err && row) {
        ++*ret_rows;
        logs += sqlite3_column_int64(statement, 0);
        err = db_step(&writer->db, statement, "delete what is no longer kept", &row, fault);
    }
    writer->pruning.rows[PARTS] += *ret_rows;
    sqlite3_reset(statement);
    return err || *ret_rows == 0 ? err : count_logs(writer, logs, fault);
}

/* Deletes the oldest batches, but never the newest one: the next id follows from it. A few may be left until the next
 * time: where the clock is far behind the logs, each new batch is old at once. */
static enum err prune_batches(struct sqlite_writer *writer, int64_t *ret_rows, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_BATCH_FROM);
    BIND_ALL(statement, writer->closed.horizons.raw_from * WHEN_DAY, slice_rows(writer) + 1);
    int64_t from = 0;
    enum err err = db_step_i64(&writer->db, statement, "find old batches", 0, &from, fault);
    if (err)
        return err;
    sqlite3_bind_int64(sql_of(&writer->db, W_BATCH_PRUNE), 1, from);
    sqlite3_bind_int64(sql_of(&writer->db, W_BATCH_GONE), 1, from);
    err = db_run(&writer->db, sql_of(&writer->db, W_BATCH_GONE), "count deleted batches", fault);
    if (!err)
        err = db_run(&writer->db, sql_of(&writer->db, W_BATCH_PRUNE), "delete old batches", fault);
    if (err)
        return err;
    int64_t rows = sqlite3_changes(writer->db.handle);
    writer->pruning.rows[BATCHES] += rows;
    *ret_rows = rows < slice_rows(writer) ? 0 : rows;
    return OK;
}

static enum err prune_quarters(struct sqlite_writer *writer, int64_t *ret_rows, struct fault *fault)
{
    return prune_table(writer, QUARTERS, W_QUARTER_PRUNE, writer->closed.horizons.hour_from * WHEN_QUARTERS_OF_DAY, 0,
                       ret_rows, fault);
}

static enum err prune_hours(struct sqlite_writer *writer, int64_t *ret_rows, struct fault *fault)
{
    return prune_table(writer, HOURS, W_HOUR_PRUNE, writer->closed.horizons.hour_from * 24, 0, ret_rows, fault);
}

/* Users' hours that a version before this one has made: their logs tell the same. An hour at a time. */
static enum err prune_user_hours(struct sqlite_writer *writer, int64_t *ret_rows, struct fault *fault)
{
    int64_t hour = -1;
    *ret_rows = 0;
    if (!writer->pruning.has_user_hours)
        return OK;
    enum err err = sqlite_lookup(&writer->db, W_USER_HOUR_NEXT, 0, -1, &hour, fault);
    writer->pruning.has_user_hours = hour >= 0;
    if (err)
        return err;
    sqlite3_stmt *statement = sql_of(&writer->db, W_USER_HOURS_SWEPT);
    BIND_ALL(statement, hour < 0 ? INT64_MAX : hour + 1);
    *ret_rows = hour >= 0;
    if (hour >= 0)
        err = drop_user_hour(writer, hour, fault);
    return err ? err : db_run(&writer->db, statement, "note what is deleted", fault);
}

/* Tier after tier. A period that begins before the horizon goes, whenever it ends. */
static enum err prune_chunks(struct sqlite_writer *writer, int64_t *ret_rows, struct fault *fault)
{
    enum err err = OK;
    *ret_rows = 0;
    for (int tier = TIER_HOUR; !err && *ret_rows == 0 && tier < TIER_COUNT; tier++) {
        int64_t width = tier_width((enum tier)tier);
        int64_t from = tier == TIER_HOUR ? writer->closed.horizons.hour_from : writer->closed.horizons.day_from;
        err = prune_table(writer, CHUNKS, W_CHUNK_PRUNE, when_ceil(from * WHEN_DAY, width) / width, tier, ret_rows,
                          fault);
    }
    return err;
}

/* The next (user, order) pair; *ret_row is false after the last. */
static enum err next_pair(struct sqlite_writer *writer, bool *ret_row, struct fault *fault)
{
    struct writer_pruning *pruning = &writer->pruning;
    sqlite3_stmt *statement = sql_of(&writer->db, W_DAY_NEXT);
    BIND_ALL(statement, pruning->user, pruning->order);
    enum err err = db_step(&writer->db, statement, "look for old days", ret_row, fault);
    if (err || !*ret_row)
        return err;
    pruning->user = sqlite3_column_int64(statement, 0);
    pruning->order = sqlite3_column_int64(statement, 1);
    sqlite3_reset(statement);
    return OK;
}

static enum err prune_pair(struct sqlite_writer *writer, int64_t *rows, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_DAY_PRUNE);
    BIND_ALL(statement, writer->pruning.user, writer->pruning.order, writer->closed.horizons.day_from);
    enum err err = db_run(&writer->db, statement, "delete old days", fault);
    if (!err)
        *rows += sqlite3_changes(writer->db.handle);
    return err;
}

/* The day comes last in the key of traffic_day, so every pair is looked at. *ret_rows is 0 only after the last pair. */
static enum err prune_days(struct sqlite_writer *writer, int64_t *ret_rows, struct fault *fault)
{
    *ret_rows = 0;
    if (writer->pruning.swept >= writer->closed.horizons.day_from)
        return OK;
    bool row = true;
    enum err err = OK;
    for (int pairs = 0; !err && row && pairs < SLICE_PAIRS && *ret_rows < slice_rows(writer); pairs++) {
        err = next_pair(writer, &row, fault);
        if (!err && row)
            err = prune_pair(writer, ret_rows, fault);
    }
    writer->pruning.rows[DAYS] += *ret_rows;
    *ret_rows += row;
    if (err || row)
        return err;
    writer->pruning.swept = writer->closed.horizons.day_from;
    writer->pruning.user = writer->pruning.order = -1;
    sqlite3_stmt *statement = sql_of(&writer->db, W_DAYS_SWEPT);
    BIND_ALL(statement, writer->closed.horizons.day_from);
    return db_run(&writer->db, statement, "note that old days are deleted", fault);
}

/* The day comes behind the dimension. */
static enum err prune_values(struct sqlite_writer *writer, int64_t *ret_rows, struct fault *fault)
{
    int64_t before = writer->closed.horizons.day_from;
    enum err err = OK;
    *ret_rows = 0;
    for (int dimension = 1; !err && *ret_rows == 0 && dimension <= VALUE_DIMENSIONS; dimension++)
        err = prune_table(writer, VALUES, W_VALUES_PRUNE, before, dimension, ret_rows, fault);
    if (err || *ret_rows)
        return err;
    BIND_ALL(sql_of(&writer->db, W_GAPS_PRUNE), before);
    return db_run(&writer->db, sql_of(&writer->db, W_GAPS_PRUNE), "delete what is no longer kept", fault);
}

/* ---- pages ---- */

/* How many free pages are to be given back now. Pages from the end of the file move into their place. */
static enum err spare_pages(struct sqlite_writer *writer, int64_t *ret_pages, struct fault *fault)
{
    int64_t free_pages = 0, pages = 0;
    enum err err = sqlite_lookup(&writer->db, W_FREE_PAGES, 0, 0, &free_pages, fault);
    if (!err)
        err = sqlite_lookup(&writer->db, W_PAGES, 0, 0, &pages, fault);
    int64_t spare = free_pages - (writer->pruning.give_back_all ? 0 : pages / FREE_SHARE);
    if (!err)
        *ret_pages = writer->pruning.gives_back ? max64(0, spare) : 0;
    return err;
}

static enum err give_back(struct sqlite_writer *writer, int64_t *ret_rows, struct fault *fault)
{
    int64_t spare = 0, most = max64(1, (int64_t)writer->closed.packing.slice_entries / ENTRIES_PER_PAGE);
    enum err err = spare_pages(writer, &spare, fault);
    *ret_rows = 0;
    if (err || spare == 0)
        return err;
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%lld)", (long long)min64(spare, most));
    *ret_rows = 1;
    return db_exec(&writer->db, sql, fault);
}

/* ---- a slice ---- */

/* Some rows of one table. Once no rows are left, some pages: rows do not come again before a horizon. */
static enum err prune_some(struct sqlite_writer *writer, struct fault *fault)
{
    static enum err (*const works[])(struct sqlite_writer *, int64_t *, struct fault *) = {
        prune_raw,    prune_parts,      prune_batches, prune_quarters, prune_hours,
        prune_chunks, prune_user_hours, prune_days,    prune_values,   give_back,
    };
    struct writer_pruning *pruning = &writer->pruning;
    int64_t rows = 0;
    size_t count = sizeof works / sizeof *works, i = pruning->vacuuming ? count - 1 : 0;
    enum err err = OK;
    for (; !err && rows == 0 && i < count; i++)
        err = works[i](writer, &rows, fault);
    if (err)
        return err;
    pruning->vacuuming = rows && i == count;
    pruning->pending = rows > 0;
    return OK;
}

static enum err run_slice(struct sqlite_writer *writer, struct fault *fault)
{
    struct writer_pruning before = writer->pruning;
    enum err err = db_begin(&writer->db, fault);
    if (!err)
        err = prune_some(writer, fault);
    if (!err)
        err = db_commit(&writer->db, fault);
    if (err)
        writer->pruning = before;
    return err;
}

enum err sqlite_retain_next(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault)
{
    struct writer_pruning *pruning = &writer->pruning;
    bool wanted = pruning->retention.raw_days || pruning->before;
    *ret_more = false;
    if ((!wanted && !pruning->pending) || now < writer->closed.since)
        return OK;
    int64_t today = -1;
    enum err err = wanted ? sqlite_retain_today(writer, now, &today, fault) : OK;
    if (err)
        return err;
    struct horizons due = today < 0 ? writer->closed.horizons : due_horizons(writer, today);
    *ret_more = true;
    if (due.raw_from != writer->closed.horizons.raw_from || due.hour_from != writer->closed.horizons.hour_from ||
        due.day_from != writer->closed.horizons.day_from)
        return lacks_user_hours(&writer->closed, &due) ? make_user_hours(writer, due.raw_from * 24, fault)
                                                       : move_horizons(writer, &due, fault);
    *ret_more = pruning->pending;
    if (!pruning->pending)
        return OK;
    err = run_slice(writer, fault);
    *ret_more = !err && pruning->pending;
    return err;
}
