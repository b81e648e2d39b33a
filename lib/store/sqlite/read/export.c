/* export.c: raw logs in order of time, a page of them in each read transaction. Knows where the next page begins.
 * Knows no text format. */
#include "store/sqlite/ops.h"

#include "db/db.h"
#include "store/sqlite/file.h"
#include "store/sqlite/log_names.h"
#include "store/sqlite/packed_log.h"
#include "store/sqlite/row.h"
#include "rollup/tier.h"
#include "time/when.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* Logs of one page. A page sorts all logs of its quarter of an hour, so it should not be much less than a quarter has.
 */
#define PAGE_LOGS 20000

/* The order within a quarter. */
#define ORDER "second, user_id, domain, order_id, batch_id, line"

/* ?1 quarter; ?2 and ?3 its seconds, from and to; ?4 user; ?5 order, 0 for any; ?6 … ?11 the last log before the page;
 * ?12 how many. Names come in the order of enum name_field. */
#define PAGE(user)                                                                                                     \
    "SELECT domain, error, protocol, peer, worker, " ORDER                                                             \
    ", port, ip_out, ip_from, count, bytes_sent, bytes_received, error_count, duration_ms,"                            \
    " max_concurrency FROM (SELECT * FROM " STORED_LOG " WHERE quarter = ?1 AND second >= ?2"                          \
    " AND second < ?3" user " AND (?5 = 0 OR order_id = ?5) AND (" ORDER                                               \
    ") > (?6, ?7, ?8, ?9, ?10, ?11) ORDER BY " ORDER " LIMIT ?12) AS page"

#define EXPORT_SQL(X)                                                                                                  \
    X(E_NEXT_QUARTER, NEXT_STORED_QUARTER("max(?1, (SELECT raw_from * 96 FROM retention))"))                           \
    X(E_PAGE, PAGE(""))                                                                                                \
    X(E_PAGE_OF_USER, PAGE(" AND user_id = ?4"))                                                                       \
    X(E_NAME, LOG_NAMES_SQL)

enum export_statement {
#define EXPORT_ENUM(name, sql) name,
    EXPORT_SQL(EXPORT_ENUM)
#undef EXPORT_ENUM
        EXPORT_STATEMENTS
};

static const char *const export_sql[] = {
#define EXPORT_TEXT(name, sql) sql,
    EXPORT_SQL(EXPORT_TEXT)
#undef EXPORT_TEXT
};

enum { PLACE_COLUMNS = 6 };

struct sqlite_export {
    struct store_export base;
    struct db db;
    struct store_export_filter filter;
    struct log_names names;
    int64_t quarter;              /* being read */
    int64_t after[PLACE_COLUMNS]; /* of it, the last log given; all -1 at first */
};

static enum err prepare(struct sqlite_export *export, const char *data_dir, struct fault *fault)
{
    enum err err = sqlite_file_open_logs(data_dir, &export->db, fault);
    if (!err)
        err = db_exec(&export->db, "PRAGMA cache_size=-8192", fault);
    return err ? err : db_prepare(&export->db, export_sql, EXPORT_STATEMENTS, fault);
}

static void begin_quarter(struct sqlite_export *export, int64_t quarter)
{
    export->quarter = quarter;
    for (int i = 0; i < PLACE_COLUMNS; i++)
        export->after[i] = -1;
}

static void close_export(struct store_export *base)
{
    struct sqlite_export *export = (struct sqlite_export *)base;
    db_close(&export->db);
    log_names_release(&export->names);
    free(export);
}

static enum err open_export(const struct store_place *place, const struct store_export_filter *filter,
                            struct store_export **ret_export, struct fault *fault)
{
    struct sqlite_export *export = calloc(1, sizeof *export);
    if (!export)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    export->base.engine = &store_engine_sqlite;
    export->filter = *filter;
    begin_quarter(export, tier_bucket(TIER_QUARTER, filter->from));
    enum err err = prepare(export, place->data_dir, fault);
    if (!err)
        *ret_export = &export->base;
    else
        close_export(&export->base);
    return err;
}

/* ---- one page ---- */

