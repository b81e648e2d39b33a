/* names.c: texts and their ids. Knows the table of names. Knows no question. */
#include "store/sqlite/read/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

enum err scan_find_name(struct sqlite_reader *reader, struct slice text, int64_t *ret_id, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, R_NAME_FIND);
    sqlite3_bind_text(statement, 1, text.len ? text.data : "", (int)text.len, SQLITE_TRANSIENT);
    return db_step_i64(&reader->db, statement, "find a name", INT64_MIN, ret_id, fault);
}

enum err scan_name(struct sqlite_reader *reader, int64_t id, char **ret_text, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, R_NAME_TEXT);
    sqlite3_bind_int64(statement, 1, id);
    bool row = false;
    enum err err = db_step(&reader->db, statement, "read a name", &row, fault);
    if (err)
        return err;
    char *text = strdup(row ? (const char *)sqlite3_column_text(statement, 0) : "");
    sqlite3_reset(statement);
    if (!text)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    *ret_text = text;
    return OK;
}
