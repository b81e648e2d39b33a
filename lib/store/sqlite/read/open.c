/* open.c: a reader from its beginning to its end. Knows how its connection is set up. Knows no report. */
#include "store/sqlite/file.h"
#include "store/sqlite/read/pass.h"

#include <stdlib.h>

#include "base/banned.h"

static int tick(void *ctx)
{
    return scan_is_late(ctx);
}

static enum err prepare(struct sqlite_reader *reader, const char *data_dir, struct fault *fault)
{
    enum err err = sqlite_file_open_logs(data_dir, &reader->db, fault);
    if (!err)
        state_identify(reader, reader->db.path);
    if (!err)
        err = db_exec(&reader->db, "PRAGMA cache_size=-8192", fault);
    if (!err)
        err = pass_make_aggregate(reader, fault);
    if (!err)
        err = sqlite_reader_prepare(&reader->db, fault);
    return err;
}

enum err sqlite_reader_open(const char *data_dir, struct sqlite_reader **ret_reader, struct fault *fault)
{
    struct sqlite_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    reader->base.engine = &store_engine_sqlite;
    enum err err = prepare(reader, data_dir, fault);
    if (err) {
        sqlite_reader_close(reader);
        return err;
    }
    db_watch(&reader->db, tick, reader);
    *ret_reader = reader;
    return OK;
}

bool sqlite_reader_is_stale(struct sqlite_reader *reader)
{
    return !reader->held && db_has_moved(&reader->db);
}

void sqlite_reader_close(struct sqlite_reader *reader)
{
    if (!reader)
        return;
    db_close(&reader->db);
    tally_cache_release(&reader->cache);
    free(reader);
}

enum err sqlite_reader_health(struct sqlite_reader *reader, int *ret_schema_version, struct fault *fault)
{
    int64_t version = 0, rows = 0;
    enum err err = db_get_i64(&reader->db, "PRAGMA user_version", 0, &version, fault);
    if (!err)
        err = db_get_i64(&reader->db, "SELECT closed_day FROM closing", 0, &rows, fault);
    if (!err)
        *ret_schema_version = (int)version;
    return err;
}
