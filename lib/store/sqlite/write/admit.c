/* admit.c: which batches of a group are let in: not what came before by its idempotency key or by an import, and not
 * what would make a total pass 2^63-1. Knows keys, batches and the total. Leaves imports to write/import_log.c and
 * their marks to write/import.c, rows to write/rows.c. */
#include "store/sqlite/write/admit.h"

#include "store/sqlite/write/import.h"
#include "store/sqlite/write/import_log.h"
#include "store/sqlite/write/rows.h"

#include <string.h>

#include "base/banned.h"

/* *ret_sums becomes `before` with the batch added, but for logs that are known. */
static bool sums_fit(const struct batch *batch, const bool *known, const struct totals *before, struct totals *ret_sums)
{
    struct totals sums = *before;
    for (uint32_t i = 0; i < batch->log_count; i++) {
        struct totals log = log_totals(&batch->logs[i]);
        if (!(known && known[i]) && !totals_add_within(&sums, &log))
            return false;
    }
    *ret_sums = sums;
    return true;
}

/* What an item's key is, and what becomes of it when the item is let in. */
enum key_kind { KEY_NONE, KEY_PLAIN, KEY_MARK, KEY_IMPORT };

struct claim {
    enum key_kind kind;
    struct import_batch batch; /* of KEY_IMPORT */
    struct import_mark mark;   /* of KEY_MARK: where it begins, and then where it ends */
};

static struct claim claim_of(const struct store_item *item)
{
    struct claim claim = {.kind = KEY_NONE};
    if (!item->idempotency_key)
        return claim;
    struct slice key = slice_of(item->idempotency_key);
    claim.kind = import_batch_parse(key, &claim.batch) ? KEY_IMPORT
                 : import_mark_parse(key, &claim.mark) ? KEY_MARK
                                                       : KEY_PLAIN;
    return claim;
}

/* Looks for the item's key: *ret_known, and then the item's result is set. */
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

static enum err look_up_mark(struct sqlite_writer *writer, struct store_item *item, struct claim *claim, bool *ret_done,
                             struct fault *fault)
{
    struct import_mark begin = claim->mark;
    enum err err = sqlite_import_find(writer, item, &begin, &claim->mark, fault);
    *ret_done = item->replayed = !err && item->already == item->batch->log_count;
    return err || *ret_done ? err : sqlite_import_note(writer, item, fault);
}

/* Of a batch that brings nothing new, only how its logs are remembered may change. */
static enum err look_up_import(struct sqlite_writer *writer, struct store_item *item, const struct claim *claim,
                               bool *ret_done, struct fault *fault)
{
    enum err err = sqlite_import_compare(writer, item, &claim->batch, fault);
    if (err || item->result)
        return err;
    item->replayed = item->already == item->batch->log_count;
    *ret_done = item->replayed || claim->batch.check;
    return *ret_done && !claim->batch.check ? sqlite_import_record(writer, 0, fault) : OK;
}

/* What an item's key says of it. *ret_done: nothing more is to be done, and its result is set. */
static enum err look_up(struct sqlite_writer *writer, struct store_item *item, int64_t caller, struct claim *claim,
                        bool *ret_done, struct fault *fault)
{
    switch (claim->kind) {
    case KEY_NONE:
        return OK;
    case KEY_PLAIN:
        return find_key(writer, item, caller, ret_done, fault);
    case KEY_MARK:
        return look_up_mark(writer, item, claim, ret_done, fault);
    case KEY_IMPORT:
        return look_up_import(writer, item, claim, ret_done, fault);
    }
    return OK;
}

static enum err keep_claim(struct sqlite_writer *writer, const struct store_item *item, const struct claim *claim,
                           int64_t caller, int64_t batch_id, int64_t now, struct fault *fault)
{
    enum err err = OK;
    if (claim->kind == KEY_PLAIN)
        return claim_key(writer, item, caller, now, fault);
    if (claim->kind == KEY_MARK)
        err = sqlite_import_mark(writer, &claim->mark, now, fault);
    if (!err && claim->kind != KEY_NONE)
        err = sqlite_import_record(writer, batch_id, fault);
    return err;
}

static enum err store_item(struct sqlite_writer *writer, struct store_item *item, const struct claim *claim,
                           int64_t caller, int64_t now, struct totals *sums, struct fault *fault)
{
    int64_t batch_id = 0;
    const bool *known = claim->kind >= KEY_MARK ? writer->import.known : NULL;
    if (!sums_fit(item->batch, known, sums, sums)) {
        item->result =
            fault_set(&item->fault, ERR_LOGS_INVALID,
                      "with these logs a total would pass 9223372036854775807, the most that can be counted");
        return OK;
    }
    enum err err = add_batch(writer, item->batch->log_count - item->already, caller, now, &batch_id, fault);
    if (!err)
        err = keep_claim(writer, item, claim, caller, batch_id, now, fault);
    return err ? err : sqlite_queue_rows(writer, item->batch, known, batch_id, fault);
}

enum err sqlite_admit(struct sqlite_writer *writer, struct store_item *item, int64_t now, struct totals *sums,
                      struct fault *fault)
{
    int64_t caller = 0;
    bool done = false;
    struct claim claim = claim_of(item);
    enum err err = sqlite_resolve_text(&writer->names, slice_of(item->caller), &caller, fault);
    if (!err)
        err = look_up(writer, item, caller, &claim, &done, fault);
    return err || done || item->result ? err : store_item(writer, item, &claim, caller, now, sums, fault);
}

enum err sqlite_put_total(struct sqlite_writer *writer, const struct totals *sums, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_SET_TOTAL);
    BIND_ALL(statement, sums->count, sums->bytes_sent, sums->bytes_received, sums->errors, sums->duration_ms);
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
