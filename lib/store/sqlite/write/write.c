/* write.c: a group of batches into one synced transaction. Knows idempotency keys, raw rows and when to
 * checkpoint. Knows no HTTP, no threads; leaves names to write/names.c and rollups to write/rollup.c. */
#include "store/sqlite/write/writer.h"

#include "db/files.h"
#include "store/sqlite/file.h"
#include "time/mono.h"
#include "time/when.h"
#include "base/work.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

/* The WAL's pages that are worth a checkpoint; docs/bench/studies.md has the figures. */
#define CHECKPOINT_PAGES 4000

/* A WAL that readers have made this long (64 MiB) is worth a short wait for them at each checkpoint: reports that
 * overlap without a gap would else keep it growing up to its ceiling, as those that take longer than the wait do. */
#define INSIST_PAGES 16384
#define INSIST_MS 10

/* About 5 ms of packing. */
#define SLICE_ENTRIES 50000

/* A domain's entries stay together: as many orders as it has in one bucket. */
#define MAX_CHUNK_BYTES (64u << 20)

/* What the pragma says of a file that gives pages back when it is told to. */
#define AUTO_VACUUM_INCREMENTAL 2

/* (order, user) pairs remembered before they are forgotten all at once. */
#define MAX_KNOWN_ORDERS 100000u

static const char *const writer_sql[] = {
#define WRITER_TEXT(name, sql) sql,
    WRITER_SQL(WRITER_TEXT)
#undef WRITER_TEXT
};

/* ---- open and close ---- */

static void tell_length(const struct sqlite_writer *writer)
{
    if (writer->watch.length)
        writer->watch.length(writer->watch.ctx, writer->wal_length * writer->page_bytes);
}

static int note_wal_pages(void *ctx, sqlite3 *handle, const char *database, int pages)
{
    (void)handle;
    (void)database;
    struct sqlite_writer *writer = ctx;
    writer->wal_pages = writer->wal_length = pages;
    tell_length(writer);
    return SQLITE_OK;
}

static enum err load_state(struct sqlite_writer *writer, struct fault *fault)
{
    int64_t auto_vacuum = 0;
    const struct {
        const char *sql;
        int64_t *value;
    } rows[] = {
        {"SELECT count FROM total", &writer->grand.count},
        {"SELECT bytes_sent FROM total", &writer->grand.bytes_sent},
        {"SELECT bytes_received FROM total", &writer->grand.bytes_received},
        {"SELECT errors FROM total", &writer->grand.errors},
        {"SELECT closed_hour FROM closing", &writer->closed_hour},
        {"SELECT closed_day FROM closing", &writer->closed_day},
        {"SELECT raw_from FROM retention", &writer->horizons.raw_from},
        {"SELECT hour_from FROM retention", &writer->horizons.hour_from},
        {"SELECT day_from FROM retention", &writer->horizons.day_from},
        {"SELECT days_swept FROM retention", &writer->pruning.swept},
        {"PRAGMA auto_vacuum", &auto_vacuum},
    };
    enum err err = OK;
    for (size_t i = 0; !err && i < sizeof rows / sizeof *rows; i++)
        err = db_get_i64(&writer->db, rows[i].sql, 0, rows[i].value, fault);
    writer->pruning.gives_back = auto_vacuum == AUTO_VACUUM_INCREMENTAL;
    writer->pruning.user = writer->pruning.order = -1;
    writer->pruning.pending = writer->horizons.raw_from > 0; /* perhaps it was stopped in the middle */
    return err;
}

/* ---- the WAL's length ---- */

/* Moves pages home, and with `wait_ms` makes sure that the next commit begins the WAL anew: waits so long for readers.
 * *ret_anew is false when they took longer. In WAL mode the commits are synced already. */
static enum err checkpoint(struct sqlite_writer *writer, int wait_ms, bool *ret_anew, struct fault *fault)
{
    int in_wal = 0, moved = 0, mode = wait_ms ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;
    int64_t start = mono_us();
    sqlite3_busy_timeout(writer->db.handle, wait_ms);
    int rc = sqlite3_wal_checkpoint_v2(writer->db.handle, NULL, mode, &in_wal, &moved);
    sqlite3_busy_timeout(writer->db.handle, STORE_WRITER_BUSY_MS);
    if (writer->watch.checkpoint)
        writer->watch.checkpoint(writer->watch.ctx, mono_us() - start);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
        return db_fault(&writer->db, "checkpoint", fault);
    *ret_anew = wait_ms && rc == SQLITE_OK;
    writer->wal_length = *ret_anew ? 0 : in_wal;
    /* A reader may hold pages back: then wait for as many new ones again. */
    bool all = moved == in_wal;
    writer->wal_pages = all ? 0 : in_wal;
    writer->checkpoint_at = all ? CHECKPOINT_PAGES : in_wal + CHECKPOINT_PAGES;
    tell_length(writer);
    return OK;
}

