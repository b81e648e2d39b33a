/* values.c: is value_day, day by day, what the logs say, and does value_gap name the days that have too many values?
 * Knows these two tables. Days whose logs are gone are not compared. */
#include "store/sqlite/care/audit.h"

#include "base/int64.h"
#include "log/text.h"
#include "store/sqlite/row.h"
#include "store/sqlite/value_day.h"
#include "time/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define WORDS_BYTES 128

/* One day as it should be and as it is. */
struct day {
    int64_t number;
    struct fold due, there;
    int64_t values[VALUE_DIMENSIONS + 1]; /* that are due; over VALUES_OF_DAY: no more are noted */
    bool has_gap[VALUE_DIMENSIONS + 1];
};

/* ---- as it should be ---- */

static enum err add_log(struct day *day, sqlite3_stmt *row)
{
    struct totals totals = row_totals(row, 0);
    enum err err = OK;
    for (int dimension = 1; !err && dimension <= VALUE_DIMENSIONS; dimension++) {
        struct fold_key key = value_of_column(dimension, row, 5 + dimension);
        size_t before = day->due.count;
        if (day->values[dimension] <= VALUES_OF_DAY)
            err = fold_add(&day->due, &key, &totals);
        day->values[dimension] += day->due.count > before;
    }
    return err;
}

static enum err add_logs(struct verifier *verifier, struct day *day, struct fault *fault)
{
    int64_t first = day->number * WHEN_QUARTERS_OF_DAY,
            last = min64(first + WHEN_QUARTERS_OF_DAY, verifier->closed_hour * 4) - 1;
    bool row = true;
    sqlite3_stmt *statement = VERIFY_BIND(verifier, V_RAW_VALUES, first, last);
    enum err err = verify_step(verifier, statement, &row, fault);
    while (!err && row) {
        verifier->work.progress.done++;
        if (add_log(day, statement))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else
            err = verify_step(verifier, statement, &row, fault);
    }
    sqlite3_reset(statement);
    fold_sort(&day->due);
    return err;
}

/* ---- as it is ---- */

static enum err read_rows(struct verifier *verifier, struct day *day, struct fault *fault)
{
    bool row = true;
    sqlite3_stmt *statement = VERIFY_BIND(verifier, V_VALUES, day->number);
    enum err err = verify_step(verifier, statement, &row, fault);
    while (!err && row) {
        struct fold_key key = value_of_column((int)sqlite3_column_int64(statement, 6), statement, 7);
        struct totals totals = row_totals(statement, 0);
        if (fold_add(&day->there, &key, &totals))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else
            err = verify_step(verifier, statement, &row, fault);
    }
    sqlite3_reset(statement);
    fold_sort(&day->there);
    return err;
}

