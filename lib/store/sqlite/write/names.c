/* names.c: texts into name ids. Knows the name table and its cache. Knows no batch but for its list of names. */
#include "store/sqlite/write/writer.h"

#include <stdlib.h>

#include "base/banned.h"

static enum err find(struct sqlite_writer *writer, struct slice text, int64_t *ret_id, struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, W_NAME_FIND);
    bool row = false;
    sqlite3_bind_text(statement, 1, text.data, (int)text.len, SQLITE_STATIC);
    enum err err = db_step(&writer->db, statement, "find a name", &row, fault);
    if (err)
        return err;
    *ret_id = row ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_reset(statement);
    return OK;
}

static enum err add(struct sqlite_writer *writer, struct slice text, int64_t *ret_id, struct fault *fault)
{
    sqlite3_stmt *statement = writer_statement(writer, W_NAME_ADD);
    sqlite3_bind_text(statement, 1, text.data, (int)text.len, SQLITE_STATIC);
    enum err err = db_run(&writer->db, statement, "add a name", fault);
    if (!err)
        *ret_id = sqlite3_last_insert_rowid(writer->db.handle);
    return err;
}

static enum err resolve(struct sqlite_writer *writer, uint32_t hash, struct slice text, int64_t *ret_id,
                        struct fault *fault)
{
    if (text.len == 0) {
        *ret_id = 0;
        return OK;
    }
    int64_t id = name_cache_find(&writer->names, hash, text);
    enum err err = id ? OK : find(writer, text, &id, fault);
    if (!err && !id)
        err = add(writer, text, &id, fault);
    if (err)
        return err;
    name_cache_add(&writer->names, hash, text, id);
    *ret_id = id;
    return OK;
}

static enum err reserve_ids(struct sqlite_writer *writer, size_t more, struct fault *fault)
{
    size_t needed = writer->name_id_count + more;
    if (needed <= writer->name_id_cap)
        return OK;
    int64_t *ids = realloc(writer->name_ids, needed * 2 * sizeof *ids);
    if (!ids)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    writer->name_ids = ids;
    writer->name_id_cap = needed * 2;
    return OK;
}

enum err sqlite_resolve_names(struct sqlite_writer *writer, const struct batch *batch, struct fault *fault)
{
    enum err err = reserve_ids(writer, batch->name_count, fault);
    for (uint32_t i = 0; !err && i < batch->name_count; i++) {
        err = resolve(writer, batch->names[i].hash, batch_name(batch, i), &writer->name_ids[writer->name_id_count],
                      fault);
        writer->name_id_count++;
    }
    return err;
}

enum err sqlite_resolve_text(struct sqlite_writer *writer, struct slice text, int64_t *ret_id, struct fault *fault)
{
    /* Rare texts (callers) bypass the cache: they have no hash of the batch's kind. */
    *ret_id = 0;
    enum err err = text.len ? find(writer, text, ret_id, fault) : OK;
    if (!err && !*ret_id && text.len)
        err = add(writer, text, ret_id, fault);
    return err;
}
