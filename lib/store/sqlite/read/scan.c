/* scan.c: the rows that answer a question, from the coarsest tables that can. Knows which table holds what (see
 * schema/). Does not know what is done with the rows. */
#include "store/sqlite/read/reader.h"

#include "db/files.h"
#include "rollup/pack.h"
#include "time/mono.h"
#include "time/when.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static int is_late(void *ctx)
{
    const struct sqlite_reader *reader = ctx;
    return reader->deadline_ms && mono_ms() > reader->deadline_ms;
}

/* ---- one reading ---- */

/* One reading of one piece of the range. */
struct pass {
    struct sqlite_reader *reader;
    const struct scan *scan;
    enum scan_source source;
    enum dimension by;
    int64_t user;
    scan_sink sink;
    void *ctx;
    struct fault *fault;
};

static enum err give(const struct pass *pass, const struct scan_row *row)
{
    if (pass->sink(pass->ctx, row))
        return fault_set(pass->fault, ERR_UNAVAILABLE, "out of memory");
    return OK;
}

/* The aggregate "tally" of the statements for breakdowns: a value and the measures of one log. Ten million logs are
 * stepped through inside of SQLite a third faster than row by row out here. */
static void add_value(sqlite3_context *context, int count, sqlite3_value **values)
{
    const struct sqlite_reader *reader = sqlite3_user_data(context);
    struct scan_row row = {.totals = {.count = sqlite3_value_int64(values[1]),
                                      .bytes_sent = sqlite3_value_int64(values[2]),
                                      .bytes_received = sqlite3_value_int64(values[3]),
                                      .errors = sqlite3_value_int64(values[4]),
                                      .max_concurrency = sqlite3_value_int64(values[5])}};
    (void)count;
    if (reader->pass->by == BY_IP_OUT)
        row.ip = (struct slice){sqlite3_value_blob(values[0]), (size_t)sqlite3_value_bytes(values[0])};
    else
        row.value = sqlite3_value_int64(values[0]);
    if (give(reader->pass, &row))
        sqlite3_result_error_nomem(context);
}

static void add_no_more(sqlite3_context *context)
{
    sqlite3_result_null(context);
}

static enum err make_aggregate(struct sqlite_reader *reader, struct fault *fault)
{
    int flags = SQLITE_UTF8 | SQLITE_DIRECTONLY;
    if (sqlite3_create_function_v2(reader->db.handle, "tally", 6, flags, reader, NULL, add_value, add_no_more, NULL))
        return db_fault(&reader->db, "tally", fault);
    return OK;
}

/* ---- open and close ---- */

static const char *const reader_sql[] = {
#define READER_TEXT(name, sql) sql,
    READER_SQL(READER_TEXT)
#undef READER_TEXT
};

static enum err prepare(struct sqlite_reader *reader, const char *data_dir, struct fault *fault)
{
    char path[4096];
    struct buf text;
    buf_init(&text, sizeof path);
    buf_puts(&text, data_dir);
    buf_puts(&text, "/" FILE_LOGS);
    const char *name = buf_cstr(&text);
    enum err err = name ? db_open(&reader->db, name, DB_READ_ONLY, 1000, fault)
                        : fault_set(fault, ERR_UNAVAILABLE, "the data folder's name is too long");
    buf_release(&text);
    if (!err)
        state_identify(reader, reader->db.path);
    if (!err)
        err = db_check_version(&reader->db, &schema_analytics, fault);
    if (!err)
        err = db_exec(&reader->db, "PRAGMA cache_size=-8192", fault);
    if (!err)
        err = make_aggregate(reader, fault);
    if (!err)
        err = db_prepare(&reader->db, reader_sql, READER_STATEMENTS, fault);
    return err;
}

enum err sqlite_reader_open(const char *data_dir, struct sqlite_reader **ret_reader, struct fault *fault)
{
    struct sqlite_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    reader->base.engine = &store_engine_sqlite;
    enum err err = prepare(reader, data_dir, fault);
    if (err) {
        sqlite_reader_close(reader);
        return err;
    }
    sqlite3_progress_handler(reader->db.handle, 10000, is_late, reader);
    *ret_reader = reader;
    return OK;
}

