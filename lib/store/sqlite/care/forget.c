/* forget.c: deletes texts that no log, no sum, no batch, no idempotency key and no import has any more. Knows where
 * names stand. Keeps a bit for each name in memory. */
#include "store/sqlite/care/forget.h"

#include "store/sqlite/write/upkeep.h"

#include <stdlib.h>
#include "store/sqlite/packed_log.h"

#include "base/banned.h"

/* Ends a transaction. */
#define SLICE_NAMES 5000

struct names {
    struct sqlite_writer *writer;
    struct work *work;
    int64_t count;       /* ids 0 … count - 1 */
    unsigned char *used; /* a bit for each */
    int64_t forgotten;
};

/* An id that is no name's is damage, and verify's to tell of. */
static void note(struct names *names, int64_t id)
{
    if (id >= 0 && id < names->count)
        names->used[id / 8] |= (unsigned char)(1u << id % 8);
}

static bool is_used(const struct names *names, int64_t id)
{
    return id == 0 || (names->used[id / 8] >> id % 8 & 1);
}

static void note_columns(struct names *names, sqlite3_stmt *statement)
{
    for (int i = 0; i < sqlite3_column_count(statement); i++)
        note(names, sqlite3_column_int64(statement, i));
}

/* Tier, bucket, entries. */
static void note_chunk(struct names *names, sqlite3_stmt *statement)
{
    struct pack_reader reader;
    pack_open(&reader, sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0), 0, false);
    struct totals ignored;
    while (pack_next(&reader, &ignored)) {
        note(names, reader.key.domain);
        note(names, reader.key.error);
    }
}

static enum err read_all(struct names *names, const char *sql, void (*each)(struct names *, sqlite3_stmt *),
                         struct fault *fault)
{
    struct db *db = &names->writer->db;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL) != SQLITE_OK)
        return db_fault(db, sql, fault);
    bool row = true;
    enum err err = db_step(db, statement, "look for names", &row, fault);
    while (!err && row) {
        each(names, statement);
        names->work->progress.done++;
        err = db_step(db, statement, "look for names", &row, fault);
    }
    sqlite3_finalize(statement);
    return err;
}

/* Where logs are kept, sums have no name that the logs have not. */
static enum err find_used(struct names *names, struct fault *fault)
{
    static const struct {
        const char *sql;
        void (*each)(struct names *names, sqlite3_stmt *statement);
    } places[] = {
        {"SELECT domain, protocol, peer, worker, error FROM " STORED_LOG, note_columns},
        {"SELECT caller FROM batch", note_columns},
        {"SELECT caller FROM batch_key", note_columns},
        {"SELECT source FROM import_batch", note_columns},
        {"WITH RECURSIVE next (source) AS (SELECT min(source) FROM import_log UNION ALL SELECT (SELECT min(l.source) "
         "FROM"
         " import_log AS l WHERE l.source > next.source) FROM next WHERE next.source IS NOT NULL) SELECT source FROM "
         "next",
         note_columns},
        {"SELECT source FROM import_batch", note_columns},
        {"SELECT entries FROM rollup_chunk, retention WHERE raw_from > 0 AND bucket * (CASE tier WHEN 1 THEN 1 WHEN 2"
         " THEN 24 WHEN 3 THEN 96 ELSE 384 END) < raw_from * 24",
         note_chunk},
        {"SELECT value FROM value_day WHERE dimension NOT IN (4, 5) AND bucket < (SELECT raw_from FROM retention)",
         note_columns},
    };
    enum err err = OK;
    for (size_t i = 0; !err && i < sizeof places / sizeof *places; i++)
        err = read_all(names, places[i].sql, places[i].each, fault);
    return err;
}

/* ---- deleting ---- */

static enum err forget_some(struct sqlite_writer *writer, struct names *names, int64_t *id, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_NAME_DROP);
    enum err err = db_begin(&writer->db, fault);
    for (int n = 0; !err && *id < names->count && n < SLICE_NAMES; ++*id) {
        if (is_used(names, *id))
            continue;
        BIND_ALL(statement, *id);
        err = db_run(&writer->db, statement, "forget a name", fault);
        names->forgotten += sqlite3_changes(writer->db.handle);
        n++;
    }
    if (!err)
        err = db_commit(&writer->db, fault);
    if (err)
        db_rollback(&writer->db);
    return err;
}

static enum err forget_unused(struct names *names, struct fault *fault)
{
    struct sqlite_writer *writer = names->writer;
    name_cache_clear(&writer->names.cache);
    enum err err = OK;
    int64_t id = 1;
    while (!err && id < names->count) {
        err = sqlite_wal_make_room(&writer->wal, fault);
        if (!err)
            err = forget_some(writer, names, &id, fault);
        if (!err && sqlite_checkpoint_is_due(writer))
            err = sqlite_wal_checkpoint(&writer->wal, fault);
        if (!err)
            err = work_go_on(names->work, fault);
    }
    return err;
}

enum err forget_names(struct sqlite_writer *writer, struct work *work, int64_t *ret_names, struct fault *fault)
{
    struct names names = {.writer = writer, .work = work};
    work_step(work, "looking for names that no log has any more", "rows", 0);
    int64_t newest = 0;
    enum err err = db_get_i64(&writer->db, "SELECT max(id) FROM name", 0, &newest, fault);
    if (err)
        return err;
    names.count = newest + 1;
    names.used = calloc((size_t)names.count / 8 + 1, 1);
    if (!names.used)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    err = find_used(&names, fault);
    if (!err)
        err = forget_unused(&names, fault);
    free(names.used);
    *ret_names = names.forgotten;
    return err;
}
