/* admit.c: which batches of a group are let in: not what came before by its idempotency key or an import's marks, and
 * not what would make a total pass 2^63-1. Knows keys, batches and the total. Leaves marks to write/import.c, rows to
 * write/rows.c. */
#include "store/sqlite/write/admit.h"

#include "store/sqlite/write/import.h"
#include "store/sqlite/write/rows.h"

#include <string.h>

#include "base/banned.h"

/* *ret_sums becomes `before` with the batch added, from log `first` on. */
static bool sums_fit(const struct batch *batch, uint32_t first, const struct totals *before, struct totals *ret_sums)
{
    struct totals sums = *before;
    for (uint32_t i = first; i < batch->log_count; i++) {
        struct totals log = log_totals(&batch->logs[i]);
        if (!totals_add_within(&sums, &log))
            return false;
    }
    *ret_sums = sums;
    return true;
}

/* What is stored for an item's key once the item is let in. */
struct claim {
    bool is_import;
    struct import_mark end;
};

/* Looks for the item's key. *ret_known: it was there, and the item's result is set. */
static enum err find_key(struct sqlite_writer *writer, struct store_item *item, int64_t caller, bool *ret_known,
                         struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_KEY_FIND);
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
    sqlite3_stmt *statement = sql_of(&writer->db, W_KEY_ADD);
    sqlite3_bind_int64(statement, 1, caller);
    sqlite3_bind_text(statement, 2, item->idempotency_key, -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 3, item->body_hash, STORE_BODY_HASH_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 4, now);
    return db_run(&writer->db, statement, "store an idempotency key", fault);
}

static enum err add_batch(struct sqlite_writer *writer, uint32_t logs, int64_t caller, int64_t now, int64_t *ret_id,
                          struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_BATCH_ADD);
    sqlite3_bind_int64(statement, 1, now);
    sqlite3_bind_int64(statement, 2, caller);
    sqlite3_bind_int64(statement, 3, logs);
    enum err err = db_run(&writer->db, statement, "store a batch", fault);
    if (!err)
        *ret_id = sqlite3_last_insert_rowid(writer->db.handle);
    return err;
}

/* Looks the item's key up. *ret_known: the item came before; its result is set and nothing is to be done. */
static enum err look_up(struct sqlite_writer *writer, struct store_item *item, int64_t caller, struct claim *ret_claim,
                        bool *ret_known, struct fault *fault)
{
    if (!item->idempotency_key)
        return OK;
    struct import_mark begin;
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

enum err sqlite_admit(struct sqlite_writer *writer, struct store_item *item, int64_t now, struct totals *sums,
                      struct fault *fault)
{
    int64_t caller = 0;
    bool known = false;
    struct claim key = {0};
    enum err err = sqlite_resolve_text(&writer->names, slice_of(item->caller), &caller, fault);
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
    int64_t batch_id = 0;
    if (!err)
        err = add_batch(writer, item->batch->log_count - item->already, caller, now, &batch_id, fault);
    if (!err)
        err = sqlite_queue_rows(writer, item->batch, item->already, batch_id, fault);
    return err;
}

enum err sqlite_put_total(struct sqlite_writer *writer, const struct totals *sums, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_SET_TOTAL);
    BIND_ALL(statement, sums->count, sums->bytes_sent, sums->bytes_received, sums->errors);
    return db_run(&writer->db, statement, "add to total", fault);
}

/* Marks of imports are kept. So each search goes on where the last one ended; otherwise it would look through all marks
 * again. */
enum err sqlite_expire_keys(struct sqlite_writer *writer, int64_t before, bool *ret_more, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_KEY_EXPIRE);
    if (before < writer->admit.keys_expired_until) /* the clock was set back */
        writer->admit.keys_expired_until = 0;
    BIND_ALL(statement, before, writer->admit.keys_expired_until);
    enum err err = db_run(&writer->db, statement, "forget old idempotency keys", fault);
    if (err)
        return err;
    *ret_more = sqlite3_changes(writer->db.handle) > 0;
    if (!*ret_more)
        writer->admit.keys_expired_until = before;
    return OK;
}