static sqlite3_stmt *bind_page(struct sqlite_export *export)
{
    const struct store_export_filter *filter = &export->filter;
    sqlite3_stmt *statement = export->db.statements[filter->user_id ? E_PAGE_OF_USER : E_PAGE];
    int64_t begin = export->quarter * WHEN_QUARTER;
    sqlite3_bind_int64(statement, 1, export->quarter);
    sqlite3_bind_int64(statement, 2, filter->from - begin);
    sqlite3_bind_int64(statement, 3, filter->to - begin);
    sqlite3_bind_int64(statement, 4, filter->user_id);
    sqlite3_bind_int64(statement, 5, filter->order_id);
    for (int i = 0; i < PLACE_COLUMNS; i++)
        sqlite3_bind_int64(statement, 6 + i, export->after[i]);
    sqlite3_bind_int64(statement, 12, PAGE_LOGS);
    return statement;
}

/* Notes in export->after where the row stands. */
static enum err read_row(struct sqlite_export *export, sqlite3_stmt *statement, struct log_record *ret_record,
                         struct log_text *ret_log, struct fault *fault)
{
    int column = NAME_FIELDS;
    for (int i = 0; i < PLACE_COLUMNS; i++)
        export->after[i] = sqlite3_column_int64(statement, column++);
    ret_record->ts = export->quarter * WHEN_QUARTER + export->after[0];
    ret_record->user_id = export->after[1];
    ret_record->order_id = export->after[3];
    ret_log->record = ret_record;
    if (!row_read_fields(statement, column, ret_record))
        return fault_set(fault, ERR_UNAVAILABLE, "a damaged log; see analyticsctl verify");
    return log_names_read(&export->names, &export->db, export->db.statements[E_NAME], statement, 0, ret_log, fault);
}

/* *ret_whole: the quarter has no more. */
static enum err give_page(struct sqlite_export *export, store_log_sink sink, void *ctx, bool *ret_whole,
                          struct fault *fault)
{
    sqlite3_stmt *statement = bind_page(export);
    bool row = false, wanted = true;
    int given = 0;
    log_names_begin(&export->names);
    enum err err = db_step(&export->db, statement, "read raw logs", &row, fault);
    while (!err && row && wanted) {
        struct log_record record = {0};
        struct log_text log;
        err = read_row(export, statement, &record, &log, fault);
        if (err)
            break;
        given++;
        wanted = sink(ctx, &log);
        if (wanted)
            err = db_step(&export->db, statement, "read raw logs", &row, fault);
    }
    sqlite3_reset(statement);
    *ret_whole = wanted && given < PAGE_LOGS;
    return err;
}

/* *ret_quarter: INT64_MAX when there is none. */
static enum err find_quarter(struct sqlite_export *export, int64_t from, int64_t *ret_quarter, struct fault *fault)
{
    sqlite3_stmt *statement = export->db.statements[E_NEXT_QUARTER];
    sqlite3_bind_int64(statement, 1, from);
    return db_step_i64(&export->db, statement, "look for raw logs", INT64_MAX, ret_quarter, fault);
}

static enum err give_next(struct store_export *base, store_log_sink sink, void *ctx, int64_t *ret_at,
                          struct fault *fault)
{
    struct sqlite_export *export = (struct sqlite_export *)base;
    int64_t next = export->quarter, to = export->filter.to;
    enum err err = OK;
    if (export->after[0] < 0)
        err = find_quarter(export, export->quarter, &next, fault);
    if (err)
        return err;
    if (next != export->quarter && next != INT64_MAX)
        begin_quarter(export, next);
    if (next == INT64_MAX || next * WHEN_QUARTER >= to) {
        *ret_at = to;
        return OK;
    }
    bool whole = false;
    err = give_page(export, sink, ctx, &whole, fault);
    if (whole)
        begin_quarter(export, export->quarter + 1);
    *ret_at = export->quarter * WHEN_QUARTER < to ? export->quarter * WHEN_QUARTER : to;
    return err;
}

const struct store_export_ops sqlite_export_ops = {.open = open_export, .close = close_export, .next = give_next};
