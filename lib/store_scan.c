/* store_scan.c: the rows that answer a question, from the coarsest tables that can. Knows which table holds what (see
 * schema/). Does not know what is done with the rows. */
#include "store_reader.h"

#include "when.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "banned.h"

static int64_t monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int is_late(void *ctx)
{
    const struct store_reader *reader = ctx;
    return reader->deadline_ms && monotonic_ms() > reader->deadline_ms;
}

/* ---- open and close ---- */

static const char *const reader_sql[] = {
#define READER_TEXT(name, sql) sql,
    READER_SQL(READER_TEXT)
#undef READER_TEXT
};

static enum err prepare(struct store_reader *reader, const char *data_dir, struct fault *fault)
{
    char path[4096];
    struct buf text;
    buf_init(&text, sizeof path);
    buf_puts(&text, data_dir);
    buf_puts(&text, "/analytics.db");
    const char *name = buf_cstr(&text);
    enum err err = name ? db_open(&reader->db, name, DB_READ_ONLY, 1000, fault)
                        : fault_set(fault, ERR_UNAVAILABLE, "the data folder's name is too long");
    buf_release(&text);
    if (!err)
        err = db_check_version(&reader->db, &schema_analytics, fault);
    if (!err)
        err = db_exec(&reader->db, "PRAGMA cache_size=-8192; PRAGMA mmap_size=268435456", fault);
    if (!err)
        err = db_prepare(&reader->db, reader_sql, READER_STATEMENTS, fault);
    return err;
}

enum err store_reader_open(const char *data_dir, struct store_reader **ret_reader, struct fault *fault)
{
    struct store_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    enum err err = prepare(reader, data_dir, fault);
    if (err) {
        store_reader_close(reader);
        return err;
    }
    sqlite3_progress_handler(reader->db.handle, 10000, is_late, reader);
    *ret_reader = reader;
    return OK;
}

void store_reader_close(struct store_reader *reader)
{
    if (!reader)
        return;
    db_close(&reader->db);
    free(reader);
}

void store_reader_set_timeout(struct store_reader *reader, int64_t milliseconds)
{
    reader->timeout_ms = milliseconds;
}

enum err store_reader_health(struct store_reader *reader, int *ret_schema_version, struct fault *fault)
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

static enum err one_i64(struct store_reader *reader, enum reader_statement which, int64_t otherwise, int64_t *ret_value,
                        struct fault *fault)
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

static enum err find_domain(struct store_reader *reader, const struct report_filter *filter, int64_t *ret_id,
                            struct fault *fault)
{
    *ret_id = DOMAIN_ANY;
    if (!filter->has_domain)
        return OK;
    sqlite3_stmt *statement = reader_statement(reader, R_NAME_FIND);
    sqlite3_bind_text(statement, 1, filter->domain.data, (int)filter->domain.len, SQLITE_TRANSIENT);
    return one_i64(reader, R_NAME_FIND, INT64_MIN, ret_id, fault);
}

enum err scan_name(struct store_reader *reader, int64_t id, char **ret_text, struct fault *fault)
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