enum err sqlite_make_room(struct sqlite_writer *writer, struct fault *fault)
{
    bool anew = true;
    if (!writer->wal_is_old && writer->wal_length * writer->page_bytes < writer->wal_limit_bytes)
        return OK;
    enum err err = checkpoint(writer, STORE_WRITER_BUSY_MS, &anew, fault);
    if (err)
        return err;
    writer->wal_is_old &= !anew;
    if (anew)
        return OK;
    return fault_set(fault, ERR_UNAVAILABLE,
                     "the write-ahead log (%lld MiB) can't begin anew, because a reader of " FILE_LOGS " does not end",
                     (long long)(writer->wal_length * writer->page_bytes >> 20));
}

/* A failed sync may have lost pages that the next one would report as safe: no more writing until a restart. */
static bool is_sync_failure(int code)
{
    return code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
}

/* Everything that was remembered of a transaction that never was. */
static void undo(struct sqlite_writer *writer, const struct fault *fault)
{
    writer->sync_failed |= is_sync_failure(sqlite3_extended_errcode(writer->db.handle));
    writer->unhealthy = true;
    writer->reason = *fault;
    db_rollback(&writer->db);
    name_cache_clear(&writer->names);
    fold_clear(&writer->orders);
}

/* False, with the reason, after a failed sync and while the WAL is too long. */
static bool may_write(struct sqlite_writer *writer, struct fault *fault)
{
    if (!writer->sync_failed && sqlite_make_room(writer, fault))
        undo(writer, fault);
    else if (!writer->sync_failed)
        return true;
    *fault = writer->reason;
    return false;
}

static enum err prepare(struct sqlite_writer *writer, const char *data_dir, struct fault *fault)
{
    enum err err = sqlite_lock(data_dir, &writer->lock, fault);
    if (!err)
        err = sqlite_file_open_writer(data_dir, &writer->db, fault);
    if (!err)
        err = db_get_i64(&writer->db, "PRAGMA page_size", 0, &writer->page_bytes, fault);
    if (!err)
        err = db_exec(&writer->db, "PRAGMA cache_size=-65536", fault);
    if (!err)
        err = db_prepare(&writer->db, writer_sql, WRITER_STATEMENTS, fault);
    if (!err)
        err = load_state(writer, fault);
    return err;
}

enum err sqlite_writer_open(const char *data_dir, struct sqlite_writer **ret_writer, struct fault *fault)
{
    struct sqlite_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    writer->base.engine = &store_engine_sqlite;
    writer->lock = -1;
    writer->wal_limit_bytes = LIMIT_WAL_BYTES;
    pack_writer_init(&writer->packer, MAX_CHUNK_BYTES);
    sqlite_set_slice(writer, SLICE_ENTRIES);
    enum err err = prepare(writer, data_dir, fault);
    if (err) {
        sqlite_writer_close(writer);
        return err;
    }
    sqlite3_wal_hook(writer->db.handle, note_wal_pages, writer);
    writer->wal_is_old = true;
    (void)may_write(writer, fault); /* else later: a full disk, or a reader, keeps from writing, not from starting */
    *ret_writer = writer;
    return OK;
}

void sqlite_writer_close(struct sqlite_writer *writer)
{
    if (!writer)
        return;
    db_close(&writer->db);
    if (writer->lock >= 0)
        close(writer->lock);
    name_cache_release(&writer->names);
    fold_release(&writer->orders);
    fold_release(&writer->traffic);
    fold_release(&writer->packed);
    fold_release(&writer->chunk);
    pack_writer_release(&writer->packer);
    free(writer->packing.users);
    free(writer->rows);
    free(writer->name_ids);
    free(writer);
}

/* ---- what may come in ---- */

