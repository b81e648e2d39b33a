/* row.c: the measures of a row. Knows the order of their columns. */
#include "store/sqlite/row.h"

#include <stdio.h>

#include "base/banned.h"

struct totals row_totals(sqlite3_stmt *statement, int first)
{
    return (struct totals){.count = sqlite3_column_int64(statement, first),
                           .bytes_sent = sqlite3_column_int64(statement, first + 1),
                           .bytes_received = sqlite3_column_int64(statement, first + 2),
                           .errors = sqlite3_column_int64(statement, first + 3),
                           .max_concurrency = sqlite3_column_int64(statement, first + 4)};
}

struct totals row_totals_at(sqlite3_stmt *statement, int first, int64_t ts)
{
    struct totals totals = row_totals(statement, first);
    totals.first = totals.last = ts;
    return totals;
}

enum err row_read_totals(struct db *db, const char *sql, struct totals *ret_totals, struct fault *fault)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &statement, NULL) != SQLITE_OK)
        return db_fault(db, db->path, fault);
    bool row = false;
    enum err err = db_step(db, statement, db->path, &row, fault);
    if (!err)
        *ret_totals = row ? row_totals(statement, 0) : (struct totals){0};
    sqlite3_finalize(statement);
    return err;
}