bool sqlite_reader_is_stale(struct sqlite_reader *reader)
{
    return !reader->held && db_has_moved(&reader->db);
}

void sqlite_reader_close(struct sqlite_reader *reader)
{
    if (!reader)
        return;
    db_close(&reader->db);
    tally_cache_release(&reader->cache);
    free(reader);
}

enum err sqlite_reader_health(struct sqlite_reader *reader, int *ret_schema_version, struct fault *fault)
{
    int64_t version = 0, rows = 0;
    enum err err = db_get_i64(&reader->db, "PRAGMA user_version", 0, &version, fault);
    if (!err)
        err = db_get_i64(&reader->db, "SELECT closed_day FROM closing", 0, &rows, fault);
    if (!err)
        *ret_schema_version = (int)version;
    return err;
}

/* ---- single values ---- */

static enum err one_i64(struct sqlite_reader *reader, enum reader_statement which, int64_t otherwise,
                        int64_t *ret_value, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, which);
    bool row = false;
    enum err err = db_step(&reader->db, statement, "read", &row, fault);
    if (err)
        return err;
    *ret_value = row ? sqlite3_column_int64(statement, 0) : otherwise;
    sqlite3_reset(statement);
    return OK;
}

/* INT64_MIN for a text that no log has. */
static enum err find_name(struct sqlite_reader *reader, bool is_asked, struct slice text, int64_t *ret_id,
                          struct fault *fault)
{
    *ret_id = NAME_ANY;
    if (!is_asked)
        return OK;
    sqlite3_stmt *statement = reader_statement(reader, R_NAME_FIND);
    sqlite3_bind_text(statement, 1, text.data, (int)text.len, SQLITE_TRANSIENT);
    return one_i64(reader, R_NAME_FIND, INT64_MIN, ret_id, fault);
}

enum err scan_name(struct sqlite_reader *reader, int64_t id, char **ret_text, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, R_NAME_TEXT);
    bool row = false;
    sqlite3_bind_int64(statement, 1, id);
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

/* The first read: it fixes the moment that the whole transaction sees. */
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
        err = find_users(reader, ret_scan, fault);
    return err;
}

void scan_end(struct sqlite_reader *reader, struct scan *scan)
{
    struct fault ignored;
    reader->deadline_ms = 0;
    if (!reader->held && db_run(&reader->db, reader_statement(reader, R_END), "end reading", &ignored))
        db_rollback(&reader->db);
    free(scan->users);
    scan->users = NULL;
}

/* ---- rows ---- */

/* A row of traffic_quarter, traffic_hour or traffic_day. */
static enum err take_traffic(const struct pass *pass, sqlite3_stmt *statement, int64_t start)
{
    (void)start; /* it says itself when it is */
    struct scan_row row = {.at = sqlite3_column_int64(statement, 0),
                           .totals = {.count = sqlite3_column_int64(statement, 1),
                                      .bytes_sent = sqlite3_column_int64(statement, 2),
                                      .bytes_received = sqlite3_column_int64(statement, 3),
                                      .errors = sqlite3_column_int64(statement, 4),
                                      .max_concurrency = sqlite3_column_int64(statement, 5)}};
    return give(pass, &row);
}

/* Is it among the logs that name an error? Where one is asked for, it is the one? */
static bool wanted_error(const struct scan *scan, int64_t error)
{
    return error != 0 && (scan->error == NAME_ANY || error == scan->error);
}

/* A row of raw_log. SCAN_ERRORS skips logs without one. */
static enum err take_raw(const struct pass *pass, sqlite3_stmt *statement, int64_t start)
{
    struct scan_row row = {.at = start + sqlite3_column_int64(statement, 7),
                           .error = sqlite3_column_int64(statement, 0),
                           .domain = sqlite3_column_int64(statement, 1)};
    if (pass->source == SCAN_ERRORS && !wanted_error(pass->scan, row.error))
        return OK;
    row.totals = (struct totals){.count = sqlite3_column_int64(statement, 2),
                                 .bytes_sent = sqlite3_column_int64(statement, 3),
                                 .bytes_received = sqlite3_column_int64(statement, 4),
                                 .errors = sqlite3_column_int64(statement, 5),
                                 .max_concurrency = sqlite3_column_int64(statement, 6),
                                 .first = row.at,
                                 .last = row.at};
    return give(pass, &row);
}

