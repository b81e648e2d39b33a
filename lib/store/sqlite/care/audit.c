/* audit.c: what verify checks once and not for each period: the file, rows outside of all time, closing, retention,
 * batches, orders, the total. */
#include "store/sqlite/care/audit.h"

#include "db/check.h"
#include "store/sqlite/row.h"
#include "time/when.h"

#include <stdlib.h>

#include "base/banned.h"

/* ---- the file ---- */

static void tell_damage(void *ctx, const char *words, int len)
{
    verify_differs(ctx, "file", true, "%.*s", len, words);
}

/* quick_check reads every page and row, but not whether an index tells the same as its table; three tables have one. */
enum err verify_file(struct verifier *verifier, struct fault *fault)
{
    verify_next_step(verifier, "reading the file", 0);
    enum err err = db_check(&verifier->db, "PRAGMA quick_check", tell_damage, verifier, fault);
    if (!err)
        err = db_check(&verifier->db, "PRAGMA integrity_check(name)", tell_damage, verifier, fault);
    if (!err)
        err = db_check(&verifier->db, "PRAGMA integrity_check(log_part)", tell_damage, verifier, fault);
    return err ? err : db_check(&verifier->db, "PRAGMA integrity_check(batch_key)", tell_damage, verifier, fault);
}

/* ---- rows that no period has ---- */

#define OUTSIDE(table, bucket, width)                                                                                  \
    "SELECT (SELECT count(*) FROM " table " WHERE " bucket " < 0)"                                                     \
    " + (SELECT count(*) FROM " table " WHERE " bucket " >= 32503680000 / " width ")"
#define OUTSIDE_CHUNKS(tier, width) OUTSIDE("rollup_chunk", "tier = " tier " AND bucket", width)

enum err verify_strays(struct verifier *verifier, struct fault *fault)
{
    static const struct {
        const char *table;
        const char *sql;
        bool is_fact;
    } rows[] = {
        {"raw_log", OUTSIDE("raw_log", "quarter", "900"), true},
        {"log_part", OUTSIDE("log_part", "day", "86400"), true},
        {"traffic_quarter", OUTSIDE("traffic_quarter", "bucket", "900"), false},
        {"traffic_hour", OUTSIDE("traffic_hour", "bucket", "3600"), false},
        {"traffic_day", OUTSIDE("traffic_day", "bucket", "86400"), false},
        {"value_day", OUTSIDE("value_day", "bucket", "86400"), false},
        {"value_gap", OUTSIDE("value_gap", "bucket", "86400"), false},
        {"value_day", "SELECT count(*) FROM value_day WHERE dimension NOT BETWEEN 1 AND 6", false},
        {"value_gap", "SELECT count(*) FROM value_gap WHERE dimension NOT BETWEEN 1 AND 6", false},
        {"rollup_chunk", OUTSIDE_CHUNKS("1", "3600"), false},
        {"rollup_chunk", OUTSIDE_CHUNKS("2", "86400"), false},
        {"rollup_chunk", OUTSIDE_CHUNKS("3", "345600"), false},
        {"rollup_chunk", OUTSIDE_CHUNKS("4", "1382400"), false},
        {"rollup_chunk",
         "SELECT (SELECT count(*) FROM rollup_chunk WHERE tier < 1) + (SELECT count(*) FROM rollup_chunk WHERE tier > "
         "4)",
         false},
    };
    enum err err = OK;
    for (size_t i = 0; !err && i < sizeof rows / sizeof *rows; i++) {
        int64_t count = 0;
        err = db_get_i64(&verifier->db, rows[i].sql, 0, &count, fault);
        if (!err && count)
            verify_differs(verifier, rows[i].table, rows[i].is_fact,
                           "%lld rows are of no time that a log can have, 1970 to 2999, or of no known period",
                           (long long)count);
    }
    return err;
}

/* ---- up to when is closed ---- */

static const char *time_text(int64_t bucket, int64_t width, char text[WHEN_TEXT_BYTES])
{
    if (bucket < 0 || bucket >= VERIFY_END / width)
        return "a time that can't be";
    when_format(bucket * width, text);
    return text;
}

static void compare_closing(struct verifier *verifier, int64_t hour, int64_t day, int64_t newest)
{
    char hours[WHEN_TEXT_BYTES], days[WHEN_TEXT_BYTES], log[WHEN_TEXT_BYTES];
    if (hour <= verifier->kept.raw_from * 24) /* the newest logs may be deleted, but no horizon goes back */
        newest = hour * 4;
    if (hour < 0 || day < 0 || day > hour / 24)
        verify_differs(verifier, "closing", false, "days are closed before %s, but hours before %s",
                       time_text(day, WHEN_DAY, days), time_text(hour, WHEN_HOUR, hours));
    else if (hour > 0 && newest < 0)
        verify_differs(verifier, "closing", false, "hours are closed before %s, but there are no logs",
                       time_text(hour, WHEN_HOUR, hours));
    else if (hour > newest / 4 + 1)
        verify_differs(verifier, "closing", false, "hours are closed before %s, but the newest log is of %s",
                       time_text(hour, WHEN_HOUR, hours), time_text(newest, WHEN_QUARTER, log));
}

