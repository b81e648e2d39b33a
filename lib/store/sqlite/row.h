/* row.h: the measures and the fields of a row, which every table and every statement has in one order. Private to the
 * SQLite engine. */
#ifndef STORE_SQLITE_ROW_H
#define STORE_SQLITE_ROW_H

#include "db/db.h"
#include "log/batch.h"
#include "report/report.h"

/* From column `first` on: count, bytes sent and received, errors, max_concurrency, duration_ms. */
struct totals row_totals(sqlite3_stmt *statement, int first);

/* The same of a row of logs of one second. */
struct totals row_totals_at(sqlite3_stmt *statement, int first, int64_t ts);

/* Those of the first row of SQL text of our own; all 0 when there is none. */
enum err row_read_totals(struct db *db, const char *sql, struct totals *ret_totals, struct fault *fault);

/* False where the column has no address's length. */
bool row_read_ip(sqlite3_stmt *statement, int column, struct ip *ret_ip);

/* From column `first` on: port, ip_out, ip_from, count, bytes_sent, bytes_received, error_count, duration_ms and
 * max_concurrency. False where an address has no address's length. */
bool row_read_fields(sqlite3_stmt *statement, int first, struct log_record *ret_record);

#endif
