/* sql.c: the writer's statements, prepared and asked. */
#include "store/sqlite/write/sql.h"

#include "base/banned.h"

static const char *const writer_sql[] = {
#define WRITER_TEXT(name, sql) sql,
    WRITER_SQL(WRITER_TEXT)
#undef WRITER_TEXT
};

enum err sqlite_writer_prepare(struct db *db, struct fault *fault)
{
    return db_prepare(db, writer_sql, WRITER_STATEMENTS, fault);
}

enum err sqlite_lookup(struct db *db, enum writer_statement which, int64_t value, int64_t otherwise, int64_t *ret_value,
                       struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(db, which);
    bool row = false;
    if (sqlite3_bind_parameter_count(statement) > 0)
        sqlite3_bind_int64(statement, 1, value);
    enum err err = db_step(db, statement, "look for rows", &row, fault);
    if (err)
        return err;
    *ret_value = row ? sqlite3_column_int64(statement, 0) : otherwise;
    sqlite3_reset(statement);
    return OK;
}

struct totals sqlite_raw_totals(sqlite3_stmt *statement)
{
    int64_t ts = sqlite3_column_int64(statement, 9);
    return (struct totals){.count = sqlite3_column_int64(statement, 4),
                           .bytes_sent = sqlite3_column_int64(statement, 5),
                           .bytes_received = sqlite3_column_int64(statement, 6),
                           .errors = sqlite3_column_int64(statement, 7),
                           .max_concurrency = sqlite3_column_int64(statement, 8),
                           .first = ts,
                           .last = ts};
}
