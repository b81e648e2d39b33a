/* packed_log.c: the table log_part as a virtual table of single logs, for statements that read whole logs and can wait.
 * Knows the columns of raw_log. Reports read parts themselves: read/parts.c. */
#include "store/sqlite/packed_log.h"

#include "base/int64.h"
#include "part/part.h"
#include "rollup/tier.h"
#include "time/when.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

enum {
    QUARTER,
    USER,
    DOMAIN,
    ORDER,
    BATCH,
    LINE,
    SECOND,
    PORT,
    PROTOCOL,
    IP_OUT,
    IP_FROM,
    PEER,
    WORKER,
    ERROR,
    COUNT,
    SENT,
    RECEIVED,
    ERRORS,
    DURATION,
    CONCURRENCY,
    IS_FIRST
};

static const char declaration[] =
    "CREATE TABLE packed_log (quarter, user_id, domain, order_id, batch_id, line, second, port, protocol, ip_out,"
    " ip_from, peer, worker, error, count, bytes_sent, bytes_received, error_count, duration_ms, max_concurrency, "
    "is_first HIDDEN)";

static const char parts_sql[] =
    "SELECT day, user_id, columns, id, day * 96 + first_second / 900, day * 96 + last_second / 900 FROM log_part WHERE "
    "day >= ?1 AND day <= ?2 AND user_id >= ?3 AND user_id <= ?4";
static const char day_sql[] = "SELECT day, user_id, columns, id, day * 96 + first_second / 900, day * 96 + last_second "
                              "/ 900 FROM log_part WHERE day = ?1 AND user_id >= ?3 AND user_id <= ?4";

enum { PARTS, DAY, STATEMENTS };

struct packed_table {
    sqlite3_vtab base;
    sqlite3 *handle;
    sqlite3_stmt *idle[STATEMENTS]; /* kept for the next cursor */
};

/* From … to, both among them. */
struct range {
    int64_t from, to;
};

struct packed_cursor {
    sqlite3_vtab_cursor base;
    sqlite3_stmt *statement;
    int which;
    struct range quarters;
    bool is_open, is_at_end; /* a part is open; there is no row */
    bool firsts_only;
    int64_t day, user;
    size_t log;
    struct part part;
};

/* ---- the table ---- */

static int connect_table(sqlite3 *handle, void *ctx, int argc, const char *const *argv, sqlite3_vtab **ret_table,
                         char **ret_error)
{
    (void)ctx, (void)argc, (void)argv, (void)ret_error;
    int result = sqlite3_declare_vtab(handle, declaration);
    if (result)
        return result;
    struct packed_table *table = calloc(1, sizeof *table);
    if (!table)
        return SQLITE_NOMEM;
    table->handle = handle;
    *ret_table = &table->base;
    return SQLITE_OK;
}

static int disconnect(sqlite3_vtab *base)
{
    struct packed_table *table = (struct packed_table *)base;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(table->idle[i]);
    free(table);
    return SQLITE_OK;
}

/* ---- what a statement asks of quarter and user ---- */

/* The bounds that a plan passes on, one letter each: q and Q the least and the greatest quarter, u and U the user. What
 * is asked is checked by SQLite again, so a bound may be one too wide. */
static char letter_of(const struct sqlite3_index_constraint *constraint, bool is_upper)
{
    if (constraint->iColumn == QUARTER)
        return is_upper ? 'Q' : 'q';
    return is_upper ? 'U' : 'u';
}

static bool is_bound(const struct sqlite3_index_constraint *constraint, bool is_upper)
{
    if (!constraint->usable || (constraint->iColumn != QUARTER && constraint->iColumn != USER))
        return false;
    switch (constraint->op) {
    case SQLITE_INDEX_CONSTRAINT_GT:
    case SQLITE_INDEX_CONSTRAINT_GE:
        return !is_upper;
    case SQLITE_INDEX_CONSTRAINT_LT:
    case SQLITE_INDEX_CONSTRAINT_LE:
        return is_upper;
    default:
        return false;
    }
}

static bool is_equality(const struct sqlite3_index_constraint *constraint)
{
    return constraint->usable && constraint->op == SQLITE_INDEX_CONSTRAINT_EQ &&
           (constraint->iColumn == QUARTER || constraint->iColumn == USER || constraint->iColumn == IS_FIRST);
}

static char letter_of_equality(int column)
{
    if (column == IS_FIRST)
        return 'f';
    return column == QUARTER ? 'e' : 'E';
}