/* Adds two sums that are never negative; false when the result would pass 2^63-1. */
static bool add_up(int64_t *sum, int64_t more)
{
    return !__builtin_add_overflow(*sum, more, sum);
}

static bool add_log(struct totals *sums, const struct log_record *log)
{
    return add_up(&sums->count, log->count) && add_up(&sums->bytes_sent, log->bytes_sent) &&
           add_up(&sums->bytes_received, log->bytes_received) && add_up(&sums->errors, log->error_count);
}

/* *ret_sums becomes `before` with the batch added, from log `first` on. Sent and received are reported as one sum too.
 */
static bool sums_fit(const struct batch *batch, uint32_t first, const struct totals *before, struct totals *ret_sums)
{
    struct totals sums = *before;
    for (uint32_t i = first; i < batch->log_count; i++)
        if (!add_log(&sums, &batch->logs[i]))
            return false;
    int64_t bytes = sums.bytes_sent;
    if (!add_up(&bytes, sums.bytes_received))
        return false;
    *ret_sums = sums;
    return true;
}

/* What an item's key becomes when the item is let in. */
struct claim {
    bool is_import;
    struct import_mark end;
};

/* Looks for the item's key: *ret_known, and then the item's result is set. */
static enum err find_key(struct sqlite_writer *writer, struct store_item *item, int64_t caller, bool *ret_known,
                         struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, W_KEY_FIND);
    sqlite3_bind_int64(statement, 1, caller);
    sqlite3_bind_text(statement, 2, item->idempotency_key, -1, SQLITE_STATIC);
    enum err err = db_step(&writer->db, statement, "look for an idempotency key", ret_known, fault);
    if (err || !*ret_known)
        return err;
    item->replayed = sqlite3_column_bytes(statement, 0) == STORE_BODY_HASH_BYTES &&
                     memcmp(sqlite3_column_blob(statement, 0), item->body_hash, STORE_BODY_HASH_BYTES) == 0;
    sqlite3_reset(statement);
    if (!item->replayed)
        item->result =
            fault_set(&item->fault, ERR_IDEMPOTENCY_KEY_REUSED, "this Idempotency-Key came before with another body");
    return OK;
}

static enum err claim_key(struct sqlite_writer *writer, const struct store_item *item, int64_t caller, int64_t now,
                          struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, W_KEY_ADD);
    sqlite3_bind_int64(statement, 1, caller);
    sqlite3_bind_text(statement, 2, item->idempotency_key, -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 3, item->body_hash, STORE_BODY_HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, now);
    return db_run(&writer->db, statement, "store an idempotency key", fault);
}

static enum err add_batch(struct sqlite_writer *writer, uint32_t logs, int64_t caller, int64_t now, int64_t *ret_id,
                          struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, W_BATCH_ADD);
    sqlite3_bind_int64(statement, 1, now);
    sqlite3_bind_int64(statement, 2, caller);
    sqlite3_bind_int64(statement, 3, logs);
    enum err err = db_run(&writer->db, statement, "store a batch", fault);
    if (!err)
        *ret_id = sqlite3_last_insert_rowid(writer->db.handle);
    return err;
}

static enum err reserve_rows(struct sqlite_writer *writer, size_t more, struct fault *fault)
{
    size_t needed = writer->row_count + more;
    if (needed <= writer->row_cap)
        return OK;
    struct raw_row *rows = realloc(writer->rows, needed * 2 * sizeof *rows);
    if (!rows)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    writer->rows = rows;
    writer->row_cap = needed * 2;
    return OK;
}

/* Queues the batch's logs in writer->rows, from log `first` on. */
static enum err queue_rows(struct sqlite_writer *writer, const struct batch *batch, uint32_t first, int64_t batch_id,
                           struct fault *fault)
{
    size_t first_name = writer->name_id_count;
    if (batch->log_count == 0)
        return OK;
    enum err err = reserve_rows(writer, batch->log_count, fault);
    if (!err)
        err = sqlite_resolve_names(writer, batch, fault);
    if (err)
        return err;
    const int64_t *ids = writer->name_ids + first_name;
    for (uint32_t i = first; i < batch->log_count; i++) {
        const struct log_record *log = &batch->logs[i];
        writer->rows[writer->row_count++] = (struct raw_row){.quarter = tier_bucket(TIER_QUARTER, log->ts),
                                                             .user_id = log->user_id,
                                                             .domain = ids[log->name[NAME_DOMAIN]],
                                                             .order_id = log->order_id,
                                                             .batch_id = batch_id,
                                                             .line = i - first,
                                                             .log = log,
                                                             .first_name = first_name};
    }
    return OK;
}

