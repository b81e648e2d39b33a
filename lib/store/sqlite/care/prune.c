/* prune.c: analyticsctl prune: deletes everything older than some days at once, or plans to. Knows which tables have an
 * age. Leaves the deleting to write/retain.c. */
#include "store/sqlite/care/care.h"

#include "db/files.h"
#include "store/sqlite/file.h"
#include "store/sqlite/write/retain.h"
#include "time/when.h"

#include "base/banned.h"

/* Nobody waits for a batch: larger slices than a service takes. */
#define SLICE_ENTRIES 1000000

/* Rows before the day ?1, table by table, in the order in which write/retain.c counts; and about how many bytes a row
 * has, where SQLite cannot tell. */
static const struct {
    const char *name;
    const char *sql;
    int64_t row_bytes;
} tables[PRUNED_TABLES] = {
    {"raw_log", "SELECT count(*) FROM raw_log WHERE quarter < ?1 * 96", 100},
    {"log_part", "SELECT count(*) FROM log_part WHERE day < ?1", 2000},
    {"traffic_quarter", "SELECT count(*) FROM traffic_quarter WHERE bucket < ?1 * 96", 40},
    {"traffic_hour", "SELECT count(*) FROM traffic_hour WHERE bucket < ?1 * 24", 40},
    {"traffic_day", "SELECT count(*) FROM traffic_day WHERE bucket < ?1", 40},
    {"rollup_chunk",
     "SELECT (SELECT count(*) FROM rollup_chunk WHERE tier = 1 AND bucket < ?1 * 24)"
     " + (SELECT count(*) FROM rollup_chunk WHERE tier = 2 AND bucket < ?1)"
     " + (SELECT count(*) FROM rollup_chunk WHERE tier = 3 AND bucket < (?1 + 3) / 4)"
     " + (SELECT count(*) FROM rollup_chunk WHERE tier = 4 AND bucket < (?1 + 15) / 16)",
     900},
    {"batch", "SELECT count(*) FROM batch WHERE received_at < ?1 * 86400 AND id < (SELECT max(id) FROM batch)", 15},
    {"value_day", "SELECT count(*) FROM value_day WHERE bucket < ?1", 40},
};

_Static_assert(PRUNED_TABLES == RETAIN_TABLES, "one row each");

/* ---- counting ---- */

/* One row of up to two integers, for one text or integer. */
static enum err ask(struct db *db, const char *sql, const char *text, int64_t value, int64_t ret_values[2],
                    struct fault *fault)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL) != SQLITE_OK)
        return db_fault(db, db->path, fault);
    if (text)
        sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_int64(statement, 1, value);
    int rc = sqlite3_step(statement);
    enum err err = rc == SQLITE_ROW ? OK : db_fault(db, db->path, fault);
    for (int i = 0; !err && i < 2; i++)
        ret_values[i] = i < sqlite3_column_count(statement) ? sqlite3_column_int64(statement, i) : 0;
    sqlite3_finalize(statement);
    return err;
}

static enum err count_rows(struct db *db, int64_t day, struct sqlite_pruned *pruned, struct fault *fault)
{
    enum err err = OK;
    for (int i = 0; !err && i < PRUNED_TABLES; i++) {
        int64_t values[2] = {0};
        err = ask(db, tables[i].sql, NULL, day, values, fault);
        pruned->tables[i].name = tables[i].name;
        pruned->tables[i].rows = values[0];
    }
    return err;
}

/* Can SQLite tell how large tables are? Debian's SQLite has dbstat, but not every SQLite has. No schema lists it, so
 * only using it shows. */
static bool can_measure(struct db *db)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db->handle, "SELECT 1 FROM dbstat", -1, &statement, NULL);
    sqlite3_finalize(statement);
    return rc == SQLITE_OK;
}

/* The rows' share of the table's pages. */
static enum err measure(struct db *db, int table, int64_t rows, int64_t *ret_bytes, struct fault *fault)
{
    *ret_bytes = rows * tables[table].row_bytes;
    if (rows == 0 || !can_measure(db))
        return OK;
    int64_t values[2] = {0};
    enum err err =
        ask(db, "SELECT sum(pgsize), sum(ncell) FROM dbstat WHERE name = ?1", tables[table].name, 0, values, fault);
    if (!err && values[1] > 0)
        *ret_bytes = (int64_t)((double)values[0] / (double)values[1] * (double)rows);
    return err;
}

/* ---- a plan ---- */

/* Everything before the day is deleted; 0 when nothing is. The day that write/retain.c would find once all days that
 * are over are closed. */
static enum err find_day(struct db *db, int64_t now, int64_t days, int64_t *ret_day, struct fault *fault)
{
    int64_t newest = -1, oldest = 0;
    enum err err =
        db_get_i64(db, "SELECT bucket FROM traffic_quarter ORDER BY bucket DESC LIMIT 1", -1, &newest, fault);
    if (!err)
        err = db_get_i64(db, "SELECT day_from FROM retention", 0, &oldest, fault);
    if (err)
        return err;
    int64_t today = (newest * WHEN_QUARTER < now ? newest * WHEN_QUARTER : now) / WHEN_DAY;
    *ret_day = newest >= 0 && today - days > oldest ? today - days : oldest;
    return OK;
}

