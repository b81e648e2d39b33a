/* sql.h: the reader's statements. Knows the text of each, and what its parameters mean. */
#ifndef STORE_SQLITE_READ_SQL_H
#define STORE_SQLITE_READ_SQL_H

#include "db/db.h"
#include "report/dimension.h"

/* Parameters, the same in every statement: ?1 tier (or the dimension), ?2 bucket, ?3 user, ?4 domain (-1: any), ?5
 * order (0: any), ?6 and ?7 seconds of the quarter, ?8 kind of chunk, ?9 the bucket after a run that begins with ?2,
 * ?10 error (-1: any). */
#define RAW_ROWS                                                                                                       \
    "SELECT error, domain, count, bytes_sent, bytes_received, error_count, max_concurrency, duration_ms, second FROM"  \
    " raw_log WHERE quarter = ?2"
#define RAW_CUT " AND second >= ?6 AND second < ?7"
#define ANY_ORDER " AND (?5 = 0 OR order_id = ?5)"
#define ANY_ERROR " AND (?10 = -1 OR error = ?10)"
#define VALUE_ROWS(value)                                                                                              \
    "SELECT tally(" value ", count, bytes_sent, bytes_received, error_count, max_concurrency, duration_ms)"            \
    " FROM raw_log WHERE "
#define RUN "quarter >= ?2 AND quarter < ?9"
#define TRAFFIC "count, bytes_sent, bytes_received, errors, max_concurrency, duration_ms"
#define CHUNKS "SELECT entries FROM rollup_chunk WHERE tier = ?1 AND bucket = ?2 AND user_id = ?3 AND kind = ?8"

/* A breakdown's raw logs: everyone's in one run, or one user's, quarter by quarter. Four statements for each dimension,
 * in this order. */
