/* method.c: which statement reads a piece: from the table that holds the fewest rows which know what is asked. Knows
 * what each table knows (see schema/). Reads nothing. */
#include "store/sqlite/read/method.h"

#include "store/sqlite/value_day.h"

#include "base/banned.h"

/* Nothing is asked for that only logs and packed entries know. */
static bool is_plain(const struct scan *scan)
{
    return scan->domain == NAME_ANY && scan->error == NAME_ANY && !scan->filter->has_domain &&
           !scan->filter->without[BY_DOMAIN].is_set;
}

static enum reader_statement value_statement(const struct pass *pass, const struct piece *piece)
{
    enum reader_statement first = R_BY_WORKER + (VALUES_OF_USER_DOMAIN + 1) * (enum reader_statement)pass->by;
    bool any_domain = pass->scan->domain == NAME_ANY;
    if (pass->user)
        return first + (any_domain ? VALUES_OF_USER : VALUES_OF_USER_DOMAIN);
    return first + (is_plain(pass->scan) && !piece_is_partial(piece) ? VALUES_OF_RUN : VALUES_OF_PART);
}

static struct method log_method(const struct pass *pass)
{
    return (struct method){pass->user ? R_LOGS_OF_USER : R_LOGS, !pass->user, pass_take_log, true};
}

static struct method chunk_method(const struct pass *pass)
{
    return (struct method){pass->scan->domain == NAME_ANY ? R_CHUNKS : R_CHUNK_OF_DOMAIN, false, pass_take_chunk,
                           false};
}

/* A breakdown reads orders and users from rollups, and everything else from the logs, but for whole days of everyone.
 */
static struct method value_method(const struct pass *pass, const struct piece *piece)
{
    bool plain = is_plain(pass->scan), everyone = pass->user == 0;
    if (piece->tier == TIER_DAY && value_dimension(pass->by))
        return (struct method){R_VALUES, true, pass_take_value, false};
    if (piece->tier == TIER_DAY && plain)
        return (struct method){R_DAYS_OF_ORDERS, true, pass_take_owner, false};
    if (piece->tier == TIER_HOUR && plain)
        return (struct method){everyone ? R_HOUR_OF_ORDERS : R_HOUR_OF_USER, false, pass_take_owner, false};
    if (piece->tier != TIER_QUARTER)
        return chunk_method(pass);
    if (pass->by == BY_USER && everyone && plain && !piece_is_partial(piece))
        return (struct method){R_QUARTER_OF_USERS, false, pass_take_owner, false};
    if (pass->scan->match)
        return log_method(pass);
    return (struct method){value_statement(pass, piece), everyone, pass_take_nothing, true};
}

struct method method_for(const struct pass *pass, const struct piece *piece)
{
    bool any_domain = pass->scan->domain == NAME_ANY;
    if (pass->scan->has_terms)
        return log_method(pass);
    if (pass->source == SCAN_VALUES)
        return value_method(pass, piece);
    if (piece->tier == TIER_DAY && pass->source == SCAN_TRAFFIC)
        return (struct method){R_DAYS, true, pass_take_traffic, false};
    if (piece->tier == TIER_HOUR && pass->source == SCAN_TRAFFIC)
        return (struct method){R_HOUR, false, pass_take_traffic, false};
    if (piece->tier != TIER_QUARTER)
        return chunk_method(pass);
    if (pass->source == SCAN_TRAFFIC && !piece_is_partial(piece) && !pass->scan->filter->order_id)
        return (struct method){R_QUARTER, false, pass_take_traffic, false};
    if (pass->scan->match)
        return log_method(pass);
    if (!pass->user)
        return (struct method){R_RAW_ALL, false, pass_take_raw, true};
    return (struct method){any_domain ? R_RAW_USER : R_RAW_USER_DOMAIN, false, pass_take_raw, true};
}

static void bind(sqlite3_stmt *statement, int index, int64_t value)
{
    if (index <= sqlite3_bind_parameter_count(statement))
        sqlite3_bind_int64(statement, index, value);
}

/* NULL for what is not asked. An address that is none is a blob of no bytes. */
static void bind_term(sqlite3_stmt *statement, const struct scan *scan, enum dimension by)
{
    const struct report_term *term = &scan->filter->terms[by];
    int index = PARAMETER_OF_TERMS + (int)by;
    if (!term->is_set)
        sqlite3_bind_null(statement, index);
    else if (dimensions[by].kind == VALUE_NAME)
        sqlite3_bind_int64(statement, index, scan->names[by]);
    else if (dimensions[by].kind == VALUE_NUMBER)
        sqlite3_bind_int64(statement, index, term->number);
    else
        sqlite3_bind_blob(statement, index, term->ip.bytes, term->ip.len, SQLITE_TRANSIENT);
}

void method_bind(const struct method *method, const struct pass *pass, const struct piece *piece)
{
    sqlite3_stmt *statement = reader_statement(pass->reader, method->statement);
    bind(statement, 1, method->statement == R_VALUES ? value_dimension(pass->by) : (int64_t)piece->tier);
    bind(statement, 3, pass->user);
    bind(statement, 4, pass->scan->domain);
    bind(statement, 5, pass->scan->filter->order_id);
    bind(statement, 6, piece->from_second);
    bind(statement, 7, piece->to_second);
    bind(statement, 8, pass->source == SCAN_ERRORS || pass->scan->error != NAME_ANY);
    bind(statement, 9, piece->end);
    bind(statement, 10, pass->scan->error);
    bool reads_logs = method->take == pass_take_log;
    for (enum dimension by = 0; reads_logs && by < TERMS; by++)
        bind_term(statement, pass->scan, by);
}