static struct totals column_totals(sqlite3_stmt *statement, int first)
{
    return (struct totals){.count = sqlite3_column_int64(statement, first),
                           .bytes_sent = sqlite3_column_int64(statement, first + 1),
                           .bytes_received = sqlite3_column_int64(statement, first + 2),
                           .errors = sqlite3_column_int64(statement, first + 3),
                           .max_concurrency = sqlite3_column_int64(statement, first + 4)};
}

/* The logs of a breakdown have gone to the sink by now: see add_value. */
static enum err take_nothing(const struct pass *pass, sqlite3_stmt *statement, int64_t start)
{
    (void)pass;
    (void)statement;
    (void)start;
    return OK;
}

/* A row of a traffic table, of one user and order. */
static enum err take_owner(const struct pass *pass, sqlite3_stmt *statement, int64_t start)
{
    (void)start;
    struct scan_row row = {.value = sqlite3_column_int64(statement, pass->by == BY_USER ? 0 : 1),
                           .totals = column_totals(statement, 2)};
    return give(pass, &row);
}

static bool wanted(const struct scan *scan, const struct fold_key *key)
{
    int64_t order = scan->filter->order_id;
    return (scan->domain == NAME_ANY || key->domain == scan->domain) &&
           (scan->error == NAME_ANY || key->error == scan->error) && (!order || key->order_id == order);
}

/* A row of rollup_chunk: many entries. */
static enum err take_chunk(const struct pass *pass, sqlite3_stmt *statement, int64_t start)
{
    struct pack_reader chunk;
    struct scan_row row = {.at = start};
    enum err err = OK;
    pack_open(&chunk, sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0), start,
              pass->scan->filter->order_id != 0 || (pass->source == SCAN_VALUES && pass->by == BY_ORDER));
    while (!err && pack_next(&chunk, &row.totals)) {
        row.error = chunk.key.error;
        row.domain = chunk.key.domain;
        row.value = pass->by == BY_USER ? pass->user : chunk.key.order_id;
        if (wanted(pass->scan, &chunk.key))
            err = give(pass, &row);
    }
    return chunk.damaged ? fault_set(pass->fault, ERR_UNAVAILABLE, "rollup_chunk is damaged") : err;
}

/* Nothing is asked for that only logs and packed entries know. */
static bool is_plain(const struct scan *scan)
{
    return scan->domain == NAME_ANY && scan->error == NAME_ANY;
}

/* How a piece is read: bucket by bucket, or in one run. */
struct method {
    enum reader_statement statement;
    bool whole_run;
    enum err (*take)(const struct pass *pass, sqlite3_stmt *statement, int64_t start);
};

static enum reader_statement value_statement(const struct pass *pass, const struct piece *piece)
{
    static const enum reader_statement first[DIMENSIONS] = {
        [BY_WORKER] = R_BY_WORKER, [BY_PEER] = R_BY_PEER,   [BY_PROTOCOL] = R_BY_PROTOCOL, [BY_PORT] = R_BY_PORT,
        [BY_IP_OUT] = R_BY_IP_OUT, [BY_ORDER] = R_BY_ORDER, [BY_USER] = R_BY_USER,         [BY_ERROR] = R_BY_ERROR,
    };
    bool any_domain = pass->scan->domain == NAME_ANY;
    if (pass->user)
        return first[pass->by] + (any_domain ? VALUES_OF_USER : VALUES_OF_USER_DOMAIN);
    return first[pass->by] + (is_plain(pass->scan) && !piece_is_partial(piece) ? VALUES_OF_RUN : VALUES_OF_PART);
}

