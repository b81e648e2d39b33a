/* compact.c: moves logs from raw_log into log_part once all hours of their day are closed, and back again. Knows both
 * tables. Leaves the bytes to part/. */
#include "store/sqlite/write/compact.h"

#include "base/int64.h"
#include "store/sqlite/row.h"
#include "time/when.h"

#include <stdlib.h>

#include "base/banned.h"

/* Until a part has as many, further logs of its user and day are put into it. */
#define FULL_PART_LOGS (PART_LOGS / 2)

#define MAX_BYTES (64u << 20) /* of a slice's parts */

void sqlite_parts_init(struct parts_slice *parts)
{
    buf_init(&parts->bytes, MAX_BYTES);
}

void sqlite_parts_release(struct parts_slice *parts)
{
    free(parts->logs);
    free(parts->small);
    free(parts->parts);
    buf_release(&parts->bytes);
}

/* The array with room for as many, perhaps elsewhere; NULL when out of memory. */
static void *room_for(void *array, size_t count, size_t size, size_t *cap)
{
    if (count <= *cap)
        return array;
    void *larger = realloc(array, count * 2 * size);
    if (larger)
        *cap = count * 2;
    return larger;
}

static enum err reserve_logs(struct parts_slice *parts, size_t more, struct fault *fault)
{
    struct part_log *logs = room_for(parts->logs, parts->count + more, sizeof *logs, &parts->cap);
    if (!logs)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    parts->logs = logs;
    return OK;
}

/* ---- rows ---- */

/* The columns of W_ROWS_OF_USERS and W_RAW_ADD that are numbers, in the order of raw_log from `second` on. */
static const enum part_column columns[] = {
    PART_SECOND,   PART_PORT,   PART_PROTOCOL, PART_PEER,        PART_WORKER, PART_ERROR, PART_COUNT, PART_SENT,
    PART_RECEIVED, PART_ERRORS, PART_DURATION, PART_CONCURRENCY, PART_DOMAIN, PART_ORDER, PART_BATCH, PART_LINE};
#define NUMBERS ((int)(sizeof columns / sizeof *columns))

/* False where a row is damaged. */
static bool read_row(sqlite3_stmt *statement, int64_t quarter, struct part_log *ret_log)
{
    ret_log->user_id = sqlite3_column_int64(statement, 0);
    ret_log->numbers[PART_QUARTER] = quarter % WHEN_QUARTERS_OF_DAY;
    bool is_sound = row_read_ip(statement, 1, &ret_log->ip_out) && row_read_ip(statement, 2, &ret_log->ip_from);
    for (int i = 0; is_sound && i < NUMBERS; i++) {
        int64_t number = sqlite3_column_int64(statement, 3 + i);
        ret_log->numbers[columns[i]] = number;
        is_sound = number >= 0 && number <= LIMIT_ID;
    }
    return is_sound;
}

