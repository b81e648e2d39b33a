/* parts.c: the logs of log_part as rows of an answer: whole columns are looked at, not logs. Knows which column has
 * what a question asks for. Does not know why it is asked. */
#include "store/sqlite/read/parts.h"

#include "base/int64.h"
#include "store/sqlite/read/match.h"
#include "time/when.h"

#include "base/banned.h"

/* One number that a log must have, or must not. */
struct test {
    const struct part_numbers *numbers;
    uint64_t code;
    bool must_have;
};

#define TESTS (3 + TERMS + DIMENSIONS) /* domain, error, order, the terms; and what is excluded */

/* One part that is read. */
struct part_reading {
    const struct pass *pass;
    const struct part *part;
    int64_t user, start; /* of the day, Unix seconds */
    size_t from, to;     /* the logs of the time that is asked for */
    struct test tests[TESTS];
    size_t test_count;
    struct totals *sums; /* of a breakdown: by the stored value, where there are few; else NULL */
};

static const enum part_column column_of[DIMENSIONS] = {
    [BY_WORKER] = PART_WORKER, [BY_PEER] = PART_PEER,     [BY_PROTOCOL] = PART_PROTOCOL,
    [BY_PORT] = PART_PORT,     [BY_IP_OUT] = PART_IP_OUT, [BY_IP_FROM] = PART_IP_FROM,
    [BY_ORDER] = PART_ORDER,   [BY_ERROR] = PART_ERROR,   [BY_DOMAIN] = PART_DOMAIN};

/* ---- which logs ---- */

/* False when no log of the part can have the number. */
static bool add_test(struct part_reading *reading, enum part_column column, int64_t number)
{
    struct test *test = &reading->tests[reading->test_count];
    *test = (struct test){.numbers = &reading->part->columns[column], .must_have = true};
    if (!part_find(reading->part, column, number, &test->code))
        return false;
    reading->test_count += test->numbers->width > 0; /* else all have it */
    return true;
}

/* False when all logs of the part have the number. */
static bool exclude(struct part_reading *reading, enum part_column column, int64_t number)
{
    struct test *test = &reading->tests[reading->test_count];
    *test = (struct test){.numbers = &reading->part->columns[column]};
    bool some_have = part_find(reading->part, column, number, &test->code);
    reading->test_count += some_have;
    return !some_have || test->numbers->width > 0;
}

/* `name`: the name.id of a text. */
static int64_t number_of_term(const struct part_reading *reading, const struct report_term *term, enum dimension by,
                              int64_t name)
{
    switch (dimensions[by].kind) {
    case VALUE_NAME:
        return name;
    case VALUE_ADDRESS:
        return part_ip_number(reading->part, &term->ip);
    case VALUE_NUMBER:
        break;
    }
    return term->number;
}

static bool add_tests(struct part_reading *reading)
{
    const struct scan *scan = reading->pass->scan;
    bool may_match = scan->domain == NAME_ANY || add_test(reading, PART_DOMAIN, scan->domain);
    if (may_match && scan->error != NAME_ANY)
        may_match = add_test(reading, PART_ERROR, scan->error);
    if (may_match && scan->filter->order_id)
        may_match = add_test(reading, PART_ORDER, scan->filter->order_id);
    for (enum dimension by = 0; may_match && by < TERMS; by++) {
        const struct report_term *term = &scan->filter->terms[by];
        if (term->is_set)
            may_match = add_test(reading, column_of[by], number_of_term(reading, term, by, scan->names[by]));
    }
    return may_match;
}

static bool add_exclusions(struct part_reading *reading)
{
    const struct match *match = reading->pass->scan->match;
    bool may_match = match_user(match, reading->user);
    for (enum dimension by = 0; match && may_match && by < DIMENSIONS; by++) {
        const struct report_term *term = &match->filter->without[by];
        if (term->is_set && by != BY_USER && by != BY_DOMAIN)
            may_match = exclude(reading, column_of[by], number_of_term(reading, term, by, match->without[by]));
    }
    return may_match;
}