static struct method chunk_method(const struct pass *pass)
{
    return (struct method){pass->scan->domain == NAME_ANY ? R_CHUNKS : R_CHUNK_OF_DOMAIN, false, take_chunk};
}

/* Of a breakdown: orders and users from what is rolled up, everything else from the logs. */
static struct method value_method(const struct pass *pass, const struct piece *piece)
{
    bool plain = is_plain(pass->scan), everyone = pass->user == 0;
    if (piece->tier == TIER_DAY && plain)
        return (struct method){R_DAYS_OF_ORDERS, true, take_owner};
    if (piece->tier == TIER_HOUR && plain)
        return (struct method){everyone ? R_HOUR_OF_ORDERS : R_HOUR_OF_USER, false, take_owner};
    if (piece->tier != TIER_QUARTER)
        return chunk_method(pass);
    if (pass->by == BY_USER && everyone && plain && !piece_is_partial(piece))
        return (struct method){R_QUARTER_OF_USERS, false, take_owner};
    return (struct method){value_statement(pass, piece), everyone, take_nothing};
}

static struct method method_for(const struct pass *pass, const struct piece *piece)
{
    bool any_domain = pass->scan->domain == NAME_ANY;
    if (pass->source == SCAN_VALUES)
        return value_method(pass, piece);
    if (piece->tier == TIER_DAY && pass->source == SCAN_TRAFFIC)
        return (struct method){R_DAYS, true, take_traffic};
    if (piece->tier == TIER_HOUR && pass->source == SCAN_TRAFFIC)
        return (struct method){R_HOUR, false, take_traffic};
    if (piece->tier != TIER_QUARTER)
        return chunk_method(pass);
    if (pass->source == SCAN_TRAFFIC && !piece_is_partial(piece) && !pass->scan->filter->order_id)
        return (struct method){R_QUARTER, false, take_traffic};
    if (!pass->user)
        return (struct method){R_RAW_ALL, false, take_raw};
    return (struct method){any_domain ? R_RAW_USER : R_RAW_USER_DOMAIN, false, take_raw};
}

static void bind(sqlite3_stmt *statement, int index, int64_t value)
{
    if (index <= sqlite3_bind_parameter_count(statement))
        sqlite3_bind_int64(statement, index, value);
}

static void bind_piece(sqlite3_stmt *statement, const struct pass *pass, const struct piece *piece)
{
    bind(statement, 1, piece->tier);
    bind(statement, 3, pass->user);
    bind(statement, 4, pass->scan->domain);
    bind(statement, 5, pass->scan->filter->order_id);
    bind(statement, 6, piece->from_second);
    bind(statement, 7, piece->to_second);
    bind(statement, 8, pass->source == SCAN_ERRORS || pass->scan->error != NAME_ANY);
    bind(statement, 9, piece->end);
    bind(statement, 10, pass->scan->error);
}

/* The bucket, or the run that begins with it. */
static enum err scan_bucket(const struct pass *pass, const struct method *method, int64_t bucket, int64_t start)
{
    struct db *db = &pass->reader->db;
    sqlite3_stmt *statement = reader_statement(pass->reader, method->statement);
    bool more = true;
    pass->reader->pass = pass;
    sqlite3_bind_int64(statement, 2, bucket);
    enum err err = db_step(db, statement, "read", &more, pass->fault);
    while (!err && more) {
        err = method->take(pass, statement, start);
        if (!err)
            err = db_step(db, statement, "read", &more, pass->fault);
    }
    sqlite3_reset(statement);
    pass->reader->pass = NULL;
    return err;
}

enum err scan_seconds(struct sqlite_reader *reader, int64_t user, int64_t quarter, int64_t *ret_first,
                      int64_t *ret_last, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, R_SECONDS);
    bool row = false;
    sqlite3_bind_int64(statement, 2, quarter);
    sqlite3_bind_int64(statement, 3, user);
    enum err err = db_step(&reader->db, statement, "read", &row, fault);
    if (err)
        return err;
    *ret_first = row ? sqlite3_column_int64(statement, 0) : WHEN_QUARTER;
    *ret_last = row ? sqlite3_column_int64(statement, 1) : -1;
    sqlite3_reset(statement);
    return OK;
}

