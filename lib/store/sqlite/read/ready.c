/* ready.c: a question made ready in a read transaction: ids of its names, whose rows it is about, and what is closed
 * and kept at that moment. Does not know how rows are read. */
#include "store/sqlite/read/ready.h"

#include "time/mono.h"
#include "time/when.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

bool scan_is_late(const struct sqlite_reader *reader)
{
    return reader->deadline_ms && mono_ms() > reader->deadline_ms;
}

struct totals scan_answer(const struct sqlite_reader *reader, const struct totals *totals)
{
    struct totals answer = *totals;
    if (reader->lacks_durations)
        answer.duration_ms = DURATION_UNKNOWN;
    return answer;
}

/* ---- names ---- */

static enum err find_name(struct sqlite_reader *reader, bool is_asked, struct slice text, int64_t *ret_id,
                          struct fault *fault)
{
    *ret_id = NAME_ANY;
    return is_asked ? scan_find_name(reader, text, ret_id, fault) : OK;
}

/* ---- whose rows ---- */

static enum err add_user(struct scan *scan, int64_t user, struct fault *fault)
{
    int64_t *users = realloc(scan->users, (scan->user_count + 1) * sizeof *users);
    if (!users)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    scan->users = users;
    scan->users[scan->user_count++] = user;
    return OK;
}

/* Every user that the statement gives. */
static enum err add_users(struct sqlite_reader *reader, struct scan *scan, enum reader_statement which,
                          struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, which);
    bool row = true;
    enum err err = db_step(&reader->db, statement, "read users", &row, fault);
    while (!err && row) {
        int64_t user = sqlite3_column_int64(statement, 0);
        err = match_user(scan->match, user) ? add_user(scan, user, fault) : OK;
        if (!err)
            err = db_step(&reader->db, statement, "read users", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* Without one of the users, or of the orders, everyone is no longer one row. Single logs know both. */
static bool is_everyone_but(const struct scan *scan)
{
    const struct report_term *without = scan->filter->without;
    return !scan->has_terms && (without[BY_USER].is_set || without[BY_ORDER].is_set);
}

static enum err find_users(struct sqlite_reader *reader, struct scan *scan, struct fault *fault)
{
    if (scan->domain == INT64_MIN || scan->error == INT64_MIN || scan->filter->from >= scan->filter->to)
        return OK; /* nobody */
    if (scan->filter->user_id)
        return match_user(scan->match, scan->filter->user_id) ? add_user(scan, scan->filter->user_id, fault) : OK;
    /* An order is several users' when they share its id. */
    sqlite3_bind_int64(reader_statement(reader, R_ORDER_USERS), 1, scan->filter->order_id);
    if (scan->filter->order_id)
        return add_users(reader, scan, R_ORDER_USERS, fault);
    enum err err = add_user(scan, 0, fault);
    return !err && is_everyone_but(scan) ? scan_split_users(reader, scan, fault) : err;
}

enum err scan_split_users(struct sqlite_reader *reader, struct scan *scan, struct fault *fault)
{
    if (scan->user_count != 1 || scan->users[0])
        return OK;
    scan->user_count = 0;
    return add_users(reader, scan, R_USERS, fault);
}

/* This first read fixes the state that the whole transaction sees. */
static enum err read_closing(struct sqlite_reader *reader, struct scan *scan, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, R_CLOSING);
    bool row = false;
    enum err err = db_step(&reader->db, statement, "read what is closed", &row, fault);
    if (err || !row)
        return err;
    scan->closed_hour = sqlite3_column_int64(statement, 0);
    scan->closed_day = sqlite3_column_int64(statement, 1);
    scan->changes = sqlite3_column_int64(statement, 2);
    scan->raw_from = sqlite3_column_int64(statement, 3) * WHEN_DAY;
    scan->hour_from = sqlite3_column_int64(statement, 4) * WHEN_DAY;
    scan->day_from = sqlite3_column_int64(statement, 5) * WHEN_DAY;
    scan->row_from = sqlite3_column_int64(statement, 6);
    scan->part_from = sqlite3_column_int64(statement, 7);
    scan->part_to = sqlite3_column_int64(statement, 8);
    scan->durations_from = sqlite3_column_int64(statement, 9) * WHEN_HOUR;
    sqlite3_reset(statement);
    return OK;
}

enum err scan_check_kept(const struct scan *scan, struct fault *fault)
{
    return scan->filter->from >= scan->raw_from ? OK : filter_refuse(scan->filter, scan->raw_from, fault);
}

static enum err find_terms(struct sqlite_reader *reader, struct scan *scan, bool of_errors, struct fault *fault)
{
    enum err err = match_begin(reader, scan->filter, &scan->match, fault);
    bool lacks_durations = scan->filter->durations && scan->filter->from < scan->durations_from;
    reader->lacks_durations = lacks_durations && scan->filter->from < scan->raw_from;
    scan->has_terms = filter_needs_logs(scan->filter, of_errors) || (lacks_durations && !reader->lacks_durations);
    for (size_t i = 0; !err && i < TERMS; i++) {
        const struct report_term *term = &scan->filter->terms[i];
        err = find_name(reader, term->is_set && dimensions[i].kind == VALUE_NAME, term->text, &scan->names[i], fault);
    }
    return err || !scan->has_terms ? err : scan_check_kept(scan, fault);
}

enum err scan_begin(struct sqlite_reader *reader, const struct report_filter *filter, bool of_errors,
                    struct scan *ret_scan, struct fault *fault)
{
    *ret_scan = (struct scan){.filter = filter};
    reader->deadline_ms = reader->timeout_ms ? mono_ms() + reader->timeout_ms : 0;
    enum err err = reader->held ? OK : db_run(&reader->db, reader_statement(reader, R_BEGIN), "begin to read", fault);
    if (!err)
        err = read_closing(reader, ret_scan, fault);
    if (!err)
        err = find_name(reader, filter->has_domain && !filter->is_below, filter->domain, &ret_scan->domain, fault);
    if (!err)
        err = find_name(reader, filter->has_error, filter->error, &ret_scan->error, fault);
    if (!err)
        err = find_terms(reader, ret_scan, of_errors, fault);
    if (!err)
        err = find_users(reader, ret_scan, fault);
    return err;
}

void scan_end(struct sqlite_reader *reader, struct scan *scan)
{
    reader->deadline_ms = 0;
    struct fault ignored;
    if (!reader->held && db_run(&reader->db, reader_statement(reader, R_END), "end reading", &ignored))
        db_rollback(&reader->db);
    free(scan->users);
    scan->users = NULL;
    match_free(scan->match);
    scan->match = NULL;
}
