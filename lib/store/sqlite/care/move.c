/* move.c: what moving a folder's logs needs besides them. Knows the tables batch_key, import_log and retention. */
#include "store/sqlite/care/move.h"

#include "store/sqlite/file.h"
#include "store/sqlite/write/health.h"
#include "store/sqlite/write/writer.h"
#include "time/when.h"

#include "base/banned.h"

enum err sqlite_freeze(const char *data_dir, int *ret_lock, struct fault *fault)
{
    return sqlite_lock(data_dir, ret_lock, fault);
}

enum err sqlite_sums_until(const char *data_dir, int64_t *ret_until, struct fault *fault)
{
    struct db db = {0};
    int64_t day = 0;
    enum err err = sqlite_file_open_reader(data_dir, &db, fault);
    if (err)
        return err;
    err = db_get_i64(&db, "SELECT raw_from FROM retention WHERE raw_from > day_from", 0, &day, fault);
    db_close(&db);
    if (!err)
        *ret_until = day * WHEN_DAY;
    return err;
}

/* ---- copying rows ---- */

/* A query, and the statement that takes each of its rows. The first column is the text of a name. */
struct copying {
    const char *query, *insert;
};

static const struct copying copies[] = {
    {"SELECT text, key, body_hash, received_at FROM batch_key JOIN name ON id = caller WHERE text != ?1",
     "INSERT OR IGNORE INTO batch_key (caller, key, body_hash, received_at) VALUES"
     " ((SELECT id FROM name WHERE text = ?1), ?2, ?3, ?4)"},
    {"SELECT text, second, hash, edges, count FROM import_log JOIN name ON id = source WHERE text != ?1",
     "INSERT OR IGNORE INTO import_log (source, second, hash, edges, count) VALUES"
     " ((SELECT id FROM name WHERE text = ?1), ?2, ?3, ?4, ?5)"},
};

static enum err prepare(struct db *db, const char *sql, sqlite3_stmt **ret_statement, struct fault *fault)
{
    if (sqlite3_prepare_v2(db->handle, sql, -1, ret_statement, NULL) == SQLITE_OK)
        return OK;
    return db_fault(db, "prepare to copy", fault);
}

static enum err copy_row(struct db *to, sqlite3_stmt *row, sqlite3_stmt *name, sqlite3_stmt *insert,
                         struct fault *fault)
{
    sqlite3_bind_value(name, 1, sqlite3_column_value(row, 0));
    enum err err = db_run(to, name, "copy a name", fault);
    for (int i = 0; i < sqlite3_column_count(row); i++)
        sqlite3_bind_value(insert, i + 1, sqlite3_column_value(row, i));
    return err ? err : db_run(to, insert, "copy a row", fault);
}

static enum err copy_rows(struct db *from, struct db *to, const struct copying *copying, const char *caller,
                          struct fault *fault)
{
    sqlite3_stmt *query = NULL, *name = NULL, *insert = NULL;
    bool row = true;
    enum err err = prepare(from, copying->query, &query, fault);
    if (!err)
        err = prepare(to, "INSERT OR IGNORE INTO name (text) VALUES (?1)", &name, fault);
    if (!err)
        err = prepare(to, copying->insert, &insert, fault);
    if (!err)
        sqlite3_bind_text(query, 1, caller, -1, SQLITE_STATIC);
    while (!err && row) {
        err = db_step(from, query, "read what to copy", &row, fault);
        if (!err && row)
            err = copy_row(to, query, name, insert, fault);
    }
    sqlite3_finalize(query);
    sqlite3_finalize(name);
    sqlite3_finalize(insert);
    return err;
}

static enum err copy_all(struct db *from, struct sqlite_writer *to, const char *caller, struct fault *fault)
{
    enum err err = db_begin(&to->db, fault);
    for (size_t i = 0; !err && i < sizeof copies / sizeof *copies; i++)
        err = copy_rows(from, &to->db, &copies[i], caller, fault);
    if (!err)
        err = db_commit(&to->db, fault);
    if (err)
        sqlite_undo(to, fault);
    return err;
}

enum err sqlite_copy_known(const char *from_dir, struct sqlite_writer *to, const char *caller, struct fault *fault)
{
    struct db from = {0};
    enum err err = sqlite_file_open_reader(from_dir, &from, fault);
    if (err)
        return err;
    err = copy_all(&from, to, caller, fault);
    db_close(&from);
    return err;
}
