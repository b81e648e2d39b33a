/* recount.h: do the rollups hold what raw_log holds? Asked in plain SQL, for tests of the store. */
#ifndef SUPPORT_RECOUNT_H
#define SUPPORT_RECOUNT_H

#include <sqlite3.h>
#include <stdint.h>

/* The first column of the first row. */
int64_t recount_i64(sqlite3 *db, const char *sql);

/* By how many rows do the rollups differ from a recount of raw_log? If logs were pruned, a temporary table raw_log with
 * all logs that ever came must hide the real one. Sums before a horizon are left out. Leaves the temporary tables
 * `packed` (what rollup_chunk holds) and `again` (what it should), so it can be called once on each connection. */
int64_t recount_differences(sqlite3 *db);

/* The same, for tests that look at hundreds of databases of which many hold the same: if a recount of the same rows has
 * found no difference before in this process, its answer is 0 again. The rows are compared by a hash. Leaves the
 * temporary tables only if it has recounted. */
int64_t recount_unless_known(sqlite3 *db);

/* Packed rows of periods that are not closed: none, once upkeep has done its work. */
int64_t recount_half_packed(sqlite3 *db);

#endif