static enum err read_closing(struct verifier *verifier, struct fault *fault)
{
    int64_t newest = -1;
    bool row = false;
    sqlite3_stmt *statement = verify_statement(verifier, V_CLOSING);
    enum err err = verify_i64(verifier, verify_statement(verifier, V_NEWEST_RAW), -1, &newest, fault);
    if (!err)
        err = verify_step(verifier, statement, &row, fault);
    if (err)
        return err;
    if (row)
        compare_closing(verifier, sqlite3_column_int64(statement, 0), sqlite3_column_int64(statement, 1), newest);
    else
        verify_differs(verifier, "closing", false, "its row is missing");
    sqlite3_reset(statement);
    return OK;
}

enum err verify_closing(struct verifier *verifier, struct fault *fault)
{
    enum err err = verify_begin(verifier, fault);
    if (!err)
        err = read_closing(verifier, fault);
    verify_end(verifier);
    return err;
}

/* ---- what is no longer kept ---- */

static void compare_kept(struct verifier *verifier, const struct retention_row *kept, bool row)
{
    if (!row)
        verify_differs(verifier, "retention", true, "its row is missing");
    else if (kept->day_from < 0 || kept->day_from > kept->hour_from || kept->hour_from > kept->raw_from ||
             kept->raw_from > verifier->closed_day)
        verify_differs(verifier, "retention", true,
                       "days before %lld have no logs, before %lld no hours, before %lld no sums; %lld days are closed",
                       (long long)kept->raw_from, (long long)kept->hour_from, (long long)kept->day_from,
                       (long long)verifier->closed_day);
}

enum err verify_retention(struct verifier *verifier, struct fault *fault)
{
    sqlite3_stmt *statement = verify_statement(verifier, V_RETENTION);
    bool row = false;
    enum err err = verify_begin(verifier, fault);
    if (!err)
        err = verify_step(verifier, statement, &row, fault);
    if (!err)
        compare_kept(verifier,
                     &(struct retention_row){.raw_from = row ? sqlite3_column_int64(statement, 0) : 0,
                                             .hour_from = row ? sqlite3_column_int64(statement, 1) : 0,
                                             .day_from = row ? sqlite3_column_int64(statement, 2) : 0},
                     row);
    sqlite3_reset(statement);
    verify_end(verifier);
    return err;
}

/* ---- batches: each has as many logs as it says ---- */

/* Batches counted in one reading of raw_log: 64 MiB. */
#define BATCHES_AT_ONCE (INT64_C(1) << 24)

/* Logs by batch, of the batches first + 1 … first + count. */
struct batch_counts {
    int64_t first;
    int64_t count;
    uint32_t *logs;
};