static inline bool passes(const struct part_reading *reading, size_t log)
{
    for (size_t i = 0; i < reading->test_count; i++)
        if ((part_code(reading->tests[i].numbers, log) == reading->tests[i].code) != reading->tests[i].must_have)
            return false;
    return true;
}

/* ---- a log ---- */

static int second_of(const struct part *part, size_t log)
{
    return (int)(part_number(part, PART_QUARTER, log) * WHEN_QUARTER + part_number(part, PART_SECOND, log));
}

/* `number`: as the column of the breakdown has it. */
static void set_value(const struct part_reading *reading, int64_t number, struct scan_row *row, struct ip *ip)
{
    row->value = number;
    if (dimensions[reading->pass->by].kind != VALUE_ADDRESS || number < PART_WIDE)
        return;
    *ip = part_ip(reading->part, number);
    row->value = 0;
    row->ip = (struct slice){(const char *)ip->bytes, ip->len};
}

static enum err give(const struct part_reading *reading, const struct scan_row *row)
{
    if (reading->pass->sink(reading->pass->ctx, row))
        return fault_set(reading->pass->fault, ERR_UNAVAILABLE, "out of memory");
    return OK;
}

static enum err give_value(const struct part_reading *reading, size_t log, struct scan_row *row)
{
    struct ip ip;
    enum dimension by = reading->pass->by;
    if (reading->sums) {
        totals_add(&reading->sums[part_code(&reading->part->columns[column_of[by]], log)], &row->totals);
        return OK;
    }
    set_value(reading, by == BY_USER ? reading->user : part_number(reading->part, column_of[by], log), row, &ip);
    return give(reading, row);
}

static struct totals measures_of(const struct part *part, size_t log)
{
    return (struct totals){.count = part_number(part, PART_COUNT, log),
                           .bytes_sent = part_number(part, PART_SENT, log),
                           .bytes_received = part_number(part, PART_RECEIVED, log),
                           .errors = part_number(part, PART_ERRORS, log),
                           .max_concurrency = part_number(part, PART_CONCURRENCY, log),
                           .duration_ms = part_number(part, PART_DURATION, log)};
}

/* Time, domain and error are read only where somebody asks for them: of ten million logs each takes
 * ten milliseconds. */
static enum err give_log(const struct part_reading *reading, size_t log)
{
    const struct part *part = reading->part;
    const struct pass *pass = reading->pass;
    struct scan_row row = {.totals = measures_of(part, log)};
    bool passes = true;
    enum err err = OK;
    if (pass->source != SCAN_VALUES || pass->scan->match) {
        row.error = part_number(part, PART_ERROR, log);
        row.domain = part_number(part, PART_DOMAIN, log);
        passes = pass->source != SCAN_ERRORS || row.error != 0;
    }
    if (passes && pass->scan->match)
        err = match_domain(pass->reader, pass->scan->match, row.domain, &passes, pass->fault);
    if (err || !passes)
        return err;
    if (pass->source == SCAN_VALUES)
        return give_value(reading, log, &row);
    row.at = row.totals.first = row.totals.last = reading->start + second_of(part, log);
    return give(reading, &row);
}

/* Adds up by the stored value first: one step in a hash table for each value, and not for each log. */
static void begin_sums(struct part_reading *reading)
{
    const struct part_numbers *numbers = &reading->part->columns[column_of[reading->pass->by]];
    if (reading->pass->source != SCAN_VALUES || reading->pass->by == BY_USER || numbers->width > PART_TABLE_BITS)
        return;
    reading->sums = reading->pass->reader->part_sums;
    for (size_t i = 0; i <= numbers->mask; i++)
        reading->sums[i] = TOTALS_NONE;
}

