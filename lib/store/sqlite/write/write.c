/* write.c: a group of batches into one synced transaction. Knows the order of its steps, and how the writer begins and
 * ends. Knows no HTTP and no threads. */
#include "store/sqlite/write/admit.h"
#include "store/sqlite/write/close.h"
#include "store/sqlite/write/health.h"
#include "store/sqlite/write/import_log.h"
#include "store/sqlite/write/kinds.h"
#include "store/sqlite/write/rollup.h"
#include "store/sqlite/write/rows.h"

#include "store/sqlite/file.h"
#include "store/sqlite/row.h"
#include "time/mono.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/banned.h"

/* About 5 ms of packing. */
#define SLICE_ENTRIES 50000

/* The value of PRAGMA auto_vacuum in a file that gives pages back on request. */
#define AUTO_VACUUM_INCREMENTAL 2

/* (order, user) pairs remembered before they are forgotten all at once. */
#define MAX_KNOWN_ORDERS 100000u

/* ---- open and close ---- */

static enum err load_state(struct sqlite_writer *writer, struct fault *fault)
{
    int64_t auto_vacuum = 0, has_old_imports = 0, has_user_hours = 0;
    const struct {
        const char *sql;
        int64_t *value;
    } rows[] = {
        {"SELECT closed_hour FROM closing", &writer->closed.hour},
        {"SELECT closed_day FROM closing", &writer->closed.day},
        {"SELECT raw_from FROM retention", &writer->closed.horizons.raw_from},
        {"SELECT hour_from FROM retention", &writer->closed.horizons.hour_from},
        {"SELECT day_from FROM retention", &writer->closed.horizons.day_from},
        {"SELECT days_swept FROM retention", &writer->pruning.swept},
        {"SELECT has_old FROM import_state", &has_old_imports},
        {"SELECT since FROM upgrade", &writer->closed.since},
        {"SELECT user_hours_swept < 9223372036854775807 FROM upgrade", &has_user_hours},
        {"SELECT (durations_from + 23) / 24 FROM upgrade", &writer->values_from},
        {"PRAGMA auto_vacuum", &auto_vacuum},
    };
    static const char total_sql[] = "SELECT count, bytes_sent, bytes_received, errors, 0, duration_ms FROM total";
    enum err err = row_read_totals(&writer->db, total_sql, &writer->admit.grand, fault);
    for (size_t i = 0; !err && i < sizeof rows / sizeof *rows; i++)
        err = db_get_i64(&writer->db, rows[i].sql, 0, rows[i].value, fault);
    writer->import.has_old = has_old_imports != 0;
    writer->pruning.gives_back = auto_vacuum == AUTO_VACUUM_INCREMENTAL;
    writer->pruning.user = writer->pruning.order = -1;
    writer->pruning.has_user_hours = has_user_hours != 0;
    writer->pruning.pending =
        has_user_hours || writer->closed.horizons.raw_from > 0; /* perhaps it was stopped in the middle */
    sqlite_forget_user_hours(&writer->closed);
    return err;
}

/* A file is a spool or it has reports: once it has batches it stays what it is. */
static enum err check_use(struct sqlite_writer *writer, struct fault *fault)
{
    int64_t is_spool = 0, has_batches = 0;
    enum err err = db_get_i64(&writer->db, "SELECT is_spool FROM spool", 0, &is_spool, fault);
    if (!err)
        err = db_get_i64(&writer->db, "SELECT 1 FROM batch LIMIT 1", 0, &has_batches, fault);
    if (err || writer->spools == (is_spool != 0))
        return err;
    if (has_batches)
        return fault_set(fault, ERR_UNAVAILABLE, "%s holds batches of the engine %s, and the setting engine is %s",
                         writer->db.path, is_spool ? "clickhouse" : "sqlite", is_spool ? "sqlite" : "clickhouse");
    return db_exec(&writer->db, writer->spools ? "UPDATE spool SET is_spool = 1" : "UPDATE spool SET is_spool = 0",
                   fault);
}

static enum err prepare(struct sqlite_writer *writer, const char *data_dir, struct fault *fault)
{
    enum err err = sqlite_lock(data_dir, &writer->lock, fault);
    if (!err)
        err = sqlite_file_open_writer(data_dir, &writer->db, fault);
    if (!err)
        err = db_exec(&writer->db, "PRAGMA cache_size=-65536", fault);
    if (!err)
        err = sqlite_writer_prepare(&writer->db, fault);
    if (!err)
        err = check_use(writer, fault);
    if (!err)
        err = load_state(writer, fault);
    if (!err)
        err = sqlite_wal_begin(&writer->wal, &writer->db, fault);
    return err;
}