static enum err count_quarters(struct verifier *verifier, const struct batch_counts *counts, int64_t first,
                               int64_t last, struct fault *fault)
{
    bool row = true;
    sqlite3_stmt *statement = VERIFY_BIND(verifier, V_RAW_BATCHES, first, last);
    enum err err = verify_step(verifier, statement, &row, fault);
    while (!err && row) {
        int64_t batch = sqlite3_column_int64(statement, 0);
        verifier->work.progress.done++;
        if (batch > counts->first && batch <= counts->first + counts->count)
            counts->logs[batch - counts->first - 1]++;
        err = verify_step(verifier, statement, &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* The last quarter of a quarter's day; of one that no log has, as it may stand in a damaged file, itself. */
static int64_t last_of_day(int64_t quarter)
{
    const int64_t most = INT64_MAX - WHEN_QUARTERS_OF_DAY;
    return quarter < -most || quarter > most ? quarter
                                             : when_floor(quarter, WHEN_QUARTERS_OF_DAY) + WHEN_QUARTERS_OF_DAY - 1;
}

/* A day at once, so that each part is opened once. */
static enum err count_logs(struct verifier *verifier, const struct batch_counts *counts, struct fault *fault)
{
    int64_t quarter = INT64_MIN;
    enum err err = OK;
    while (!err) {
        err = verify_i64(verifier, VERIFY_BIND(verifier, V_NEXT_RAW, quarter), INT64_MAX, &quarter, fault);
        if (err || quarter == INT64_MAX)
            break;
        int64_t last = last_of_day(quarter);
        err = count_quarters(verifier, counts, quarter, last, fault);
        if (!err)
            err = verify_pause(verifier, fault);
        quarter = last + 1;
    }
    return err;
}

/* Once logs have been deleted, a batch may have fewer logs than at first, and an old batch may be deleted before its
 * last logs. */
static void compare_batch(struct verifier *verifier, int64_t batch, int64_t due, int64_t there)
{
    const struct retention_row *kept = &verifier->kept;
    if (batch < kept->batch_from || (due >= 0 && there < due && kept->logs > 0))
        return;
    if (due < 0 && there)
        verify_differs(verifier, "batch", true, "batch %lld is missing, but raw_log has %lld logs of it",
                       (long long)batch, (long long)there);
    else if (due >= 0 && due != there)
        verify_differs(verifier, "raw_log", true, "of batch %lld there are %lld logs, but it had %lld",
                       (long long)batch, (long long)there, (long long)due);
}

/* Batches are numbered without holes, but one that is missing must not stop the comparison. */
static enum err compare_batches(struct verifier *verifier, const struct batch_counts *counts, struct fault *fault)
{
    int64_t last = counts->first + counts->count, next = counts->first + 1;
    bool row = true;
    sqlite3_stmt *statement = VERIFY_BIND(verifier, V_BATCHES, counts->first, last);
    enum err err = verify_step(verifier, statement, &row, fault);
    while (!err && next <= last) {
        int64_t id = row ? sqlite3_column_int64(statement, 0) : INT64_MAX;
        for (; next < id && next <= last; next++)
            compare_batch(verifier, next, -1, counts->logs[next - counts->first - 1]);
        if (!row)
            break;
        compare_batch(verifier, id, sqlite3_column_int64(statement, 1), counts->logs[id - counts->first - 1]);
        next = id + 1;
        err = verify_step(verifier, statement, &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* What is deleted by now. */
static enum err load_kept(struct verifier *verifier, struct fault *fault)
{
    enum err err = verify_begin(verifier, fault);
    verify_end(verifier);
    return err;
}

/* Compares the batches up to `last`, and leaves out those that come meanwhile. Each has all its logs from the
 * beginning, unless some are deleted meanwhile. Adds the logs that were found to *counted. */
static enum err check_batches(struct verifier *verifier, int64_t first, int64_t last, int64_t *counted,
                              struct fault *fault)
{
    struct batch_counts counts = {.first = first, .count = last - first};
    if (counts.count > BATCHES_AT_ONCE)
        counts.count = BATCHES_AT_ONCE;
    counts.logs = calloc((size_t)counts.count, sizeof *counts.logs);
    if (!counts.logs)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    enum err err = count_logs(verifier, &counts, fault);
    for (int64_t i = 0; i < counts.count; i++)
        *counted += counts.logs[i];
    if (!err)
        err = load_kept(verifier, fault);
    if (!err)
        err = compare_batches(verifier, &counts, fault);
    free(counts.logs);
    return err;
}

/* Each log that came is either stored or deleted. A log that is deleted while logs are counted may be counted once or
 * twice. */
static void compare_logs(struct verifier *verifier, int64_t due, int64_t counted, int64_t gone_before)
{
    int64_t gone = verifier->kept.logs;
    if (counted + gone_before > due || counted + gone < due)
        verify_differs(verifier, "raw_log", true, "%lld logs came and %lld were deleted since, but there are %lld",
                       (long long)due, (long long)gone, (long long)counted);
}

static enum err load_batches(struct verifier *verifier, int64_t *ret_newest, int64_t *ret_logs, struct fault *fault)
{
    enum err err = verify_begin(verifier, fault);
    if (!err)
        err = verify_i64(verifier, verify_statement(verifier, V_NEWEST_BATCH), 0, ret_newest, fault);
    if (!err)
        err = verify_i64(verifier, VERIFY_BIND(verifier, V_LOGS, *ret_newest), 0, ret_logs, fault);
    verify_end(verifier);
    return err;
}

enum err verify_batches(struct verifier *verifier, struct fault *fault)
{
    int64_t newest = 0, logs = 0, before = verifier->result.differences;
    enum err err = load_batches(verifier, &newest, &logs, fault);
    int64_t passes = (newest + BATCHES_AT_ONCE - 1) / BATCHES_AT_ONCE;
    int64_t gone = verifier->kept.logs, due = logs + verifier->kept.batch_logs;
    verify_next_step(verifier, "counting the logs of each batch", (due - gone) * passes);
    int64_t counted = 0;
    for (int64_t first = 0; !err && first < newest; first += BATCHES_AT_ONCE)
        err = check_batches(verifier, first, newest, &counted, fault);
    if (!err && verifier->result.differences == before)
        compare_logs(verifier, due, counted, gone);
    return err;
}

/* ---- whose orders ---- */

/* Remembers the pairs in order_user before any log is read. Each log that is read later had its pair by then, or came
 * later. */
enum err verify_load_orders(struct verifier *verifier, struct fault *fault)
{
    bool row = true;
    sqlite3_stmt *statement = verify_statement(verifier, V_ORDER_USERS);
    enum err err = verify_step(verifier, statement, &row, fault);
    while (!err && row) {
        struct fold_key pair = {.order_id = sqlite3_column_int64(statement, 0),
                                .user_id = sqlite3_column_int64(statement, 1)};
        if (fold_add(&verifier->orders, &pair, &(struct totals){0}))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else
            err = verify_step(verifier, statement, &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* A pair that was not remembered must be in the table by now. */
static enum err check_order(struct verifier *verifier, int64_t order, int64_t user, struct fault *fault)
{
    struct fold_key pair = {.order_id = order, .user_id = user};
    size_t known = verifier->orders.count;
    if (fold_add(&verifier->orders, &pair, &(struct totals){.count = 1}))
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (verifier->orders.count == known)
        return OK;
    int64_t there = 0;
    enum err err = verify_i64(verifier, VERIFY_BIND(verifier, V_ORDER_USER, order, user), 0, &there, fault);
    if (!err && !there)
        verify_differs(verifier, "order_user", false, "order %lld of user %lld is missing", (long long)order,
                       (long long)user);
    return err;
}

enum err verify_share_orders(struct verifier *verifier, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < verifier->pairs.count; i++)
        err = check_order(verifier, verifier->pairs.entries[i].key.order_id, verifier->pairs.entries[i].key.user_id,
                          fault);
    return err;
}

/* A pair without logs, unless it was deleted meanwhile. */
static enum err check_lonely(struct verifier *verifier, const struct fold_key *pair, struct fault *fault)
{
    int64_t there = 0;
    sqlite3_stmt *statement = VERIFY_BIND(verifier, V_ORDER_USER, pair->order_id, pair->user_id);
    enum err err = verify_i64(verifier, statement, 0, &there, fault);
    if (!err && there)
        verify_differs(verifier, "order_user", false, "order %lld of user %lld is there, but has no logs",
                       (long long)pair->order_id, (long long)pair->user_id);
    return err;
}

/* Once logs are no longer kept, a pair may have none left. */
enum err verify_orders(struct verifier *verifier, struct fault *fault)
{
    enum err err = load_kept(verifier, fault);
    for (size_t i = 0; !err && !verifier->kept.raw_from && i < verifier->orders.count; i++)
        if (verifier->orders.entries[i].totals.count == 0)
            err = check_lonely(verifier, &verifier->orders.entries[i].key, fault);
    return err;
}

/* ---- the sums over everything ---- */

/* All 0 when the row is missing. */
static enum err read_total(struct verifier *verifier, enum verify_statement which, struct totals *ret_total,
                           bool *ret_row, struct fault *fault)
{
    sqlite3_stmt *statement = verify_statement(verifier, which);
    enum err err = verify_step(verifier, statement, ret_row, fault);
    if (!err)
        *ret_total = *ret_row ? row_totals(statement, 0) : (struct totals){0};
    sqlite3_reset(statement);
    return err;
}

static void compare_sum(struct verifier *verifier, const char *name, int64_t there, int64_t due)
{
    if (there != due)
        verify_differs(verifier, "total", false, "%s is %lld, should be %lld", name, (long long)there, (long long)due);
}

static void compare_total(struct verifier *verifier, const struct totals *there, const struct totals *due)
{
    compare_sum(verifier, "count", there->count, due->count);
    compare_sum(verifier, "bytes_sent", there->bytes_sent, due->bytes_sent);
    compare_sum(verifier, "bytes_received", there->bytes_received, due->bytes_received);
    compare_sum(verifier, "errors", there->errors, due->errors);
    if (verifier->durations_from == 0)
        compare_sum(verifier, "duration_ms", there->duration_ms, due->duration_ms);
}

/* The quarters of everyone, if they are right, have the same sum as the logs, and are fewer. */
enum err verify_total(struct verifier *verifier, struct fault *fault)
{
    struct totals there = {0};
    bool is_there = false;
    enum verify_statement source = verifier->quarters_bad ? V_TOTAL_OF_RAW : V_TOTAL_OF_QUARTERS;
    enum err err = verify_begin(verifier, fault);
    if (!err)
        err = read_total(verifier, V_TOTAL, &there, &is_there, fault);
    VERIFY_BIND(verifier, source, verifier->kept.raw_from);
    struct totals due = {0};
    bool row = false;
    if (!err)
        err = read_total(verifier, source, &due, &row, fault);
    struct totals gone = {0};
    if (!err)
        err = read_total(verifier, V_TOTAL_GONE, &gone, &row, fault);
    verify_end(verifier);
    totals_add(&due, &gone);
    if (!err && !is_there)
        verify_differs(verifier, "total", false, "its row is missing");
    else if (!err)
        compare_total(verifier, &there, &due);
    return err;
}
