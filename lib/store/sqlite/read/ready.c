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

/* ---- names ---- */

/* INT64_MIN for a text that no log has. */
static enum err find_name(struct sqlite_reader *reader, bool is_asked, struct slice text, int64_t *ret_id,
                          struct fault *fault)
{
    *ret_id = NAME_ANY;
    if (!is_asked)
        return OK;
    sqlite3_stmt *statement = reader_statement(reader, R_NAME_FIND);
    sqlite3_bind_text(statement, 1, text.len ? text.data : "", (int)text.len, SQLITE_TRANSIENT);
    return db_step_i64(&reader->db, statement, "find a name", INT64_MIN, ret_id, fault);
}

enum err scan_name(struct sqlite_reader *reader, int64_t id, char **ret_text, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, R_NAME_TEXT);
    sqlite3_bind_int64(statement, 1, id);
    bool row = false;
    enum err err = db_step(&reader->db, statement, "read a name", &row, fault);
    if (err)
        return err;
    char *text = strdup(row ? (const char *)sqlite3_column_text(statement, 0) : "");
    sqlite3_reset(statement);
    if (!text)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    *ret_text = text;
    return OK;
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
        err = add_user(scan, sqlite3_column_int64(statement, 0), fault);
        if (!err)
            err = db_step(&reader->db, statement, "read users", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

static enum err find_users(struct sqlite_reader *reader, struct scan *scan, struct fault *fault)
{
    if (scan->domain == INT64_MIN || scan->error == INT64_MIN || scan->filter->from >= scan->filter->to)
        return OK; /* nobody */
    if (scan->filter->user_id || !scan->filter->order_id)
        return add_user(scan, scan->filter->user_id, fault);
    /* An order is several users' when they share its id. */
    sqlite3_bind_int64(reader_statement(reader, R_ORDER_USERS), 1, scan->filter->order_id);
    return add_users(reader, scan, R_ORDER_USERS, fault);
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
    sqlite3_reset(statement);
    return OK;
}

enum err scan_check_kept(const struct scan *scan, struct fault *fault)
{
    char from[WHEN_TEXT_BYTES];
    if (scan->filter->from >= scan->raw_from)
        return OK;
    when_format(scan->raw_from, from);
    return fault_set(fault, ERR_LOGS_PRUNED,
                     "logs before %s are no longer kept, and only they tell that: ask from then on", from);
}

static enum err find_terms(struct sqlite_reader *reader, struct scan *scan, struct fault *fault)
{
    enum err err = OK;
    scan->has_terms = filter_has_terms(scan->filter);
    for (size_t i = 0; !err && i < TERMS; i++) {
        const struct report_term *term = &scan->filter->terms[i];
        err = find_name(reader, term->is_set && dimensions[i].kind == VALUE_NAME, term->text, &scan->names[i], fault);
    }
    return err || !scan->has_terms ? err : scan_check_kept(scan, fault);
}

enum err scan_begin(struct sqlite_reader *reader, const struct report_filter *filter, struct scan *ret_scan,
                    struct fault *fault)
{
    *ret_scan = (struct scan){.filter = filter};
    reader->deadline_ms = reader->timeout_ms ? mono_ms() + reader->timeout_ms : 0;
    enum err err = reader->held ? OK : db_run(&reader->db, reader_statement(reader, R_BEGIN), "begin to read", fault);
    if (!err)
        err = read_closing(reader, ret_scan, fault);
    if (!err)
        err = find_name(reader, filter->has_domain, filter->domain, &ret_scan->domain, fault);
    if (!err)
        err = find_name(reader, filter->has_error, filter->error, &ret_scan->error, fault);
    if (!err)
        err = find_terms(reader, ret_scan, fault);
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
}