enum err sqlite_writer_open(const char *data_dir, bool spools, struct sqlite_writer **ret_writer, struct fault *fault)
{
    struct sqlite_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    writer->base.engine = &store_engine_sqlite;
    writer->lock = -1;
    writer->spools = spools;
    writer->names.db = &writer->db;
    sqlite_pack_init(&writer->pack, &writer->db);
    writer->reading.db = &writer->db;
    sqlite_slice_init(&writer->closing.slice);
    writer->compact.done_until = -1;
    sqlite_set_slice(writer, SLICE_ENTRIES);
    enum err err = prepare(writer, data_dir, fault);
    if (err) {
        sqlite_writer_close(writer);
        return err;
    }
    sqlite_may_write(writer, fault); /* if not, then later: a full disk or a reader prevents writing, not starting */
    *ret_writer = writer;
    return OK;
}

void sqlite_writer_close(struct sqlite_writer *writer)
{
    if (!writer)
        return;
    sqlite_close_alone(writer);
    db_close(&writer->db);
    if (writer->lock >= 0)
        close(writer->lock);
    name_cache_release(&writer->names.cache);
    fold_release(&writer->orders);
    sqlite_sums_release(&writer->sums);
    fold_release(&writer->values.sums);
    sqlite_pack_release(&writer->pack);
    sqlite_slice_release(&writer->closing.slice);
    free(writer->closed.packing.listed.users);
    free(writer->rows.rows);
    sqlite_import_release(&writer->import);
    free(writer->names.ids);
    free(writer);
}

/* ---- what only this engine is asked ---- */

enum err sqlite_is_empty(struct sqlite_writer *writer, bool *ret_empty, struct fault *fault)
{
    int64_t batches = 0;
    enum err err = db_get_i64(&writer->db, "SELECT 1 FROM batch LIMIT 1", 0, &batches, fault);
    if (!err)
        *ret_empty = batches == 0;
    return err;
}

void sqlite_set_wal_limit(struct sqlite_writer *writer, int64_t bytes)
{
    writer->wal.limit_bytes = bytes;
}

void sqlite_watch_wal(struct sqlite_writer *writer, const struct sqlite_wal_watch *watch)
{
    writer->wal.watch = *watch;
    sqlite_wal_tell(&writer->wal);
}

void sqlite_set_slice(struct sqlite_writer *writer, size_t entries)
{
    writer->closed.packing.slice_entries = entries;
}

/* ---- one group ---- */

/* The logs that are queued, and what is derived from them. */
static enum err put_logs(struct sqlite_writer *writer, int64_t *ret_raw_done, struct fault *fault)
{
    enum err err = writer->spools ? sqlite_spool_rows(writer, fault) : sqlite_put_rows(writer, fault);
    *ret_raw_done = mono_us();
    return err || writer->spools ? err : sqlite_rollup(writer, fault);
}

static enum err write_group(struct sqlite_writer *writer, struct store_item *items, size_t count, int64_t now,
                            struct totals *sums, struct store_times *times, struct fault *fault)
{
    int64_t start = mono_us();
    enum err err = db_begin(&writer->db, fault);
    for (size_t i = 0; !err && i < count; i++)
        err = sqlite_admit(writer, &items[i], now, sums, fault);
    int64_t raw_done = start;
    if (!err)
        err = put_logs(writer, &raw_done, fault);
    if (!err)
        err = sqlite_put_total(writer, sums, fault);
    int64_t rollup_done = mono_us();
    if (!err)
        err = db_commit(&writer->db, fault);
    *times = (struct store_times){raw_done - start, rollup_done - raw_done, mono_us() - rollup_done};
    return err;
}

void sqlite_refuse(struct store_item *items, size_t count, const struct fault *fault)
{
    for (size_t i = 0; i < count; i++) {
        items[i].result = ERR_UNAVAILABLE;
        items[i].fault = *fault;
        items[i].replayed = false;
        items[i].already = 0;
    }
}

static void start_group(struct sqlite_writer *writer, struct store_item *items, size_t count)
{
    writer->rows.count = 0;
    writer->names.count = 0;
    if (writer->orders.count > MAX_KNOWN_ORDERS)
        fold_clear(&writer->orders);
    for (size_t i = 0; i < count; i++) {
        items[i].result = OK;
        items[i].replayed = false;
        items[i].already = 0;
    }
}

void sqlite_write(struct sqlite_writer *writer, struct store_item *items, size_t count, int64_t now,
                  struct store_times *ret_times)
{
    struct totals sums = writer->admit.grand;
    struct fault fault = {0};
    *ret_times = (struct store_times){0};
    if (!sqlite_may_write(writer, &fault)) {
        sqlite_refuse(items, count, &fault);
        return;
    }
    start_group(writer, items, count);
    if (write_group(writer, items, count, now, &sums, ret_times, &fault)) {
        sqlite_undo(writer, &fault);
        sqlite_withdraw(writer);
        fault.err = ERR_UNAVAILABLE;
        sqlite_refuse(items, count, &fault);
        return;
    }
    writer->admit.grand = sums;
    writer->health.is_bad = false;
}
