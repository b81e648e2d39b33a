/* packed_log.h: all stored logs for SQL, wherever they stand. Private to the SQLite engine. */
#ifndef STORE_SQLITE_PACKED_LOG_H
#define STORE_SQLITE_PACKED_LOG_H

#include "db/db.h"

/* In place of a table: the rows of raw_log, and those of the virtual table packed_log, which gives the logs of log_part
 * with the same columns. What is asked of `quarter` and `user_id` spares both the rest. With is_first = 1
 * it gives of each part only the first log that is asked for. */
#define STORED_LOG "(SELECT * FROM raw_log UNION ALL SELECT * FROM packed_log)"

/* The first quarter of an hour from `from` on that has logs; NULL when there is none. */
#define NEXT_STORED_QUARTER(from)                                                                                      \
    "SELECT min(quarter) FROM (SELECT quarter FROM (SELECT quarter FROM raw_log WHERE quarter >= " from                \
    " ORDER BY quarter LIMIT 1) UNION ALL SELECT * FROM (SELECT min(quarter) FROM packed_log WHERE is_first = 1"       \
    " AND quarter >= " from " AND quarter < 96 + 96 * (SELECT day FROM log_part WHERE day >= " from " / 96"            \
    " AND day * 96 + last_second / 900 >= " from " ORDER BY day LIMIT 1)))"

/* The quarters of an hour of the oldest and the newest log; NULL when there are none. */
#define OLDEST_STORED_QUARTER                                                                                          \
    "SELECT min(quarter) FROM (SELECT quarter FROM (SELECT quarter FROM raw_log ORDER BY quarter LIMIT 1) UNION ALL"   \
    " SELECT day * 96 + first_second / 900 FROM log_part WHERE day = (SELECT min(day) FROM log_part))"
#define NEWEST_STORED_QUARTER                                                                                          \
    "SELECT max(quarter) FROM (SELECT quarter FROM (SELECT quarter FROM raw_log ORDER BY quarter DESC LIMIT 1)"        \
    " UNION ALL SELECT day * 96 + last_second / 900 FROM log_part WHERE day = (SELECT max(day) FROM log_part))"

/* log_part is there since this step of the schema. Before it, raw_log has all logs. */
#define PACKED_LOG_VERSION 5

/* How many logs are stored, also in a file of an older version. */
enum err sqlite_count_logs(struct db *db, int64_t *ret_logs, struct fault *fault);

/* Makes packed_log known to the connection. */
enum err sqlite_know_packed_log(struct db *db, struct fault *fault);

#endif