/* What an item's key says of it. *ret_known: nothing is to be done, and its result is set. */
static enum err look_up(struct sqlite_writer *writer, struct store_item *item, int64_t caller, struct claim *ret_claim,
                        bool *ret_known, struct fault *fault)
{
    struct import_mark begin;
    if (!item->idempotency_key)
        return OK;
    ret_claim->is_import = import_mark_parse(slice_of(item->idempotency_key), &begin);
    if (!ret_claim->is_import)
        return find_key(writer, item, caller, ret_known, fault);
    enum err err = sqlite_import_find(writer, item, &begin, &ret_claim->end, fault);
    *ret_known = item->replayed = !err && item->already == item->batch->log_count;
    return err;
}

static enum err claim(struct sqlite_writer *writer, const struct store_item *item, const struct claim *claim,
                      int64_t caller, int64_t now, struct fault *fault)
{
    if (!item->idempotency_key)
        return OK;
    if (claim->is_import)
        return sqlite_import_mark(writer, &claim->end, now, fault);
    return claim_key(writer, item, caller, now, fault);
}

/* Lets an item in, or sets its result to why not. An error is the whole group's. */
static enum err admit(struct sqlite_writer *writer, struct store_item *item, int64_t now, struct totals *sums,
                      struct fault *fault)
{
    int64_t caller = 0, batch_id = 0;
    bool known = false;
    struct claim key = {0};
    enum err err = sqlite_resolve_text(writer, slice_of(item->caller), &caller, fault);
    if (!err)
        err = look_up(writer, item, caller, &key, &known, fault);
    if (err || known)
        return err;
    if (!sums_fit(item->batch, item->already, sums, sums)) {
        item->result =
            fault_set(&item->fault, ERR_LOGS_INVALID,
                      "with these logs a total would pass 9223372036854775807, the most that can be counted");
        return OK;
    }
    err = claim(writer, item, &key, caller, now, fault);
    if (!err)
        err = add_batch(writer, item->batch->log_count - item->already, caller, now, &batch_id, fault);
    if (!err)
        err = queue_rows(writer, item->batch, item->already, batch_id, fault);
    return err;
}

/* ---- raw rows ---- */

static int compare64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int compare_rows(const void *left, const void *right)
{
    const struct raw_row *a = left, *b = right;
    int order = compare64(a->quarter, b->quarter);
    order = order ? order : compare64(a->user_id, b->user_id);
    order = order ? order : compare64(a->domain, b->domain);
    order = order ? order : compare64(a->order_id, b->order_id);
    order = order ? order : compare64(a->batch_id, b->batch_id);
    return order ? order : compare64(a->line, b->line);
}

static void bind_ip(sqlite3_stmt *statement, int index, const struct ip *ip)
{
    sqlite3_bind_blob(statement, index, ip->bytes, ip->len, SQLITE_STATIC);
}

static void bind_ids(sqlite3_stmt *statement, const struct raw_row *row, const int64_t *ids)
{
    sqlite3_bind_int64(statement, 1, row->quarter);
    sqlite3_bind_int64(statement, 2, row->user_id);
    sqlite3_bind_int64(statement, 3, row->domain);
    sqlite3_bind_int64(statement, 4, row->order_id);
    sqlite3_bind_int64(statement, 5, row->batch_id);
    sqlite3_bind_int64(statement, 6, row->line);
    sqlite3_bind_int64(statement, 7, row->log->ts - row->quarter * WHEN_QUARTER);
    sqlite3_bind_int64(statement, 8, row->log->port);
    sqlite3_bind_int64(statement, 9, ids[row->log->name[NAME_PROTOCOL]]);
    bind_ip(statement, 10, &row->log->ip_out);
    bind_ip(statement, 11, &row->log->ip_from);
    sqlite3_bind_int64(statement, 12, ids[row->log->name[NAME_PEER]]);
    sqlite3_bind_int64(statement, 13, ids[row->log->name[NAME_WORKER]]);
    sqlite3_bind_int64(statement, 14, ids[row->log->name[NAME_ERROR]]);
}

