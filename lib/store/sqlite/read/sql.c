/* sql.c: the reader's statements, prepared. */
#include "store/sqlite/read/sql.h"

#include "base/banned.h"

static const char *const reader_sql[] = {
#define READER_TEXT(name, sql) sql,
    READER_SQL(READER_TEXT)
#undef READER_TEXT
};

enum err sqlite_reader_prepare(struct db *db, struct fault *fault)
{
    return db_prepare(db, reader_sql, READER_STATEMENTS, fault);
}