static enum err plan(struct work *work, struct db *db, int64_t now, int64_t days, struct sqlite_pruned *pruned,
                     struct fault *fault)
{
    int64_t day = 0;
    enum err err = find_day(db, now, days, &day, fault);
    work_step(work, "counting rows", "rows", 0);
    pruned->before = day * WHEN_DAY;
    if (!err)
        err = count_rows(db, day, pruned, fault);
    work_step(work, "measuring tables", "tables", PRUNED_TABLES);
    for (int i = 0; !err && i < PRUNED_TABLES; i++) {
        err = measure(db, i, pruned->tables[i].rows, &pruned->tables[i].bytes, fault);
        work->progress.done++;
    }
    return err;
}

enum err sqlite_prune_plan(const char *data_dir, int64_t now, int64_t days, const struct watch *watch,
                           struct sqlite_pruned *ret_pruned, struct fault *fault)
{
    struct db db = {0};
    struct work work = {.watch = watch};
    enum err err = sqlite_file_open_logs(data_dir, &db, fault);
    if (err)
        return err;
    db_watch(&db, work_tick, &work);
    struct sqlite_pruned pruned = {0};
    err = plan(&work, &db, now, days, &pruned, fault);
    db_close(&db);
    if (!err)
        *ret_pruned = pruned;
    else if (watch_is_stopped(watch))
        err = fault_stopped(fault);
    return err;
}

/* ---- pruning ---- */

static int64_t rows_so_far(const struct sqlite_writer *writer)
{
    int64_t rows = 0;
    for (int i = 0; i < PRUNED_TABLES; i++)
        rows += writer->pruning.rows[i];
    return rows;
}

static void note_step(struct work *work, const struct sqlite_writer *writer, int64_t rows)
{
    if (writer->pruning.vacuuming)
        work->progress = (struct progress){.step = "giving space back", .unit = "pages"};
    else
        work->progress =
            (struct progress){.step = "deleting", .unit = "rows", .done = rows_so_far(writer), .total = rows};
}

/* Does all upkeep that is due, not only deleting: a day must be closed before it can be deleted. */
static enum err do_all(struct work *work, struct sqlite_writer *writer, int64_t now, int64_t rows, struct fault *fault)
{
    sqlite_set_slice(writer, SLICE_ENTRIES);
    bool more = true;
    enum err err = OK;
    while (!err && more && !work_tick(work)) {
        err = sqlite_maintain(writer, now, KEEP_KEYS, &more, fault);
        note_step(work, writer, rows);
    }
    return err;
}

static enum err prune(struct work *work, struct sqlite_writer *writer, int64_t now, int64_t days,
                      struct sqlite_pruned *pruned, struct fault *fault)
{
    int64_t day = 0, rows = 0;
    enum err err = find_day(&writer->db, now, days, &day, fault);
    work_step(work, "counting rows", "rows", 0);
    if (!err)
        err = count_rows(&writer->db, day, pruned, fault);
    for (int i = 0; i < PRUNED_TABLES; i++)
        rows += pruned->tables[i].rows;
    pruned->before = day * WHEN_DAY;
    sqlite_retain_from(writer, day);
    if (!err)
        err = do_all(work, writer, now, rows, fault);
    for (int i = 0; i < PRUNED_TABLES; i++)
        pruned->tables[i].rows = writer->pruning.rows[i];
    return err ? err : sqlite_wal_checkpoint(&writer->wal, fault); /* the file shrinks at the checkpoint */
}

enum err sqlite_prune(const char *data_dir, int64_t now, int64_t days, const struct watch *watch,
                      struct sqlite_pruned *ret_pruned, struct fault *fault)
{
    char path[STORE_PATH_BYTES];
    struct work work = {.watch = watch};
    struct sqlite_writer *writer = NULL;
    enum err err = sqlite_file_find(data_dir, path, fault); /* the writer would make it */
    if (!err)
        err = sqlite_writer_open(data_dir, false, &writer, fault);
    if (err)
        return err;
    struct sqlite_pruned pruned = {0};
    pruned.file_bytes_before = sqlite_file_bytes(data_dir, FILE_LOGS);
    db_watch(&writer->db, work_tick, &work);
    err = prune(&work, writer, now, days, &pruned, fault);
    db_unwatch(&writer->db);
    sqlite_writer_close(writer);
    pruned.file_bytes_after = sqlite_file_bytes(data_dir, FILE_LOGS);
    if (watch_is_stopped(watch))
        err = fault_stopped(fault);
    if (!err)
        *ret_pruned = pruned;
    return err;
}
