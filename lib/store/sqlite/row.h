/* row.h: the measures of a row, which every table and every statement has in one order. Private to the SQLite engine.
 */
#ifndef STORE_SQLITE_ROW_H
#define STORE_SQLITE_ROW_H

#include "db/db.h"
#include "report/report.h"

/* From column `first` on: count, bytes sent and received, errors, max_concurrency. */
struct totals row_totals(sqlite3_stmt *statement, int first);

/* The same of a row of logs of one second. */
struct totals row_totals_at(sqlite3_stmt *statement, int first, int64_t ts);

/* Those of the first row of SQL text of our own; all 0 when there is none. */
enum err row_read_totals(struct db *db, const char *sql, struct totals *ret_totals, struct fault *fault);

#endif
