/* status.c: figures of a database for whoever runs it. Knows which of them are cheap. Changes nothing. */
#include "store/sqlite/status.h"

#include "db/files.h"
#include "store/sqlite/file.h"
#include "store/sqlite/packed_log.h"
#include "base/work.h"
#include "time/mono.h"
#include "time/when.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/banned.h"

#define COUNTING_MS 1000 /* for the batches of a day */

const int64_t sqlite_span_seconds[STORE_SPANS] = {60, WHEN_HOUR, WHEN_DAY};

/* ---- who waits, and how long ---- */

struct patience {
    struct work work;
    int64_t until_ms; /* monotonic; 0: for ever */
};

static bool is_over(const struct patience *patience)
{
    return patience->until_ms != 0 && mono_ms() >= patience->until_ms;
}

static int tick(void *ctx)
{
    struct patience *patience = ctx;
    return is_over(patience) || work_tick(&patience->work);
}

static enum err open_database(struct db *db, const char *data_dir, struct patience *patience, int *ret_version,
                              struct fault *fault)
{
    enum err err = sqlite_file_open_any(data_dir, STORE_READER_BUSY_MS, db, fault);
    if (!err)
        err = sqlite_file_version(db, ret_version, fault);
    if (!err)
        db_watch(db, tick, patience);
    return err;
}

/* ---- what came in ---- */

static void count_batch(struct sqlite_status *status, int64_t age, int64_t logs)
{
    for (int span = 0; span < STORE_SPANS; span++)
        if (age < sqlite_span_seconds[span]) {
            status->received[span].batches++;
            status->received[span].logs += logs;
        }
}

/* Newest first, until a day is counted or time is up. Spans that were not reached are then unknown. */
static enum err count_batches(struct db *db, int64_t now, struct patience *patience, struct sqlite_status *status,
                              struct fault *fault)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, "SELECT received_at, logs FROM batch ORDER BY id DESC", -1, &statement, NULL) !=
        SQLITE_OK)
        return db_fault(db, db->path, fault);
    enum err err = OK;
    bool row = true, over = false;
    int64_t age = 0;
    while (!err && !over && row && age < WHEN_DAY) {
        err = db_step(db, statement, db->path, &row, fault);
        if (err || !row)
            break;
        age = now - sqlite3_column_int64(statement, 0);
        status->last_batch = status->last_batch ? status->last_batch : now - age;
        count_batch(status, age, sqlite3_column_int64(statement, 1));
        over = is_over(patience);
    }
    sqlite3_finalize(statement);
    over = over || (err == ERR_QUERY_TIMEOUT && is_over(patience));
    for (int span = 0; over && span < STORE_SPANS; span++)
        if (age < sqlite_span_seconds[span])
            status->received[span] = (struct sqlite_received){-1, -1};
    return over ? OK : err;
}

/* ---- one row each ---- */

/* The time of a log, from the sums of its quarter, which have the second. */
#define LOG_TIME(second, quarter)                                                                                      \
    "SELECT bucket * 900 + " second " FROM traffic_quarter WHERE user_id = 0 AND bucket = (" quarter ")"
#define ROW_QUARTER "SELECT quarter FROM raw_log ORDER BY quarter "

static enum err read_times(struct db *db, struct sqlite_status *status, struct fault *fault)
{
    bool has_parts = status->schema_version >= PACKED_LOG_VERSION;
    const char *first =
        has_parts ? LOG_TIME("first_second", OLDEST_STORED_QUARTER) : LOG_TIME("first_second", ROW_QUARTER "LIMIT 1");
    const char *last = has_parts ? LOG_TIME("last_second", NEWEST_STORED_QUARTER)
                                 : LOG_TIME("last_second", ROW_QUARTER "DESC LIMIT 1");
    enum err err = db_get_i64(db, first, -1, &status->first_log, fault);
    return err ? err : db_get_i64(db, last, -1, &status->last_log, fault);
}

static enum err read_rows(struct db *db, struct sqlite_status *status, struct fault *fault)
{
    int64_t page_bytes = 0;
    const struct {
        const char *sql;
        int64_t *value;
    } rows[] = {
        {"PRAGMA page_size", &page_bytes},
        {"PRAGMA freelist_count", &status->free_bytes},
        {"SELECT closed_hour * 3600 FROM closing", &status->hours_closed},
        {"SELECT closed_day * 86400 FROM closing", &status->days_closed},
    };
    enum err err = read_times(db, status, fault);
    for (size_t i = 0; !err && i < sizeof rows / sizeof *rows; i++)
        err = db_get_i64(db, rows[i].sql, 0, rows[i].value, fault);
    status->free_bytes *= page_bytes;
    return err;
}