static void bind_counters(sqlite3_stmt *statement, const struct log_record *log)
{
    sqlite3_bind_int64(statement, 15, log->count);
    sqlite3_bind_int64(statement, 16, log->bytes_sent);
    sqlite3_bind_int64(statement, 17, log->bytes_received);
    sqlite3_bind_int64(statement, 18, log->error_count);
    sqlite3_bind_int64(statement, 19, log->duration_ms);
    sqlite3_bind_int64(statement, 20, log->max_concurrency);
}

/* The first rows may be older than what is kept of raw logs: they only count. *ret_first is the first that is not. */
static enum err count_gone(struct sqlite_writer *writer, size_t *ret_first, struct fault *fault)
{
    struct totals gone = {0};
    size_t i = 0;
    for (; i < writer->row_count && writer->rows[i].quarter < writer->horizons.raw_from * (WHEN_DAY / WHEN_QUARTER);
         i++)
        (void)add_log(&gone, writer->rows[i].log); /* no more than the total, which does not overflow */
    *ret_first = i;
    if (i == 0)
        return OK;
    sqlite3_stmt *statement = writer_statement(writer, W_GONE);
    BIND_ALL(statement, (int64_t)i, gone.count, gone.bytes_sent, gone.bytes_received, gone.errors);
    return db_run(&writer->db, statement, "count logs older than what is kept", fault);
}

/* In key order, so that each page is visited once. */
static enum err put_rows(struct sqlite_writer *writer, struct fault *fault)
{
    size_t first = 0;
    sqlite3_stmt *statement = writer_statement(writer, W_RAW_ADD);
    if (writer->row_count > 1)
        qsort(writer->rows, writer->row_count, sizeof *writer->rows, compare_rows);
    enum err err = count_gone(writer, &first, fault);
    for (size_t i = first; !err && i < writer->row_count; i++) {
        bind_ids(statement, &writer->rows[i], writer->name_ids + writer->rows[i].first_name);
        bind_counters(statement, writer->rows[i].log);
        err = db_run(&writer->db, statement, "store a log", fault);
    }
    return err;
}

/* ---- one group ---- */

static enum err put_total(struct sqlite_writer *writer, const struct totals *sums, struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, W_SET_TOTAL);
    BIND_ALL(statement, sums->count, sums->bytes_sent, sums->bytes_received, sums->errors);
    return db_run(&writer->db, statement, "add to total", fault);
}

static enum err write_group(struct sqlite_writer *writer, struct store_item *items, size_t count, int64_t now,
                            struct totals *sums, struct store_times *times, struct fault *fault)
{
    int64_t start = mono_us();
    enum err err = db_begin(&writer->db, fault);
    for (size_t i = 0; !err && i < count; i++)
        err = admit(writer, &items[i], now, sums, fault);
    if (!err)
        err = put_rows(writer, fault);
    int64_t raw_done = mono_us();
    if (!err)
        err = sqlite_rollup(writer, fault);
    if (!err)
        err = put_total(writer, sums, fault);
    int64_t rollup_done = mono_us();
    if (!err)
        err = db_commit(&writer->db, fault);
    *times = (struct store_times){raw_done - start, rollup_done - raw_done, mono_us() - rollup_done};
    return err;
}

/* A write of no change, synced like any other. (SQLite writes nothing when a row is set to what it holds already.) */
static enum err write_nothing(struct sqlite_writer *writer, struct fault *fault)
{
    enum err err = db_begin(&writer->db, fault);
    if (!err)
        err = db_exec(&writer->db,
                      "UPDATE closing SET closed_day = closed_day + 1; UPDATE closing SET closed_day = closed_day - 1;",
                      fault);
    return err ? err : db_commit(&writer->db, fault);
}

/* Once a sync has failed this is the connection's last write, and it does without: beginning a WAL syncs its header
 * before the first frame is written. */
static enum err overwrite(struct sqlite_writer *writer)
{
    struct fault fault = {0};
    if (writer->sync_failed)
        db_exec(&writer->db, "PRAGMA synchronous=OFF", &fault);
    enum err err = write_nothing(writer, &fault);
    if (err) {
        writer->sync_failed |= is_sync_failure(sqlite3_extended_errcode(writer->db.handle));
        db_rollback(&writer->db);
    }
    return err;
}

/* A group whose commit failed, in its sync or at the very end, may stand in the WAL whole: after a restart it would
 * count as committed. A frame over its first one breaks the chain of checksums, so that nothing of it is left. */
