/* compact.c: moves logs from raw_log into log_part once all hours of their day are closed, and back again. Knows both tables. Leaves
 * the bytes to part/. */
#include "store/sqlite/write/compact.h"

#include "base/int64.h"
#include "store/sqlite/row.h"
#include "time/when.h"

#include <stdlib.h>

#include "base/banned.h"

#define QUARTERS_OF_DAY (WHEN_DAY / WHEN_QUARTER)

/* Until a part has as many, further logs of its user and day are put into it. */
#define FULL_PART_LOGS (PART_LOGS / 2)

#define MAX_PART_BYTES (1u << 20)

void sqlite_compact_init(struct writer_compact *compact)
{
    compact->done_until = -1;
    buf_init(&compact->bytes, MAX_PART_BYTES);
}

void sqlite_compact_release(struct writer_compact *compact)
{
    free(compact->logs);
    buf_release(&compact->bytes);
}

/* ---- rows ---- */

static enum err reserve(struct writer_compact *compact, size_t more, struct fault *fault)
{
    size_t needed = compact->count + more;
    if (needed <= compact->cap)
        return OK;
    struct part_log *logs = realloc(compact->logs, needed * 2 * sizeof *logs);
    if (!logs)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    compact->logs = logs;
    compact->cap = needed * 2;
    return OK;
}

/* The columns of W_ROWS_OF_USERS and W_RAW_ADD that are numbers, in the order of raw_log from `second` on. */
static const enum part_column columns[] = {
    PART_SECOND,   PART_PORT,   PART_PROTOCOL, PART_PEER,        PART_WORKER, PART_ERROR, PART_COUNT, PART_SENT,
    PART_RECEIVED, PART_ERRORS, PART_DURATION, PART_CONCURRENCY, PART_DOMAIN, PART_ORDER, PART_BATCH, PART_LINE};
#define NUMBERS ((int)(sizeof columns / sizeof *columns))

/* False where a row is damaged. */
static bool read_row(sqlite3_stmt *statement, int64_t quarter, struct part_log *ret_log)
{
    ret_log->user_id = sqlite3_column_int64(statement, 0);
    ret_log->numbers[PART_QUARTER] = quarter % QUARTERS_OF_DAY;
    bool is_sound = row_read_ip(statement, 1, &ret_log->ip_out) && row_read_ip(statement, 2, &ret_log->ip_from);
    for (int i = 0; is_sound && i < NUMBERS; i++) {
        int64_t number = sqlite3_column_int64(statement, 3 + i);
        ret_log->numbers[columns[i]] = number;
        is_sound = number >= 0 && number <= LIMIT_ID;
    }
    return is_sound;
}