static enum err read_quarter(struct parts_slice *parts, struct db *db, int64_t quarter, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(db, W_ROWS_OF_USERS);
    int64_t *rows = &parts->rows[quarter % WHEN_QUARTERS_OF_DAY];
    BIND_ALL(statement, quarter, parts->user);
    bool row = false;
    enum err err = db_step(db, statement, "read raw logs", &row, fault);
    for (; !err && row; (*rows)++) {
        err = reserve_logs(parts, 1, fault);
        if (!err && !read_row(statement, quarter, &parts->logs[parts->count]))
            err = fault_set(fault, ERR_UNAVAILABLE, "raw_log is damaged: quarter %lld", (long long)quarter);
        if (err)
            break;
        parts->count++;
        err = db_step(db, statement, "read raw logs", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* Up to which user a slice goes, so that no quarter of the day has many more than `most` rows of them; INT64_MAX: all.
 */
static enum err choose_users(struct parts_slice *parts, struct db *db, int64_t most, struct fault *fault)
{
    parts->user = INT64_MAX;
    enum err err = OK;
    for (int64_t i = 0; !err && i < WHEN_QUARTERS_OF_DAY; i++) {
        int64_t user = INT64_MAX;
        sqlite3_stmt *statement = sql_of(db, W_ROW_USER_AT);
        BIND_ALL(statement, parts->day * WHEN_QUARTERS_OF_DAY + i, most);
        err = db_step_i64(db, statement, "count raw logs", INT64_MAX, &user, fault);
        parts->user = min64(parts->user, user);
    }
    return err;
}

/* Those of the first users, or if they have too many the first of these. */
static enum err read_rows(struct parts_slice *parts, struct db *db, int64_t most, struct fault *fault)
{
    enum err err = choose_users(parts, db, most / WHEN_QUARTERS_OF_DAY, fault);
    for (int64_t i = 0; i < WHEN_QUARTERS_OF_DAY; i++) {
        parts->rows[i] = 0;
        if (!err && (int64_t)parts->count < most)
            err = read_quarter(parts, db, parts->day * WHEN_QUARTERS_OF_DAY + i, fault);
    }
    return err;
}

/* ---- small parts ---- */

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

static void sort_logs(struct parts_slice *parts)
{
    if (parts->count > 1)
        qsort(parts->logs, parts->count, sizeof *parts->logs, by_user_and_time);
}

static size_t run_of_user(const struct part_log *logs, size_t count)
{
    size_t n = 1;
    while (n < count && logs[n].user_id == logs[0].user_id)
        n++;
    return n;
}

/* Takes the logs of the statement's row, a part. */
static enum err take_part(struct parts_slice *parts, struct part *part, sqlite3_stmt *statement, int64_t user_id,
                          struct fault *fault)
{
    int64_t id = sqlite3_column_int64(statement, 0);
    if (!part_open(part, sqlite3_column_blob(statement, 1), (size_t)sqlite3_column_bytes(statement, 1)))
        return fault_set(fault, ERR_UNAVAILABLE, "log_part is damaged: its row %lld", (long long)id);
    int64_t *small = room_for(parts->small, parts->small_count + 1, sizeof *small, &parts->small_cap);
    if (!small)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    parts->small = small;
    parts->small[parts->small_count++] = id;
    enum err err = reserve_logs(parts, part->logs, fault);
    if (err)
        return err;
    for (size_t i = 0; i < part->logs; i++) {
        struct part_log *log = &parts->logs[parts->count++];
        part_log(part, i, log);
        log->user_id = user_id;
    }
    return OK;
}

/* A part with fewer logs than `most`; *ret_found when there is one. */
static enum err take_small_part(struct parts_slice *parts, struct log_reading *reading, int64_t user_id, int64_t most,
                                bool *ret_found, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(reading->db, W_PART_OF_USER);
    BIND_ALL(statement, parts->day, user_id, most);
    enum err err = db_step(reading->db, statement, "look for a part", ret_found, fault);
    if (err || !*ret_found)
        return err;
    err = take_part(parts, &reading->part, statement, user_id, fault);
    sqlite3_reset(statement);
    return err;
}

/* One for each user that has one. The logs are sorted, as they were read. */
static enum err take_small_parts(struct parts_slice *parts, struct log_reading *reading, struct fault *fault)
{
    size_t rows = parts->count;
    enum err err = OK;
    for (size_t i = 0, n; !err && i < rows; i += n) {
        bool found = false;
        n = run_of_user(&parts->logs[i], rows - i);
        err = take_small_part(parts, reading, parts->logs[i].user_id, FULL_PART_LOGS, &found, fault);
    }
    return err;
}

/* ---- new parts ---- */

static int64_t second_of_day(const struct part_log *log)
{
    return log->numbers[PART_QUARTER] * WHEN_QUARTER + log->numbers[PART_SECOND];
}

static enum err make_part(struct parts_slice *parts, struct part_log *logs, size_t count, struct fault *fault)
{
    struct new_part *made = room_for(parts->parts, parts->part_count + 1, sizeof *made, &parts->part_cap);
    if (!made)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    parts->parts = made;
    size_t at = parts->bytes.len;
    if (part_write(&parts->bytes, logs, count))
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    parts->parts[parts->part_count++] = (struct new_part){.user_id = logs->user_id,
                                                          .first_second = second_of_day(logs),
                                                          .last_second = second_of_day(&logs[count - 1]),
                                                          .logs = (int64_t)count,
                                                          .at = at,
                                                          .len = parts->bytes.len - at};
    return OK;
}

/* One user's logs, in order of time. */
static enum err make_user(struct parts_slice *parts, struct part_log *logs, size_t count, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < count; i += PART_LOGS)
        err = make_part(parts, logs + i, count - i < PART_LOGS ? count - i : PART_LOGS, fault);
    return err;
}

static enum err make_parts(struct parts_slice *parts, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0, n; !err && i < parts->count; i += n) {
        n = run_of_user(&parts->logs[i], parts->count - i);
        err = make_user(parts, &parts->logs[i], n, fault);
    }
    return err;
}

/* ---- a slice ---- */

/* Days before it have closed hours alone. */
static int64_t day_limit(const struct sqlite_writer *writer)
{
    return max64(writer->closed.day, writer->closed.hour / 24);
}

/* The first of these days that has rows; INT64_MAX: none. */
static enum err find_day(struct sqlite_writer *writer, int64_t *ret_day, struct fault *fault)
{
    int64_t quarter = INT64_MAX, from = writer->closed.horizons.raw_from * WHEN_QUARTERS_OF_DAY;
    enum err err = sqlite_lookup(&writer->db, W_ROW_AFTER, from - 1, INT64_MAX, &quarter, fault);
    *ret_day = quarter / WHEN_QUARTERS_OF_DAY < day_limit(writer) ? quarter / WHEN_QUARTERS_OF_DAY : INT64_MAX;
    return err;
}

enum err sqlite_parts_ask(struct sqlite_writer *writer, bool *ret_found, struct fault *fault)
{
    struct closing_slice *slice = &writer->closing.slice;
    struct writer_compact *compact = &writer->compact;
    *ret_found = false;
    if (compact->done_until == day_limit(writer))
        return OK;
    int64_t day = INT64_MAX;
    enum err err = find_day(writer, &day, fault);
    if (err)
        return err;
    if (day == INT64_MAX) {
        compact->done_until = day_limit(writer);
        writer->pruning.pending |= compact->has_moved; /* gives back free pages */
        compact->has_moved = false;
        return OK;
    }
    slice->kind = SLICE_PARTS;
    slice->from = day * WHEN_QUARTERS_OF_DAY;
    slice->until = slice->from + WHEN_QUARTERS_OF_DAY;
    slice->parts.day = day;
    *ret_found = true;
    return OK;
}

static void forget(struct parts_slice *parts)
{
    parts->count = parts->small_count = parts->part_count = 0;
    buf_clear(&parts->bytes);
}

enum err sqlite_parts_read(struct closing_slice *slice, struct log_reading *reading, struct fault *fault)
{
    struct parts_slice *parts = &slice->parts;
    forget(parts);
    enum err err = read_rows(parts, reading->db, slice->most, fault);
    sort_logs(parts);
    if (!err)
        err = take_small_parts(parts, reading, fault);
    if (parts->small_count)
        sort_logs(parts);
    return err ? err : make_parts(parts, fault);
}

/* What was read, and nothing else: should a log have come since, nothing is moved. */
static enum err drop_rows(struct sqlite_writer *writer, const struct parts_slice *parts, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_ROWS_DROP);
    enum err err = OK;
    for (int64_t i = 0; !err && i < WHEN_QUARTERS_OF_DAY; i++) {
        int64_t quarter = parts->day * WHEN_QUARTERS_OF_DAY + i;
        if (parts->rows[i] == 0)
            continue;
        BIND_ALL(statement, quarter, parts->user);
        err = db_run(&writer->db, statement, "move logs into parts", fault);
        if (!err && sqlite3_changes64(writer->db.handle) != parts->rows[i])
            err = fault_set(fault, ERR_UNAVAILABLE, "raw_log changed while it was read: quarter %lld",
                            (long long)quarter);
    }
    return err;
}