enum value_statement { VALUES_OF_RUN, VALUES_OF_PART, VALUES_OF_USER, VALUES_OF_USER_DOMAIN };
#define VALUE_SQL(X, name, value)                                                                                      \
    X(name, VALUE_ROWS(value) RUN)                                                                                     \
    X(name##_OF_PART, VALUE_ROWS(value) RUN " AND (?4 = -1 OR domain = ?4)" RAW_CUT ANY_ERROR)                         \
    X(name##_OF_USER, VALUE_ROWS(value) "quarter = ?2 AND user_id = ?3" ANY_ORDER RAW_CUT ANY_ERROR)                   \
    X(name##_OF_USER_DOMAIN,                                                                                           \
      VALUE_ROWS(value) "quarter = ?2 AND user_id = ?3 AND domain = ?4" ANY_ORDER RAW_CUT ANY_ERROR)

#define DIMENSION_SQL(X, name, url, member, ...) VALUE_SQL(X, R_BY_##name, member)

/* Single logs, filtered by whatever they hold (?11 on: struct report_term, in the order of the dimensions; NULL: any);
 * and the value of each dimension. For everyone in one run, for a user quarter by quarter. */
#define LOG_VALUE(x, name, url, member, ...) ", " member
#define LOG_ROWS                                                                                                       \
    "SELECT error, domain, count, bytes_sent, bytes_received, error_count, max_concurrency, duration_ms, "             \
    "second, quarter" DIMENSION_LIST(LOG_VALUE, ) " FROM raw_log WHERE "
#define LOG_TERMS                                                                                                      \
    RAW_CUT " AND (?4 = -1 OR domain = ?4)" ANY_ERROR " AND (?11 IS NULL OR worker = ?11)"                             \
            " AND (?12 IS NULL OR peer = ?12) AND (?13 IS NULL OR protocol = ?13) AND (?14 IS NULL OR port = ?14)"     \
            " AND (?15 IS NULL OR ip_out = ?15) AND (?16 IS NULL OR ip_from = ?16)"
#define LOG_FIRST_VALUE 10 /* the column of the first dimension */
#define PARAMETER_OF_TERMS 11

#define PARTS "SELECT day, user_id, first_second, last_second, logs, columns FROM log_part WHERE "

#define READER_SQL(X)                                                                                                  \
    X(R_BEGIN, "BEGIN")                                                                                                \
    X(R_END, "COMMIT")                                                                                                 \
    X(R_CLOSING, "SELECT closed_hour, closed_day, changes, raw_from, hour_from, day_from,"                             \
                 " ifnull((SELECT quarter FROM raw_log ORDER BY quarter LIMIT 1), 9223372036854775807),"               \
                 " ifnull((SELECT day FROM log_part ORDER BY day LIMIT 1), 0),"                                        \
                 " ifnull((SELECT day FROM log_part ORDER BY day DESC LIMIT 1), -1), durations_from"                   \
                 " FROM closing, retention, upgrade")                                                                  \
    X(R_STATE, "SELECT closed_hour, changes, b.id, b.received_at FROM closing LEFT JOIN"                               \
               " (SELECT id, received_at FROM batch ORDER BY id DESC LIMIT 1) AS b")                                   \
    X(R_NAME_FIND, "SELECT id FROM name WHERE text = ?1")                                                              \
    X(R_NAME_TEXT, "SELECT text FROM name WHERE id = ?1")                                                              \
    X(R_ORDER_USERS, "SELECT user_id FROM order_user WHERE order_id = ?1 ORDER BY user_id")                            \
    X(R_QUARTER, "SELECT bucket * 900, " TRAFFIC " FROM traffic_quarter WHERE bucket = ?2 AND user_id = ?3")           \
    X(R_SECONDS, "SELECT first_second, last_second FROM traffic_quarter WHERE bucket = ?2 AND user_id = ?3")           \
    X(R_HOUR,                                                                                                          \
      "SELECT bucket * 3600, " TRAFFIC " FROM traffic_hour WHERE bucket = ?2 AND user_id = ?3 AND order_id = ?5")      \
    X(R_DAYS, "SELECT bucket * 86400, " TRAFFIC                                                                        \
              " FROM traffic_day WHERE user_id = ?3 AND order_id = ?5 AND bucket >= ?2 AND bucket < ?9")               \
    X(R_CHUNKS, CHUNKS)                                                                                                \
    X(R_CHUNK_OF_DOMAIN, CHUNKS " AND domain <= ?4 ORDER BY domain DESC LIMIT 1")                                      \
    X(R_RAW_USER_DOMAIN, RAW_ROWS " AND user_id = ?3 AND domain = ?4" ANY_ORDER RAW_CUT)                               \
    X(R_RAW_USER, RAW_ROWS " AND user_id = ?3" ANY_ORDER RAW_CUT)                                                      \
    X(R_RAW_ALL, RAW_ROWS " AND (?4 = -1 OR domain = ?4)" RAW_CUT)                                                     \
    X(R_USERS, "SELECT DISTINCT user_id FROM order_user ORDER BY user_id")                                             \
    X(R_QUARTER_OF_USERS, "SELECT user_id, 0, " TRAFFIC " FROM traffic_quarter WHERE bucket = ?2 AND user_id > 0")     \
    X(R_HOUR_OF_ORDERS, "SELECT user_id, order_id, " TRAFFIC " FROM traffic_hour WHERE bucket = ?2 AND order_id > 0")  \
    X(R_HOUR_OF_USER, "SELECT user_id, order_id, " TRAFFIC                                                             \
                      " FROM traffic_hour WHERE bucket = ?2 AND user_id = ?3 AND order_id > 0" ANY_ORDER)              \
    X(R_DAYS_OF_ORDERS, "SELECT t.user_id, t.order_id, " TRAFFIC                                                       \
                        " FROM order_user AS o CROSS JOIN traffic_day AS t ON t.user_id = o.user_id AND"               \
                        " t.order_id = o.order_id AND t.bucket >= ?2 AND t.bucket < ?9"                                \
                        " WHERE (?3 = 0 OR o.user_id = ?3) AND (?5 = 0 OR o.order_id = ?5)")                           \
    X(R_VALUES, "SELECT value, " TRAFFIC " FROM value_day WHERE dimension = ?1 AND bucket >= ?2 AND bucket < ?9")      \
    X(R_GAP_FROM, "SELECT bucket FROM value_gap WHERE dimension = ?1 AND bucket >= ?2 ORDER BY bucket LIMIT 1")        \
    X(R_GAP_BEFORE, "SELECT bucket FROM value_gap WHERE dimension = ?1 AND bucket < ?2 ORDER BY bucket DESC LIMIT 1")  \
    X(R_PARTS, PARTS "day >= ?1 AND day <= ?2")                                                                        \
    X(R_PARTS_OF_USER, PARTS "day = ?1 AND user_id = ?2")                                                              \
    X(R_LOGS, LOG_ROWS RUN LOG_TERMS)                                                                                  \
    X(R_LOGS_OF_USER, LOG_ROWS "quarter = ?2 AND user_id = ?3" ANY_ORDER LOG_TERMS)                                    \
    DIMENSION_LIST(DIMENSION_SQL, X)

enum reader_statement {
#define READER_ENUM(name, sql) name,
    READER_SQL(READER_ENUM)
#undef READER_ENUM
        READER_STATEMENTS
};

/* Prepares them all. */
enum err sqlite_reader_prepare(struct db *db, struct fault *fault);

#endif