static enum err read_quarter(struct sqlite_writer *writer, int64_t quarter, int64_t user, struct fault *fault)
{
    struct writer_compact *compact = &writer->compact;
    sqlite3_stmt *statement = sql_of(&writer->db, W_ROWS_OF_USERS);
    BIND_ALL(statement, quarter, user);
    bool row = false;
    enum err err = db_step(&writer->db, statement, "read raw logs", &row, fault);
    while (!err && row) {
        err = reserve(compact, 1, fault);
        if (!err && !read_row(statement, quarter, &compact->logs[compact->count]))
            err = fault_set(fault, ERR_UNAVAILABLE, "raw_log is damaged: quarter %lld", (long long)quarter);
        if (err)
            break;
        compact->count++;
        err = db_step(&writer->db, statement, "read raw logs", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

static enum err drop_rows(struct sqlite_writer *writer, int64_t quarter, int64_t user, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_ROWS_DROP);
    BIND_ALL(statement, quarter, user);
    return db_run(&writer->db, statement, "move logs into parts", fault);
}

/* ---- parts ---- */

static int in_time(const struct part_log *a, const struct part_log *b)
{
    static const enum part_column order[] = {PART_QUARTER, PART_SECOND, PART_BATCH, PART_LINE};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (a->numbers[order[i]] != b->numbers[order[i]])
            return compare64(a->numbers[order[i]], b->numbers[order[i]]);
    return 0;
}

static int by_user_and_time(const void *left, const void *right)
{
    const struct part_log *a = left, *b = right;
    return a->user_id != b->user_id ? compare64(a->user_id, b->user_id) : in_time(a, b);
}

static void sort_logs(struct writer_compact *compact)
{
    if (compact->count > 1)
        qsort(compact->logs, compact->count, sizeof *compact->logs, by_user_and_time);
}

static int64_t second_of_day(const struct part_log *log)
{
    return log->numbers[PART_QUARTER] * WHEN_QUARTER + log->numbers[PART_SECOND];
}

static enum err put_part(struct sqlite_writer *writer, int64_t day, struct part_log *logs, size_t count,
                         struct fault *fault)
{
    struct buf *bytes = &writer->compact.bytes;
    buf_clear(bytes);
    if (part_write(bytes, logs, count))
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    sqlite3_stmt *statement = sql_of(&writer->db, W_PART_ADD);
    BIND_ALL(statement, day, logs->user_id, second_of_day(logs), second_of_day(&logs[count - 1]), (int64_t)count);
    sqlite3_bind_blob(statement, 6, bytes->data, (int)bytes->len, SQLITE_STATIC);
    return db_run(&writer->db, statement, "store a part", fault);
}

/* One user's logs, in order of time. */
static enum err put_user(struct sqlite_writer *writer, int64_t day, struct part_log *logs, size_t count,
                         struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < count; i += PART_LOGS)
        err = put_part(writer, day, logs + i, count - i < PART_LOGS ? count - i : PART_LOGS, fault);
    return err;
}

static size_t run_of_user(const struct part_log *logs, size_t count)
{
    size_t n = 1;
    while (n < count && logs[n].user_id == logs[0].user_id)
        n++;
    return n;
}

static enum err put_logs(struct sqlite_writer *writer, int64_t day, struct fault *fault)
{
    struct writer_compact *compact = &writer->compact;
    sort_logs(compact);
    enum err err = OK;
    for (size_t i = 0, n; !err && i < compact->count; i += n) {
        n = run_of_user(&compact->logs[i], compact->count - i);
        err = put_user(writer, day, &compact->logs[i], n, fault);
    }
    return err;
}

/* Takes the logs of the statement's row, a part, into compact->logs. */
static enum err take_part(struct sqlite_writer *writer, sqlite3_stmt *statement, int64_t user_id, struct fault *fault)
{
    struct writer_compact *compact = &writer->compact;
    struct part *part = &writer->part;
    if (!part_open(part, sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1)))
        return fault_set(fault, ERR_UNAVAILABLE, "log_part is damaged: its row %lld",
                         (long long)sqlite3_column_int64(statement, 0));
    enum err err = reserve(compact, part->logs, fault);
    for (size_t i = 0; !err && i < part->logs; i++) {
        struct part_log *log = &compact->logs[compact->count++];
        part_log(part, i, log);
        log->user_id = user_id;
    }
    return err;
}

/* Takes a part with fewer logs than `most` out of the table; *ret_found when there is one. */
static enum err take_small_part(struct sqlite_writer *writer, int64_t day, int64_t user_id, int64_t most,
                                bool *ret_found, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_PART_OF_USER);
    BIND_ALL(statement, day, user_id, most);
    enum err err = db_step(&writer->db, statement, "look for a part", ret_found, fault);
    if (err || !*ret_found)
        return err;
    int64_t id = sqlite3_column_int64(statement, 0);
    err = take_part(writer, statement, user_id, fault);
    sqlite3_reset(statement);
    BIND_ALL(sql_of(&writer->db, W_PART_DROP), id);
    return err ? err : db_run(&writer->db, sql_of(&writer->db, W_PART_DROP), "replace a part", fault);
}

/* ---- a slice ---- */

/* One more part for each user that has a small one. */
static enum err take_small_parts(struct sqlite_writer *writer, int64_t day, struct fault *fault)
{
    struct writer_compact *compact = &writer->compact;
    size_t rows = compact->count;
    enum err err = OK;
    sort_logs(compact);
    for (size_t i = 0, n; !err && i < rows; i += n) {
        bool found = false;
        n = run_of_user(&compact->logs[i], rows - i);
        err = take_small_part(writer, day, compact->logs[i].user_id, FULL_PART_LOGS, &found, fault);
    }
    return err;
}