static enum err read_gaps(struct verifier *verifier, struct day *day, struct fault *fault)
{
    bool row = true;
    sqlite3_stmt *statement = VERIFY_BIND(verifier, V_GAPS, day->number);
    enum err err = verify_step(verifier, statement, &row, fault);
    while (!err && row) {
        day->has_gap[sqlite3_column_int64(statement, 0)] = true;
        err = verify_step(verifier, statement, &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* ---- compared ---- */

static const char *const names[VALUE_DIMENSIONS + 1] = {"", "worker", "peer", "protocol", "port", "ip_out", "error"};

/* A name by its id. */
static void put_value(const struct fold_key *value, char text[WORDS_BYTES])
{
    const int64_t halves[2] = {value->domain, value->error};
    struct ip ip = {.len = (uint8_t)value->order_id};
    char address[WORDS_BYTES / 2];
    memcpy(ip.bytes, halves, sizeof ip.bytes);
    ip_format(&ip, address);
    if (value->tier == VALUE_OF_IP_OUT)
        snprintf(text, WORDS_BYTES, "%s \"%s\"", names[value->tier], address);
    else
        snprintf(text, WORDS_BYTES, "%s %" PRId64, names[value->tier], value->domain);
}

static void tell(struct verifier *verifier, const struct day *day, const struct fold_key *value,
                 const struct totals *there, const struct totals *due)
{
    char words[WORDS_BYTES];
    put_value(value, words);
    struct fold_key key = {.tier = TIER_DAY, .bucket = day->number};
    verify_differs_at(verifier, "value_day", &key, there, due, words);
}

static bool same_sums(const struct totals *a, const struct totals *b)
{
    return a->count == b->count && a->bytes_sent == b->bytes_sent && a->bytes_received == b->bytes_received &&
           a->errors == b->errors && a->max_concurrency == b->max_concurrency && a->duration_ms == b->duration_ms;
}

/* `due` or `there` may be NULL. A gap that is missing is one difference, and so is one that should not be there; each
 * row beside a gap is another. */
static void compare_value(struct verifier *verifier, const struct day *day, const struct fold_entry *due,
                          const struct fold_entry *there)
{
    const struct fold_entry *value = due ? due : there;
    bool has_gap = day->has_gap[value->key.tier], lacks_gap = !has_gap && day->values[value->key.tier] > VALUES_OF_DAY;
    if (lacks_gap)
        return;
    if (has_gap)
        due = NULL;
    if (due ? !there || !same_sums(&due->totals, &there->totals) : there != NULL)
        tell(verifier, day, &value->key, there ? &there->totals : NULL, due ? &due->totals : NULL);
}

static void compare_rows(struct verifier *verifier, const struct day *day)
{
    const struct fold_entry *due = day->due.entries, *there = day->there.entries;
    const struct fold_entry *due_end = due + day->due.count, *there_end = there + day->there.count;
    while (due < due_end || there < there_end) {
        int order = due == due_end ? 1 : there == there_end ? -1 : fold_order(&due->key, &there->key);
        compare_value(verifier, day, order <= 0 ? due : NULL, order >= 0 ? there : NULL);
        due += order <= 0;
        there += order >= 0;
    }
}

static void compare_gaps(struct verifier *verifier, const struct day *day)
{
    char text[WHEN_TEXT_BYTES];
    when_format(day->number * WHEN_DAY, text);
    for (int dimension = 1; dimension <= VALUE_DIMENSIONS; dimension++)
        if (day->has_gap[dimension] != (day->values[dimension] > VALUES_OF_DAY))
            verify_differs(verifier, "value_gap", false, "day from %s UTC, %s %s: the logs have %s %d values", text,
                           names[dimension], day->has_gap[dimension] ? "should not be there" : "is missing",
                           day->has_gap[dimension] ? "at most" : "more than", VALUES_OF_DAY);
}

/* ---- days ---- */

/* As of the read transaction. An older version closed the first hours of a day that begins before durations_from. */
static bool is_comparable(const struct verifier *verifier, int64_t day)
{
    return day >= verifier->kept.raw_from && day * 24 >= verifier->durations_from;
}

static enum err compare_day(struct verifier *verifier, struct day *day, struct fault *fault)
{
    enum err err = add_logs(verifier, day, fault);
    if (!err)
        err = read_rows(verifier, day, fault);
    if (!err)
        err = read_gaps(verifier, day, fault);
    if (err)
        return err;
    compare_rows(verifier, day);
    compare_gaps(verifier, day);
    return OK;
}

static enum err check_day(struct verifier *verifier, int64_t number, struct fault *fault)
{
    struct day day = {.number = number};
    enum err err = verify_begin(verifier, fault);
    if (!err && is_comparable(verifier, number))
        err = compare_day(verifier, &day, fault);
    verify_end(verifier);
    fold_release(&day.due);
    fold_release(&day.there);
    return err ? err : verify_pause(verifier, fault);
}

/* The next day with logs, sums or a gap; INT64_MAX when there is none. */
static enum err next_day(struct verifier *verifier, int64_t day, int64_t *ret_day, struct fault *fault)
{
    int64_t quarter = INT64_MAX, value = INT64_MAX;
    sqlite3_stmt *logs = VERIFY_BIND(verifier, V_NEXT_RAW, day * WHEN_QUARTERS_OF_DAY);
    enum err err = verify_i64(verifier, logs, INT64_MAX, &quarter, fault);
    if (!err)
        err = verify_i64(verifier, VERIFY_BIND(verifier, V_NEXT_VALUE, day), INT64_MAX, &value, fault);
    int64_t next = min64(quarter / WHEN_QUARTERS_OF_DAY, value);
    *ret_day = next < VERIFY_END / WHEN_DAY ? next : INT64_MAX;
    return err;
}

enum err verify_values(struct verifier *verifier, struct fault *fault)
{
    int64_t logs = 0, day = 0;
    enum err err = verify_i64(verifier, VERIFY_BIND(verifier, V_LOGS, INT64_MAX), 0, &logs, fault);
    verify_next_step(verifier, "adding up values", logs + verifier->kept.batch_logs - verifier->kept.logs);
    if (!err)
        err = next_day(verifier, 0, &day, fault);
    while (!err && day != INT64_MAX) {
        err = check_day(verifier, day, fault);
        if (!err)
            err = next_day(verifier, day + 1, &day, fault);
    }
    return err;
}