/* The logs as their batches say, without those that were deleted since, until somebody counts them. Before version 2 of
 * the schema none was. */
static enum err read_logs(struct db *db, struct patience *patience, struct sqlite_status *status, struct fault *fault)
{
    const char *sql = status->schema_version < 2
                          ? "SELECT sum(logs) FROM batch"
                          : "SELECT (SELECT ifnull(sum(logs), 0) FROM batch) + batch_logs - logs FROM retention";
    enum err err = db_get_i64(db, sql, 0, &status->logs, fault);
    if (err != ERR_QUERY_TIMEOUT || !is_over(patience))
        return err;
    status->logs = -1;
    return OK;
}

static void read_files(const char *data_dir, struct sqlite_status *status)
{
    char path[STORE_PATH_BYTES];
    struct stat st;
    if (sqlite_path(data_dir, FILE_LOGS, path) && stat(path, &st) == 0) {
        status->file_bytes = st.st_size;
        status->checkpoint_at = st.st_mtime;
    }
    status->wal_bytes = sqlite_file_bytes(data_dir, FILE_LOGS_WAL);
}

enum err sqlite_status_read(const char *data_dir, int64_t now, const struct watch *watch,
                            struct sqlite_status *ret_status, struct fault *fault)
{
    struct db db = {0};
    int version = 0;
    struct sqlite_status status = {0};
    struct patience patience = {.work.watch = watch, .until_ms = mono_ms() + COUNTING_MS};
    enum err err = open_database(&db, data_dir, &patience, &version, fault);
    read_files(data_dir, &status);
    status.schema_version = version;
    status.is_written = sqlite_lock_holder(data_dir, &status.writer, status.writer_name);
    if (!err)
        err = db_exec(&db, "BEGIN", fault);
    if (!err)
        err = read_rows(&db, &status, fault);
    if (!err)
        err = count_batches(&db, now, &patience, &status, fault);
    if (!err)
        err = read_logs(&db, &patience, &status, fault);
    db_close(&db);
    if (!err)
        *ret_status = status;
    return err;
}

/* ---- tables ---- */

/* dbstat has a row per page. A row of a table without rowid may stand in an inner page of its tree; of the others, only
 * in a leaf. */
static const char tables_sql[] =
    "SELECT m.tbl_name, sum(p.bytes), sum(CASE WHEN m.type = 'table' THEN p.leaf + iif(t.wr, p.inner, 0) ELSE 0 END)"
    " FROM (SELECT name, sum(pgsize) AS bytes, sum(iif(pagetype = 'leaf', ncell, 0)) AS leaf,"
    " sum(iif(pagetype = 'internal', ncell, 0)) AS inner FROM dbstat GROUP BY name) AS p"
    " JOIN sqlite_schema AS m ON m.name = p.name"
    " LEFT JOIN pragma_table_list AS t ON t.schema = 'main' AND t.name = m.name"
    " GROUP BY m.tbl_name ORDER BY 2 DESC, 1";

static enum err read_tables(struct db *db, void (*each)(void *ctx, const struct sqlite_table *table), void *ctx,
                            struct fault *fault)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, tables_sql, -1, &statement, NULL) != SQLITE_OK)
        return db_fault(db, db->path, fault);
    enum err err = OK;
    bool row = true;
    while (!err && row) {
        err = db_step(db, statement, db->path, &row, fault);
        const char *name = !err && row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
        if (name)
            each(ctx,
                 &(struct sqlite_table){name, sqlite3_column_int64(statement, 1), sqlite3_column_int64(statement, 2)});
    }
    sqlite3_finalize(statement);
    return err;
}

enum err sqlite_status_tables(const char *data_dir, int64_t bound_ms, const struct watch *watch,
                              void (*each)(void *ctx, const struct sqlite_table *table), void *ctx, struct fault *fault)
{
    struct patience patience = {.work.watch = watch, .until_ms = bound_ms ? mono_ms() + bound_ms : 0};
    work_step(&patience.work, "reading every page", "", 0);
    struct db db = {0};
    int version = 0;
    enum err err = open_database(&db, data_dir, &patience, &version, fault);
    if (!err)
        err = read_tables(&db, each, ctx, fault);
    db_close(&db);
    return err;
}

const char *sqlite_version(int *ret_number)
{
    *ret_number = sqlite3_libversion_number();
    return sqlite3_libversion();
}
