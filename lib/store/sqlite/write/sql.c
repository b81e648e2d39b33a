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
    enum err err = sqlite_log_hash_register(db, fault);
    return err ? err : db_prepare(db, writer_sql, WRITER_STATEMENTS, fault);
}

enum err sqlite_lookup(struct db *db, enum writer_statement which, int64_t value, int64_t otherwise, int64_t *ret_value,
                       struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(db, which);
    if (sqlite3_bind_parameter_count(statement) > 0)
        sqlite3_bind_int64(statement, 1, value);
    return db_step_i64(db, statement, "look for rows", otherwise, ret_value, fault);
}
