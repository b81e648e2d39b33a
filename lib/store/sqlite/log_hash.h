/* log_hash.h: the hash of an imported log, for SQL. */
#ifndef STORE_SQLITE_LOG_HASH_H
#define STORE_SQLITE_LOG_HASH_H

#include "db/db.h"
#include "store/sqlite/packed_log.h"

/* Of a row r of raw_log: what import_log has as `hash`. */
#define LOG_HASH                                                                                                       \
    "log_hash(r.quarter * 900 + r.second, r.user_id, r.order_id, r.count, r.bytes_sent, r.bytes_received,"             \
    " r.error_count, r.duration_ms, r.max_concurrency, r.port, r.ip_out, r.ip_from,"                                   \
    " (SELECT text FROM name WHERE id = r.domain), (SELECT text FROM name WHERE id = r.error),"                        \
    " (SELECT text FROM name WHERE id = r.protocol), (SELECT text FROM name WHERE id = r.peer),"                       \
    " (SELECT text FROM name WHERE id = r.worker))"

/* Rows r of raw_log of the quarter ?1 that imports stored, b the rows of import_batch; those of old versions only once
 * import_log has them. */
#define IMPORTED_LOGS "FROM " STORED_LOG " AS r JOIN import_batch AS b ON b.batch_id = r.batch_id WHERE r.quarter = ?1"

/* Makes the function known to the connection, before statements with it are prepared. */
enum err sqlite_log_hash_register(struct db *db, struct fault *fault);

#endif
