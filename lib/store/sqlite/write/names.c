/* names.c: texts into name ids. Knows the name table and its cache. Knows no batch but for its list of names. */
#include "store/sqlite/write/names.h"

#include "store/sqlite/write/sql.h"

#include <stdlib.h>

#include "base/banned.h"

static enum err find(struct writer_names *names, struct slice text, int64_t *ret_id, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(names->db, W_NAME_FIND);
    sqlite3_bind_text(statement, 1, text.data, (int)text.len, SQLITE_STATIC);
    return db_step_i64(names->db, statement, "find a name", 0, ret_id, fault);
}

static enum err add(struct writer_names *names, struct slice text, int64_t *ret_id, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(names->db, W_NAME_ADD);
    sqlite3_bind_text(statement, 1, text.data, (int)text.len, SQLITE_STATIC);
    enum err err = db_run(names->db, statement, "add a name", fault);
    if (!err)
        *ret_id = sqlite3_last_insert_rowid(names->db->handle);
    return err;
}

static enum err resolve(struct writer_names *names, uint32_t hash, struct slice text, int64_t *ret_id,
                        struct fault *fault)
{
    if (text.len == 0) {
        *ret_id = 0;
        return OK;
    }
    int64_t id = name_cache_find(&names->cache, hash, text);
    enum err err = id ? OK : find(names, text, &id, fault);
    if (!err && !id)
        err = add(names, text, &id, fault);
    if (err)
        return err;
    name_cache_add(&names->cache, hash, text, id);
    *ret_id = id;
    return OK;
}

static enum err reserve_ids(struct writer_names *names, size_t more, struct fault *fault)
{
    size_t needed = names->count + more;
    if (needed <= names->cap)
        return OK;
    int64_t *ids = realloc(names->ids, needed * 2 * sizeof *ids);
    if (!ids)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    names->ids = ids;
    names->cap = needed * 2;
    return OK;
}

enum err sqlite_resolve_names(struct writer_names *names, const struct batch *batch, struct fault *fault)
{
    enum err err = reserve_ids(names, batch->name_count, fault);
    for (uint32_t i = 0; !err && i < batch->name_count; i++) {
        err = resolve(names, batch->names[i].hash, batch_name(batch, i), &names->ids[names->count], fault);
        names->count++;
    }
    return err;
}

enum err sqlite_resolve_text(struct writer_names *names, struct slice text, int64_t *ret_id, struct fault *fault)
{
    /* Rare texts (callers) bypass the cache: they have no hash from a batch. */
    *ret_id = 0;
    enum err err = text.len ? find(names, text, ret_id, fault) : OK;
    if (!err && !*ret_id && text.len)
        err = add(names, text, ret_id, fault);
    return err;
}