static enum err give_sums(const struct part_reading *reading)
{
    const struct part_numbers *numbers = &reading->part->columns[column_of[reading->pass->by]];
    enum err err = OK;
    for (size_t i = 0; !err && reading->sums && i <= numbers->mask; i++) {
        struct ip ip;
        struct scan_row row = {.totals = reading->sums[i]};
        if (totals_are_none(&row.totals))
            continue;
        set_value(reading, part_decode(numbers, i), &row, &ip);
        err = give(reading, &row);
    }
    return err;
}

static enum err give_logs(struct part_reading *reading)
{
    if (!add_tests(reading) || !add_exclusions(reading))
        return OK;
    begin_sums(reading);
    enum err err = OK;
    for (size_t i = reading->from; !err && i < reading->to; i++)
        if (passes(reading, i))
            err = give_log(reading, i);
    return err ? err : give_sums(reading);
}

/* ---- parts ---- */

/* The first log from a second of the day on: they are in order of time. */
static size_t first_since(const struct part *part, int64_t second)
{
    size_t low = 0, high = part->logs;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (second_of(part, middle) < second)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The statement's row: a part that has logs of the time. */
static enum err give_part(const struct pass *pass, sqlite3_stmt *statement, int64_t from, int64_t to)
{
    struct part *part = &pass->reader->part;
    if (!part_open(part, sqlite3_column_blob(statement, 5), (size_t)sqlite3_column_bytes(statement, 5)) ||
        part->logs != (size_t)sqlite3_column_int64(statement, 4))
        return fault_set(pass->fault, ERR_UNAVAILABLE, "log_part is damaged: day %lld, user %lld",
                         (long long)sqlite3_column_int64(statement, 0), (long long)sqlite3_column_int64(statement, 1));
    int64_t start = sqlite3_column_int64(statement, 0) * WHEN_DAY;
    struct part_reading reading = {.pass = pass,
                                   .part = part,
                                   .user = sqlite3_column_int64(statement, 1),
                                   .start = start,
                                   .from = first_since(part, from - start),
                                   .to = first_since(part, to - start)};
    return give_logs(&reading);
}

static bool is_outside(sqlite3_stmt *statement, int64_t from, int64_t to)
{
    int64_t start = sqlite3_column_int64(statement, 0) * WHEN_DAY;
    return start + sqlite3_column_int64(statement, 2) >= to || start + sqlite3_column_int64(statement, 3) < from;
}

static enum err run(const struct pass *pass, sqlite3_stmt *statement, int64_t from, int64_t to)
{
    struct db *db = &pass->reader->db;
    bool row = false;
    enum err err = db_step(db, statement, "read parts", &row, pass->fault);
    while (!err && row) {
        if (scan_is_late(pass->reader))
            err = fault_set(pass->fault, ERR_QUERY_TIMEOUT, "the report took longer than allowed");
        else if (!is_outside(statement, from, to))
            err = give_part(pass, statement, from, to);
        if (!err)
            err = db_step(db, statement, "read parts", &row, pass->fault);
    }
    sqlite3_reset(statement);
    return err;
}

enum err parts_scan(const struct pass *pass, int64_t from, int64_t to)
{
    int64_t first = max64(from / WHEN_DAY, pass->scan->part_from),
            last = min64((to - 1) / WHEN_DAY, pass->scan->part_to);
    sqlite3_stmt *statement = reader_statement(pass->reader, pass->user ? R_PARTS_OF_USER : R_PARTS);
    enum err err = OK;
    if (first > last)
        return OK;
    sqlite3_bind_int64(statement, 1, first);
    sqlite3_bind_int64(statement, 2, pass->user ? pass->user : last);
    if (!pass->user)
        return run(pass, statement, from, to);
    for (int64_t day = first; !err && day <= last; day++) {
        sqlite3_bind_int64(statement, 1, day);
        err = run(pass, statement, from, to);
    }
    return err;
}