static enum err drop_small(struct sqlite_writer *writer, const struct parts_slice *parts, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_PART_DROP);
    enum err err = OK;
    for (size_t i = 0; !err && i < parts->small_count; i++) {
        BIND_ALL(statement, parts->small[i]);
        err = db_run(&writer->db, statement, "replace a part", fault);
    }
    return err;
}

static enum err put_part(struct sqlite_writer *writer, const struct parts_slice *parts, const struct new_part *part,
                         struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_PART_ADD);
    BIND_ALL(statement, parts->day, part->user_id, part->first_second, part->last_second, part->logs);
    sqlite3_bind_blob(statement, 6, parts->bytes.data + part->at, (int)part->len, SQLITE_STATIC);
    return db_run(&writer->db, statement, "store a part", fault);
}

enum err sqlite_parts_write(struct sqlite_writer *writer, struct fault *fault)
{
    struct parts_slice *parts = &writer->closing.slice.parts;
    writer->compact.has_moved = true;
    enum err err = drop_rows(writer, parts, fault);
    if (!err)
        err = drop_small(writer, parts, fault);
    for (size_t i = 0; !err && i < parts->part_count; i++)
        err = put_part(writer, parts, &parts->parts[i], fault);
    return err;
}

/* ---- back ---- */

static enum err put_row(struct sqlite_writer *writer, int64_t day, const struct part_log *log, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_ROW_ADD_AGAIN);
    BIND_ALL(statement, day * WHEN_QUARTERS_OF_DAY + log->numbers[PART_QUARTER], log->user_id);
    sqlite3_bind_blob(statement, 3, log->ip_out.bytes, log->ip_out.len, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 4, log->ip_from.bytes, log->ip_from.len, SQLITE_STATIC);
    for (int i = 0; i < NUMBERS; i++)
        sqlite3_bind_int64(statement, 5 + i, log->numbers[columns[i]]);
    return db_run(&writer->db, statement, "make rows of a part", fault);
}

enum err sqlite_uncompact(struct sqlite_writer *writer, int64_t day, int64_t user_id, struct fault *fault)
{
    struct parts_slice *parts = &writer->closing.slice.parts;
    bool found = true;
    enum err err = OK;
    parts->day = day;
    while (!err && found) {
        forget(parts);
        err = take_small_part(parts, &writer->reading, user_id, PART_LOGS + 1, &found, fault);
        if (!err)
            err = drop_small(writer, parts, fault);
        for (size_t i = 0; !err && i < parts->count; i++)
            err = put_row(writer, day, &parts->logs[i], fault);
    }
    writer->compact.done_until = -1;
    return err;
}