/* Equality has letters of its own: e and E; and f for is_first. */
static int best_index(sqlite3_vtab *base, sqlite3_index_info *info)
{
    (void)base;
    char plan[64];
    int count = 0;
    double cost = 1e8;
    for (int i = 0; i < info->nConstraint && count < (int)sizeof plan - 1; i++) {
        const struct sqlite3_index_constraint *constraint = &info->aConstraint[i];
        bool lower = is_bound(constraint, false), upper = is_bound(constraint, true);
        bool equal = is_equality(constraint);
        if (!lower && !upper && !equal)
            continue;
        cost /= equal ? 1000 : 10;
        plan[count++] = equal ? letter_of_equality(constraint->iColumn) : letter_of(constraint, upper);
        info->aConstraintUsage[i].argvIndex = count;
    }
    plan[count] = '\0';
    info->estimatedCost = cost;
    info->idxStr = sqlite3_mprintf("%s", plan);
    info->needToFreeIdxStr = 1;
    return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

static void narrow(struct range *range, char letter, int64_t value)
{
    bool lower = letter == 'q' || letter == 'u', equal = letter == 'e' || letter == 'E';
    if (lower || equal)
        range->from = max64(range->from, value);
    if (!lower || equal)
        range->to = min64(range->to, value);
}

/* ---- a reading ---- */

static int open_cursor(sqlite3_vtab *base, sqlite3_vtab_cursor **ret_cursor)
{
    (void)base;
    struct packed_cursor *cursor = calloc(1, sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    *ret_cursor = &cursor->base;
    return SQLITE_OK;
}

/* Gives the statement back to the table. */
static void put_statement(struct packed_cursor *cursor)
{
    struct packed_table *table = (struct packed_table *)cursor->base.pVtab;
    if (!cursor->statement)
        return;
    sqlite3_reset(cursor->statement);
    sqlite3_finalize(table->idle[cursor->which]);
    table->idle[cursor->which] = cursor->statement;
    cursor->statement = NULL;
}

static int take_statement(struct packed_cursor *cursor, bool is_one_day)
{
    struct packed_table *table = (struct packed_table *)cursor->base.pVtab;
    put_statement(cursor);
    cursor->which = is_one_day ? DAY : PARTS;
    cursor->statement = table->idle[cursor->which];
    table->idle[cursor->which] = NULL;
    if (cursor->statement)
        return SQLITE_OK;
    return sqlite3_prepare_v2(table->handle, is_one_day ? day_sql : parts_sql, -1, &cursor->statement, NULL);
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
    struct packed_cursor *cursor = (struct packed_cursor *)base;
    put_statement(cursor);
    free(cursor);
    return SQLITE_OK;
}

static int64_t quarter_of(const struct packed_cursor *cursor)
{
    return cursor->day * WHEN_QUARTERS_OF_DAY + part_number(&cursor->part, PART_QUARTER, cursor->log);
}

static bool is_outside(const struct packed_cursor *cursor)
{
    return sqlite3_column_int64(cursor->statement, 4) > cursor->quarters.to ||
           sqlite3_column_int64(cursor->statement, 5) < cursor->quarters.from;
}

/* Goes to the first log of the quarters. A part's logs are in order of time: write/compact.c sorts them before it
 * writes, part_open refuses a part that is not as it was written, and verify looks at the order of each (care/parts.c).
 */
static void find_first(struct packed_cursor *cursor)
{
    size_t end = cursor->part.logs;
    cursor->log = 0;
    while (cursor->log < end) {
        size_t low = cursor->log, middle = low + (end - low) / 2;
        cursor->log = middle;
        bool is_before = quarter_of(cursor) < cursor->quarters.from;
        cursor->log = is_before ? middle + 1 : low;
        end = is_before ? end : middle;
    }
}

/* Opens the part that the statement is at. */
static int open_part(struct packed_cursor *cursor)
{
    sqlite3_stmt *statement = cursor->statement;
    cursor->day = sqlite3_column_int64(statement, 0);
    cursor->user = sqlite3_column_int64(statement, 1);
    cursor->is_open =
        part_open(&cursor->part, sqlite3_column_blob(statement, 2), (size_t)sqlite3_column_bytes(statement, 2));
    if (cursor->is_open) {
        find_first(cursor);
        return SQLITE_OK;
    }
    sqlite3_free(cursor->base.pVtab->zErrMsg);
    cursor->base.pVtab->zErrMsg =
        sqlite3_mprintf("log_part is damaged: its row %lld", (long long)sqlite3_column_int64(statement, 3));
    return SQLITE_CORRUPT_VTAB;
}

/* The next part that may have logs of the quarters, or the end. */
static int next_part(struct packed_cursor *cursor)
{
    int result = sqlite3_step(cursor->statement);
    while (result == SQLITE_ROW && is_outside(cursor))
        result = sqlite3_step(cursor->statement);
    cursor->is_open = false;
    cursor->is_at_end = result != SQLITE_ROW;
    if (!cursor->is_at_end)
        return open_part(cursor);
    int end = sqlite3_reset(cursor->statement);
    return result == SQLITE_DONE ? SQLITE_OK : end;
}

/* From cursor->log on, the first log of one of the quarters. */
static int find_log(struct packed_cursor *cursor)
{
    int result = SQLITE_OK;
    while (!result && !cursor->is_at_end) {
        if (cursor->is_open && cursor->log < cursor->part.logs && quarter_of(cursor) <= cursor->quarters.to)
            return SQLITE_OK;
        result = next_part(cursor);
    }
    return result;
}

static int64_t day_of(int64_t quarter)
{
    return when_floor(quarter, WHEN_QUARTERS_OF_DAY) / WHEN_QUARTERS_OF_DAY;
}

static int filter(sqlite3_vtab_cursor *base, int number, const char *plan, int argc, sqlite3_value **argv)
{
    (void)number;
    struct packed_cursor *cursor = (struct packed_cursor *)base;
    struct range users = {INT64_MIN, INT64_MAX};
    cursor->quarters = (struct range){0, INT64_MAX / 2};
    cursor->firsts_only = strchr(plan, 'f') != NULL;
    for (int i = 0; i < argc; i++) {
        bool is_quarter = plan[i] == 'q' || plan[i] == 'Q' || plan[i] == 'e';
        if (plan[i] != 'f')
            narrow(is_quarter ? &cursor->quarters : &users, plan[i], sqlite3_value_int64(argv[i]));
    }
    cursor->is_open = false;
    cursor->is_at_end = cursor->quarters.from > cursor->quarters.to || users.from > users.to;
    if (cursor->is_at_end)
        return SQLITE_OK;
    int64_t first = day_of(cursor->quarters.from), last = day_of(cursor->quarters.to);
    int result = take_statement(cursor, first == last);
    if (result)
        return result;
    sqlite3_bind_int64(cursor->statement, 1, first);
    if (first != last)
        sqlite3_bind_int64(cursor->statement, 2, last);
    sqlite3_bind_int64(cursor->statement, 3, users.from);
    sqlite3_bind_int64(cursor->statement, 4, users.to);
    return find_log(cursor);
}

static int next(sqlite3_vtab_cursor *base)
{
    struct packed_cursor *cursor = (struct packed_cursor *)base;
    cursor->log = cursor->firsts_only ? cursor->part.logs : cursor->log + 1;
    return find_log(cursor);
}

static int is_at_end(sqlite3_vtab_cursor *base)
{
    return ((struct packed_cursor *)base)->is_at_end;
}

/* ---- a row ---- */

static const enum part_column number_of[] = {
    [DOMAIN] = PART_DOMAIN,     [ORDER] = PART_ORDER,       [BATCH] = PART_BATCH,
    [LINE] = PART_LINE,         [SECOND] = PART_SECOND,     [PORT] = PART_PORT,
    [PROTOCOL] = PART_PROTOCOL, [IP_OUT] = PART_IP_OUT,     [IP_FROM] = PART_IP_FROM,
    [PEER] = PART_PEER,         [WORKER] = PART_WORKER,     [ERROR] = PART_ERROR,
    [COUNT] = PART_COUNT,       [SENT] = PART_SENT,         [RECEIVED] = PART_RECEIVED,
    [ERRORS] = PART_ERRORS,     [DURATION] = PART_DURATION, [CONCURRENCY] = PART_CONCURRENCY};

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int index)
{
    const struct packed_cursor *cursor = (const struct packed_cursor *)base;
    if (index == IS_FIRST) {
        sqlite3_result_int(context, cursor->firsts_only);
        return SQLITE_OK;
    }
    if (index == QUARTER || index == USER) {
        sqlite3_result_int64(context, index == QUARTER ? quarter_of(cursor) : cursor->user);
        return SQLITE_OK;
    }
    int64_t number = part_number(&cursor->part, number_of[index], cursor->log);
    if (index == IP_OUT || index == IP_FROM) {
        struct ip ip = part_ip(&cursor->part, number);
        sqlite3_result_blob(context, ip.bytes, ip.len, SQLITE_TRANSIENT);
    } else {
        sqlite3_result_int64(context, number);
    }
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *ret_rowid)
{
    const struct packed_cursor *cursor = (const struct packed_cursor *)base;
    *ret_rowid = sqlite3_column_int64(cursor->statement, 3) * PART_LOGS + (int64_t)cursor->log;
    return SQLITE_OK;
}

/* Without xCreate it is there in every schema, under its module's name. */
static const sqlite3_module module = {.xConnect = connect_table,
                                      .xBestIndex = best_index,
                                      .xDisconnect = disconnect,
                                      .xOpen = open_cursor,
                                      .xClose = close_cursor,
                                      .xFilter = filter,
                                      .xNext = next,
                                      .xEof = is_at_end,
                                      .xColumn = column,
                                      .xRowid = rowid};

enum err sqlite_know_packed_log(struct db *db, struct fault *fault)
{
    if (sqlite3_create_module_v2(db->handle, "packed_log", &module, NULL, NULL))
        return db_fault(db, "packed_log", fault);
    return OK;
}

enum err sqlite_count_logs(struct db *db, int64_t *ret_logs, struct fault *fault)
{
    int64_t version = 0, packed = 0;
    enum err err = db_get_i64(db, "PRAGMA user_version", 0, &version, fault);
    if (!err)
        err = db_get_i64(db, "SELECT count(*) FROM raw_log", 0, ret_logs, fault);
    if (!err && version >= PACKED_LOG_VERSION)
        err = db_get_i64(db, "SELECT sum(logs) FROM log_part", 0, &packed, fault);
    *ret_logs += packed;
    return err;
}