/* A part of a quarter: *ret_none when the user's logs of the quarter lie outside of it; the whole quarter when they all
 * lie inside. */
static enum err settle_partial(const struct pass *pass, struct piece *piece, bool *ret_none)
{
    int64_t first, last;
    enum err err = scan_seconds(pass->reader, pass->user, piece->begin, &first, &last, pass->fault);
    if (err)
        return err;
    *ret_none = first >= piece->to_second || last < piece->from_second;
    if (first >= piece->from_second && last < piece->to_second) {
        piece->from_second = 0;
        piece->to_second = WHEN_QUARTER;
    }
    return OK;
}

static enum err scan_whole(const struct pass *pass, const struct piece *piece)
{
    struct method method = method_for(pass, piece);
    int64_t width = tier_width(piece->tier);
    enum err err = OK;
    bind_piece(reader_statement(pass->reader, method.statement), pass, piece);
    int64_t end = method.whole_run ? piece->begin + 1 : piece->end;
    for (int64_t bucket = piece->begin; !err && bucket < end; bucket++) {
        if (is_late(pass->reader))
            return fault_set(pass->fault, ERR_QUERY_TIMEOUT, "the report took longer than allowed");
        err = scan_bucket(pass, &method, bucket, bucket * width);
    }
    return err;
}

static enum err scan_piece(const struct pass *pass, const struct piece *given)
{
    struct piece piece = *given;
    bool none = false;
    enum err err = piece_is_partial(&piece) ? settle_partial(pass, &piece, &none) : OK;
    return err || none ? err : scan_whole(pass, &piece);
}

/* From when up to when each tier has its rows. Charts need tiers that nest in their buckets, and traffic ends with the
 * day. But where a narrower tier is gone, hours and days stand in for it, whatever is asked. */
static struct tier_set tiers_of(const struct scan *scan, enum scan_source source, enum tier widest)
{
    bool has_quarters = source == SCAN_TRAFFIC && !scan->filter->order_id; /* else raw logs stand for them */
    struct tier_set set = {.from = {has_quarters ? scan->hour_from : scan->raw_from, scan->hour_from, scan->day_from,
                                    scan->day_from, scan->day_from},
                           .raw_from = scan->raw_from};
    if (source == SCAN_TRAFFIC && widest > TIER_DAY)
        widest = TIER_DAY;
    for (int tier = TIER_HOUR; tier <= (int)widest; tier++)
        set.until[tier] = tier == TIER_HOUR ? scan->closed_hour * WHEN_HOUR : scan->closed_day * WHEN_DAY;
    for (int tier = (int)widest + 1; tier <= TIER_DAY; tier++)
        set.until[tier] = set.from[tier - 1];
    return set;
}

void scan_closed_part(const struct scan *scan, int64_t *ret_from, int64_t *ret_to)
{
    int64_t from = when_ceil(scan->filter->from, WHEN_HOUR), to = when_floor(scan->filter->to, WHEN_HOUR);
    int64_t closed = scan->closed_hour * WHEN_HOUR;
    to = to < closed ? to : closed;
    *ret_from = from;
    *ret_to = to > from ? to : from;
}

enum err scan_run(struct sqlite_reader *reader, const struct scan *scan, const struct scan_order *order,
                  struct fault *fault)
{
    struct pass pass = {reader, scan, order->source, order->by, 0, order->sink, order->ctx, fault};
    struct piece pieces[PIECE_MAX];
    struct tier_set tiers = tiers_of(scan, order->source, order->widest);
    size_t count = tier_cover(order->from, order->to, &tiers, pieces);
    enum err err = OK;
    for (size_t i = 0; !err && i < scan->user_count; i++) {
        pass.user = scan->users[i];
        for (size_t j = 0; !err && j < count; j++)
            err = scan_piece(&pass, &pieces[j]);
    }
    return err;
}