static void withdraw(struct sqlite_writer *writer)
{
    if (overwrite(writer) && writer->sync_failed)
        overwrite(writer);
}

static void refuse_all(struct store_item *items, size_t count, const struct fault *fault)
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
    writer->row_count = 0;
    writer->name_id_count = 0;
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
    struct totals sums = writer->grand;
    struct fault fault = {0};
    *ret_times = (struct store_times){0};
    if (!may_write(writer, &fault)) {
        refuse_all(items, count, &fault);
        return;
    }
    start_group(writer, items, count);
    if (write_group(writer, items, count, now, &sums, ret_times, &fault)) {
        undo(writer, &fault);
        withdraw(writer);
        fault.err = ERR_UNAVAILABLE;
        refuse_all(items, count, &fault);
        return;
    }
    writer->grand = sums;
    writer->unhealthy = false;
}

/* ---- between groups ---- */

enum err sqlite_checkpoint(struct sqlite_writer *writer, struct fault *fault)
{
    bool anew;
    return checkpoint(writer, writer->wal_length < INSIST_PAGES ? 0 : INSIST_MS, &anew, fault);
}

/* The marks of imports stay, so each search goes on where the last one ended: they would be looked through each time.
 */
static enum err expire_keys(struct sqlite_writer *writer, int64_t before, bool *ret_more, struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, W_KEY_EXPIRE);
    if (before < writer->keys_expired_until) /* the clock was set back */
        writer->keys_expired_until = 0;
    BIND_ALL(statement, before, writer->keys_expired_until);
    enum err err = db_run(&writer->db, statement, "forget old idempotency keys", fault);
    if (err)
        return err;
    *ret_more = sqlite3_changes(writer->db.handle) > 0;
    if (!*ret_more)
        writer->keys_expired_until = before;
    return OK;
}

static enum err maintain(struct sqlite_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault)
{
    if (sqlite_checkpoint_is_due(writer)) {
        *ret_more = true;
        return sqlite_checkpoint(writer, fault);
    }
    enum err err = sqlite_close_next(writer, now, ret_more, fault);
    if (err || *ret_more)
        return err;
    err = expire_keys(writer, now - idempotency_seconds, ret_more, fault);
    return err || *ret_more ? err : sqlite_retain_next(writer, now, ret_more, fault);
}

enum err sqlite_maintain(struct sqlite_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault)
{
    *ret_more = false;
    if (writer->sync_failed)
        return OK; /* said already */
    enum err err = sqlite_make_room(writer, fault);
    if (!err)
        err = maintain(writer, now, idempotency_seconds, ret_more, fault);
    if (!err)
        return OK;
    *ret_more = false;
    undo(writer, fault);
    return err;
}

enum err sqlite_tend(struct sqlite_writer *writer, int64_t now, const struct watch *watch, struct fault *fault)
{
    bool more = true;
    enum err err = OK;
    while (!err && more && !watch_is_stopped(watch))
        err = sqlite_maintain(writer, now, KEEP_KEYS, &more, fault);
    return err;
}

enum err sqlite_settle(struct sqlite_writer *writer, int64_t now, const struct watch *watch, struct fault *fault)
{
    bool anew;
    enum err err = sqlite_tend(writer, now, watch, fault);
    if (!err && !writer->sync_failed)
        err = checkpoint(writer, STORE_WRITER_BUSY_MS, &anew, fault);
    return err;
}

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
    writer->wal_limit_bytes = bytes;
}

void sqlite_watch_wal(struct sqlite_writer *writer, const struct sqlite_wal_watch *watch)
{
    writer->watch = *watch;
    tell_length(writer);
}

void sqlite_set_slice(struct sqlite_writer *writer, size_t entries)
{
    writer->packing.slice_entries = entries;
}

enum err sqlite_writer_health(struct sqlite_writer *writer, struct fault *fault)
{
    if (!writer->sync_failed && !writer->unhealthy)
        return OK;
    *fault = writer->reason;
    return fault->err;
}

void sqlite_writer_probe(struct sqlite_writer *writer)
{
    struct fault fault = {0};
    if (!may_write(writer, &fault))
        return;
    if (write_nothing(writer, &fault))
        undo(writer, &fault);
    else
        writer->unhealthy = false;
}