/* An order is several users' when they share its id. */
static enum err add_order_users(struct store_reader *reader, struct scan *scan, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, R_ORDER_USERS);
    bool row = true;
    sqlite3_bind_int64(statement, 1, scan->filter->order_id);
    enum err err = db_step(&reader->db, statement, "read an order's users", &row, fault);
    while (!err && row) {
        err = add_user(scan, sqlite3_column_int64(statement, 0), fault);
        if (!err)
            err = db_step(&reader->db, statement, "read an order's users", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

static enum err find_users(struct store_reader *reader, struct scan *scan, struct fault *fault)
{
    if (scan->domain == INT64_MIN || scan->filter->from >= scan->filter->to)
        return OK; /* nobody */
    if (scan->filter->user_id || !scan->filter->order_id)
        return add_user(scan, scan->filter->user_id, fault);
    return add_order_users(reader, scan, fault);
}

enum err scan_begin(struct store_reader *reader, const struct report_filter *filter, struct scan *ret_scan,
                    struct fault *fault)
{
    *ret_scan = (struct scan){.filter = filter};
    reader->deadline_ms = reader->timeout_ms ? monotonic_ms() + reader->timeout_ms : 0;
    enum err err = db_exec(&reader->db, "BEGIN", fault);
    if (!err)
        err = one_i64(reader, R_CLOSED_DAY, 0, &ret_scan->closed_day, fault);
    if (!err)
        err = find_domain(reader, filter, &ret_scan->domain, fault);
    if (!err)
        err = find_users(reader, ret_scan, fault);
    return err;
}

void scan_end(struct store_reader *reader, struct scan *scan)
{
    reader->deadline_ms = 0;
    db_rollback(&reader->db);
    free(scan->users);
    scan->users = NULL;
}

/* ---- rows ---- */

/* Tiers that hold rows for this source and user. */
static struct tier_set tiers_of(const struct scan *scan, enum scan_source source, int64_t user, enum tier widest)
{
    struct tier_set set = {.closed_day = scan->closed_day};
    for (int tier = 0; tier <= (int)widest; tier++)
        set.mask |= 1u << tier;
    if (source == SCAN_TRAFFIC) {
        set.closed_day = INT64_MAX;
        set.mask &= 1u << TIER_QUARTER | 1u << TIER_HOUR | 1u << TIER_DAY;
    } else if (user) {
        set.mask &= ~(1u << TIER_HOUR);
    }
    return set;
}

static enum reader_statement raw_statement(const struct scan *scan, int64_t user)
{
    if (!user)
        return R_RAW_ALL;
    return scan->domain == DOMAIN_ANY ? R_RAW_USER : R_RAW_USER_DOMAIN;
}

static enum reader_statement statement_for(const struct scan *scan, enum scan_source source, int64_t user,
                                           const struct piece *piece)
{
    if (piece_is_partial(piece))
        return raw_statement(scan, user);
    if (source == SCAN_TRAFFIC)
        return piece->tier == TIER_QUARTER && scan->filter->order_id ? raw_statement(scan, user) : R_TRAFFIC;
    if (piece->tier == TIER_QUARTER)
        return raw_statement(scan, user);
    if (source == SCAN_ERRORS)
        return R_ERROR_EACH;
    return scan->domain == DOMAIN_ANY ? R_DOMAIN_EACH : R_DOMAIN_ONE;
}

static void bind(sqlite3_stmt *statement, int index, int64_t value)
{
    if (index <= sqlite3_bind_parameter_count(statement))
        sqlite3_bind_int64(statement, index, value);
}

static void bind_piece(sqlite3_stmt *statement, const struct scan *scan, int64_t user, const struct piece *piece)
{
    bind(statement, 1, piece->tier);
    bind(statement, 3, user);
    bind(statement, 4, scan->domain);
    bind(statement, 5, scan->filter->order_id);
    bind(statement, 6, piece->from_second);
    bind(statement, 7, piece->to_second);
}

static struct scan_row read_row(sqlite3_stmt *statement, int64_t bucket_start)
{
    int64_t at = sqlite3_column_int64(statement, 0);
    struct scan_row row = {.at = at ? at : bucket_start,
                           .error = sqlite3_column_int64(statement, 1),
                           .domain = sqlite3_column_int64(statement, 2),
                           .totals = {.count = sqlite3_column_int64(statement, 3),
                                      .bytes_sent = sqlite3_column_int64(statement, 4),
                                      .bytes_received = sqlite3_column_int64(statement, 5),
                                      .errors = sqlite3_column_int64(statement, 6),
                                      .max_concurrency = sqlite3_column_int64(statement, 7),
                                      .first = sqlite3_column_int64(statement, 8),
                                      .last = sqlite3_column_int64(statement, 9)}};
    return row;
}

/* The rows of one bucket. raw_log holds logs without an error too: the errors report skips those. */
static enum err scan_bucket(struct store_reader *reader, sqlite3_stmt *statement, enum scan_source source,
                            int64_t bucket_start, scan_sink sink, void *ctx, struct fault *fault)
{
    bool more = true;
    enum err err = db_step(&reader->db, statement, "read", &more, fault);
    while (!err && more) {
        struct scan_row row = read_row(statement, bucket_start);
        if ((source != SCAN_ERRORS || row.error) && sink(ctx, &row))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        if (!err)
            err = db_step(&reader->db, statement, "read", &more, fault);
    }
    sqlite3_reset(statement);
    return err;
}

static enum err scan_piece(struct store_reader *reader, const struct scan *scan, enum scan_source source, int64_t user,
                           const struct piece *piece, scan_sink sink, void *ctx, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, statement_for(scan, source, user, piece));
    int64_t width = tier_width(piece->tier);
    enum err err = OK;
    bind_piece(statement, scan, user, piece);
    for (int64_t bucket = piece->begin; !err && bucket < piece->end; bucket++) {
        if (is_late(reader))
            return fault_set(fault, ERR_QUERY_TIMEOUT, "the report took longer than allowed");
        sqlite3_bind_int64(statement, 2, bucket);
        err = scan_bucket(reader, statement, source, bucket * width, sink, ctx, fault);
    }
    return err;
}

enum err scan_run(struct store_reader *reader, const struct scan *scan, enum scan_source source, enum tier widest,
                  scan_sink sink, void *ctx, struct fault *fault)
{
    enum err err = OK;
    for (size_t i = 0; !err && i < scan->user_count; i++) {
        struct piece pieces[PIECE_MAX];
        struct tier_set tiers = tiers_of(scan, source, scan->users[i], widest);
        size_t count = tier_cover(scan->filter->from, scan->filter->to, tiers, pieces);
        for (size_t j = 0; !err && j < count; j++)
            err = scan_piece(reader, scan, source, scan->users[i], &pieces[j], sink, ctx, fault);
    }
    return err;
}
