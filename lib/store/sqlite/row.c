/* row.c: the measures of a row. Knows the order of their columns. */
#include "store/sqlite/row.h"

#include <stdio.h>

#include <string.h>

#include "base/banned.h"

struct totals row_totals(sqlite3_stmt *statement, int first)
{
    return (struct totals){.count = sqlite3_column_int64(statement, first),
                           .bytes_sent = sqlite3_column_int64(statement, first + 1),
                           .bytes_received = sqlite3_column_int64(statement, first + 2),
                           .errors = sqlite3_column_int64(statement, first + 3),
                           .max_concurrency = sqlite3_column_int64(statement, first + 4),
                           .duration_ms = sqlite3_column_int64(statement, first + 5)};
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

/* ---- a log ---- */

bool row_read_ip(sqlite3_stmt *statement, int column, struct ip *ret_ip)
{
    int len = sqlite3_column_bytes(statement, column);
    if (len != 0 && len != 4 && len != 16)
        return false;
    *ret_ip = (struct ip){.len = (uint8_t)len};
    if (len > 0)
        memcpy(ret_ip->bytes, sqlite3_column_blob(statement, column), (size_t)len);
    return true;
}

bool row_read_fields(sqlite3_stmt *statement, int first, struct log_record *ret_record)
{
    int64_t *const counters[] = {&ret_record->count,       &ret_record->bytes_sent,  &ret_record->bytes_received,
                                 &ret_record->error_count, &ret_record->duration_ms, &ret_record->max_concurrency};
    ret_record->port = (uint16_t)sqlite3_column_int(statement, first);
    for (int i = 0; i < (int)(sizeof counters / sizeof *counters); i++)
        *counters[i] = sqlite3_column_int64(statement, first + 3 + i);
    return row_read_ip(statement, first + 1, &ret_record->ip_out) &&
           row_read_ip(statement, first + 2, &ret_record->ip_from);
}