/* Up to which user a slice goes, so that no quarter of the day has many more than `most` rows of them; INT64_MAX: all. */
static enum err choose_users(struct sqlite_writer *writer, int64_t day, int64_t most, int64_t *ret_user,
                             struct fault *fault)
{
    *ret_user = INT64_MAX;
    enum err err = OK;
    for (int64_t i = 0; !err && i < QUARTERS_OF_DAY; i++) {
        int64_t user = INT64_MAX;
        sqlite3_stmt *statement = sql_of(&writer->db, W_ROW_USER_AT);
        BIND_ALL(statement, day * QUARTERS_OF_DAY + i, most);
        err = db_step_i64(&writer->db, statement, "count raw logs", INT64_MAX, &user, fault);
        *ret_user = min64(*ret_user, user);
    }
    return err;
}

/* Moves the rows of the first users, or if they have too many the first of these. */
static enum err move_some(struct sqlite_writer *writer, int64_t day, struct fault *fault)
{
    struct writer_compact *compact = &writer->compact;
    int64_t user = 0, most = sqlite_slice_logs(&writer->closed.packing);
    compact->count = 0;
    enum err err = choose_users(writer, day, most / QUARTERS_OF_DAY, &user, fault);
    for (int64_t i = 0; !err && i < QUARTERS_OF_DAY && (int64_t)compact->count < most; i++) {
        size_t before = compact->count;
        err = read_quarter(writer, day * QUARTERS_OF_DAY + i, user, fault);
        if (!err && compact->count > before)
            err = drop_rows(writer, day * QUARTERS_OF_DAY + i, user, fault);
    }
    if (!err)
        err = take_small_parts(writer, day, fault);
    return err ? err : put_logs(writer, day, fault);
}

/* Days before it have closed hours alone. */
static int64_t day_limit(const struct sqlite_writer *writer)
{
    return max64(writer->closed.day, writer->closed.hour / 24);
}

/* The first of these days that has rows; INT64_MAX: none. */
static enum err find_day(struct sqlite_writer *writer, int64_t *ret_day, struct fault *fault)
{
    int64_t quarter = INT64_MAX, from = writer->closed.horizons.raw_from * QUARTERS_OF_DAY;
    enum err err = sqlite_lookup(&writer->db, W_ROW_AFTER, from - 1, INT64_MAX, &quarter, fault);
    *ret_day = quarter / QUARTERS_OF_DAY < day_limit(writer) ? quarter / QUARTERS_OF_DAY : INT64_MAX;
    return err;
}

enum err sqlite_compact_next(struct sqlite_writer *writer, int64_t now, bool *ret_more, struct fault *fault)
{
    int64_t day = 0;
    *ret_more = false;
    if (writer->compact.done_until == day_limit(writer) || now < writer->closed.since)
        return OK;
    enum err err = find_day(writer, &day, fault);
    if (err)
        return err;
    if (day == INT64_MAX) {
        writer->compact.done_until = day_limit(writer);
        writer->pruning.pending |= writer->compact.has_moved; /* gives back free pages */
        writer->compact.has_moved = false;
        return OK;
    }
    *ret_more = writer->compact.has_moved = true;
    err = db_begin(&writer->db, fault);
    if (!err)
        err = move_some(writer, day, fault);
    return err ? err : db_commit(&writer->db, fault); /* sqlite_maintain rolls it back */
}

/* ---- back ---- */

static enum err put_row(struct sqlite_writer *writer, int64_t day, const struct part_log *log, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_ROW_ADD_AGAIN);
    BIND_ALL(statement, day * QUARTERS_OF_DAY + log->numbers[PART_QUARTER], log->user_id);
    sqlite3_bind_blob(statement, 3, log->ip_out.bytes, log->ip_out.len, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 4, log->ip_from.bytes, log->ip_from.len, SQLITE_STATIC);
    for (int i = 0; i < NUMBERS; i++)
        sqlite3_bind_int64(statement, 5 + i, log->numbers[columns[i]]);
    return db_run(&writer->db, statement, "make rows of a part", fault);
}

enum err sqlite_uncompact(struct sqlite_writer *writer, int64_t day, int64_t user_id, struct fault *fault)
{
    bool found = true;
    enum err err = OK;
    while (!err && found) {
        writer->compact.count = 0;
        err = take_small_part(writer, day, user_id, PART_LOGS + 1, &found, fault);
        for (size_t i = 0; !err && i < writer->compact.count; i++)
            err = put_row(writer, day, &writer->compact.logs[i], fault);
    }
    writer->compact.done_until = -1;
    return err;
}
