/* import.c: what of an import's chunk is stored already, and the mark that it leaves. Marks are rows of batch_key
 * like other idempotency keys, but of a caller of their own: an import that began through the service may go on without
 * it, and the other way round. And they are not forgotten: a file may be imported again after a year.
 *
 * A chunk comes with the mark of where it begins. Whole chunks of a file leave the same marks each time; but the last
 * one is short, and when the file has grown, the chunk that begins there holds logs that are stored. So the marks
 * between the chunk's ends are looked at too. */
#include "store/sqlite/write/import.h"

#include <string.h>

#include "base/banned.h"

static void bind_key(sqlite3_stmt *statement, int index, const char *key)
{
    sqlite3_bind_text(statement, index, key, -1, SQLITE_TRANSIENT);
}

/* Every mark that lies as far into its file as some end of this chunk, in order. */
static sqlite3_stmt *find_marks(struct sqlite_writer *writer, const struct store_item *item,
                                const struct import_mark *begin)
{
    char key[IMPORT_KEY_BYTES];
    sqlite3_stmt *statement = sql_of(&writer->db, W_MARKS_FIND);
    struct import_mark bound = {.logs = begin->logs + 1};
    import_mark_format(&bound, key);
    bind_key(statement, 1, key);
    bound.logs = begin->logs + item->batch->log_count + 1;
    import_mark_format(&bound, key);
    bind_key(statement, 2, key);
    return statement;
}

/* Moves `at` on through the batch to where the mark lies. */
static bool is_of_chunk(const struct batch *batch, const struct import_mark *begin, const struct import_mark *mark,
                        struct import_mark *at)
{
    while (at->logs < mark->logs)
        import_mark_add(at, batch, (uint32_t)(at->logs - begin->logs));
    return memcmp(at->hash, mark->hash, sizeof at->hash) == 0;
}

enum err sqlite_import_find(struct sqlite_writer *writer, struct store_item *item, const struct import_mark *begin,
                            struct import_mark *ret_end, struct fault *fault)
{
    sqlite3_stmt *statement = find_marks(writer, item, begin);
    struct import_mark at = *begin, mark;
    bool row = false;
    item->already = 0;
    enum err err = db_step(&writer->db, statement, "look for the marks of an import", &row, fault);
    while (!err && row) {
        struct slice key = {(const char *)sqlite3_column_text(statement, 0),
                            (size_t)sqlite3_column_bytes(statement, 0)};
        if (import_mark_parse(key, &mark) && is_of_chunk(item->batch, begin, &mark, &at))
            item->already = (uint32_t)(mark.logs - begin->logs);
        err = db_step(&writer->db, statement, "look for the marks of an import", &row, fault);
    }
    while (!err && at.logs < begin->logs + item->batch->log_count)
        import_mark_add(&at, item->batch, (uint32_t)(at.logs - begin->logs));
    *ret_end = at;
    return err;
}

enum err sqlite_import_mark(struct sqlite_writer *writer, const struct import_mark *end, int64_t now,
                            struct fault *fault)
{
    int64_t caller = 0;
    char key[IMPORT_KEY_BYTES];
    sqlite3_stmt *statement = sql_of(&writer->db, W_KEY_ADD);
    enum err err = sqlite_resolve_text(&writer->names, slice_of(STORE_IMPORT_CALLER), &caller, fault);
    if (err)
        return err;
    import_mark_format(end, key);
    sqlite3_bind_int64(statement, 1, caller);
    bind_key(statement, 2, key);
    sqlite3_bind_blob(statement, 3, end->hash, sizeof end->hash, SQLITE_TRANSIENT);
    sqlite3_bind_int64(statement, 4, now);
    return db_run(&writer->db, statement, "store the mark of an import", fault);
}
