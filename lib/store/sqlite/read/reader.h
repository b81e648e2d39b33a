/* reader.h: what the files of the reading side share. Private to the SQLite engine. */
#ifndef STORE_SQLITE_READ_READER_H
#define STORE_SQLITE_READ_READER_H

#include "store/engine.h"
#include "db/db.h"
#include "report/tally_cache.h"
#include "rollup/tier.h"

/* Parameters, the same in every statement: ?1 tier, ?2 bucket, ?3 user, ?4 domain (-1: any), ?5 order (0: any), ?6 and
 * ?7 seconds of the quarter, ?8 kind of chunk, ?9 the bucket after a run that begins with ?2, ?10 error (-1: any). */
#define RAW_ROWS                                                                                                       \
    "SELECT error, domain, count, bytes_sent, bytes_received, error_count, max_concurrency, second FROM raw_log"       \
    " WHERE quarter = ?2"
#define RAW_CUT " AND second >= ?6 AND second < ?7"
#define ANY_ORDER " AND (?5 = 0 OR order_id = ?5)"
#define ANY_ERROR " AND (?10 = -1 OR error = ?10)"
#define VALUE_ROWS(value)                                                                                              \
    "SELECT tally(" value ", count, bytes_sent, bytes_received, error_count, max_concurrency) FROM raw_log WHERE "
#define RUN "quarter >= ?2 AND quarter < ?9"
#define TRAFFIC "count, bytes_sent, bytes_received, errors, max_concurrency"
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

#define READER_SQL(X)                                                                                                  \
    X(R_BEGIN, "BEGIN")                                                                                                \
    X(R_END, "COMMIT")                                                                                                 \
    X(R_CLOSING, "SELECT closed_hour, closed_day, changes, raw_from, hour_from, day_from FROM closing, retention")     \
    X(R_STATE, "SELECT closed_hour, changes, b.id, b.received_at FROM closing LEFT JOIN"                               \
               " (SELECT id, received_at FROM batch ORDER BY id DESC LIMIT 1) AS b")                                   \
    X(R_NAME_FIND, "SELECT id FROM name WHERE text = ?1")                                                              \
    X(R_NAME_TEXT, "SELECT text FROM name WHERE id = ?1")                                                              \
    X(R_ORDER_USERS, "SELECT user_id FROM order_user WHERE order_id = ?1 ORDER BY user_id")                            \
    X(R_QUARTER, "SELECT bucket * 900, count, bytes_sent, bytes_received, errors, max_concurrency"                     \
                 " FROM traffic_quarter WHERE bucket = ?2 AND user_id = ?3")                                           \
    X(R_SECONDS, "SELECT first_second, last_second FROM traffic_quarter WHERE bucket = ?2 AND user_id = ?3")           \
    X(R_HOUR, "SELECT bucket * 3600, count, bytes_sent, bytes_received, errors, max_concurrency"                       \
              " FROM traffic_hour WHERE bucket = ?2 AND user_id = ?3 AND order_id = ?5")                               \
    X(R_DAYS, "SELECT bucket * 86400, count, bytes_sent, bytes_received, errors, max_concurrency"                      \
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
    VALUE_SQL(X, R_BY_WORKER, "worker")                                                                                \
    VALUE_SQL(X, R_BY_PEER, "peer")                                                                                    \
    VALUE_SQL(X, R_BY_PROTOCOL, "protocol")                                                                            \
    VALUE_SQL(X, R_BY_PORT, "port")                                                                                    \
    VALUE_SQL(X, R_BY_IP_OUT, "ip_out")                                                                                \
    VALUE_SQL(X, R_BY_ORDER, "order_id")                                                                               \
    VALUE_SQL(X, R_BY_USER, "user_id")                                                                                 \
    VALUE_SQL(X, R_BY_ERROR, "error")

enum reader_statement {
#define READER_ENUM(name, sql) name,
    READER_SQL(READER_ENUM)
#undef READER_ENUM
        READER_STATEMENTS
};

struct pass;

struct sqlite_reader {
    struct store_reader base;
    struct db db;
    int64_t timeout_ms;  /* 0: none */
    int64_t deadline_ms; /* of the report under way, monotonic; 0: none */
    bool held;           /* in a read transaction of sqlite_hold's */
    int64_t file[4];     /* which file it is: see read/state.c */
    struct tally_cache cache;
    const struct pass *pass; /* read/scan.c: the reading under way */
};

#define NAME_ANY INT64_C(-1)

/* A question made ready: names resolved, users known, and what the file holds at this moment. */
struct scan {
    const struct report_filter *filter;
    int64_t domain;      /* name.id, or NAME_ANY */
    int64_t error;       /* the same; the sources that know errors are SCAN_ERRORS and SCAN_VALUES */
    int64_t closed_hour; /* as of this read transaction */
    int64_t closed_day;
    int64_t changes;  /* of closed hours, ever */
    int64_t raw_from; /* what is older is gone, Unix seconds: raw logs, … */
    int64_t hour_from;
    int64_t day_from;
    int64_t *users;    /* whose rows to read; a single 0 stands for everyone */
    size_t user_count; /* 0: nothing can match */
};

/* What a report counts: all logs; all logs, by domain; logs that name an error, by error and domain; all logs, by the
 * value of a dimension. */
enum scan_source { SCAN_TRAFFIC, SCAN_DOMAINS, SCAN_ERRORS, SCAN_VALUES };

/* Some of the logs. `at` lies in the chart bucket that they count for. Rows of SCAN_TRAFFIC have no first and last,
 * rows of SCAN_VALUES neither these nor `at`. */
struct scan_row {
    int64_t at;
    int64_t error; /* name ids; 0 where the source does not tell */
    int64_t domain;
    int64_t value; /* of SCAN_VALUES: a name id or a number; an address' bytes stand in `ip` */
    struct slice ip;
    struct totals totals;
};

/* What tells all logs that the filter lets through, from as few rows as can. */
static inline enum scan_source scan_source_of(const struct report_filter *filter)
{
    if (filter->has_error)
        return SCAN_ERRORS;
    return filter->has_domain ? SCAN_DOMAINS : SCAN_TRAFFIC;
}

typedef enum err (*scan_sink)(void *ctx, const struct scan_row *row);

/* What store.h says of the functions of these names. */

enum err sqlite_reader_open(const char *data_dir, struct sqlite_reader **ret_reader, struct fault *fault);
void sqlite_reader_close(struct sqlite_reader *reader);
bool sqlite_reader_is_stale(struct sqlite_reader *reader);
enum err sqlite_hold(struct sqlite_reader *reader, const struct report_filter *filter, struct store_state *ret_state,
                     struct fault *fault);
void sqlite_let_go(struct sqlite_reader *reader);
enum err sqlite_chart(struct sqlite_reader *reader, const struct report_filter *filter, enum granularity granularity,
                      bool fill_zero, struct chart *ret_chart, struct fault *fault);
enum err sqlite_summary(struct sqlite_reader *reader, const struct report_filter *filter, struct totals *ret_totals,
                        struct fault *fault);
enum err sqlite_breakdown(struct sqlite_reader *reader, const struct report_filter *filter, enum dimension by,
                          enum domain_order order, size_t limit, struct breakdown *ret_breakdown, struct fault *fault);
enum err sqlite_domains(struct sqlite_reader *reader, const struct report_filter *filter, enum domain_order order,
                        uint64_t offset, size_t limit, struct domain_list *ret_list, struct fault *fault);
enum err sqlite_errors(struct sqlite_reader *reader, const struct report_filter *filter, size_t limit,
                       struct error_list *ret_list, struct fault *fault);
enum err sqlite_reader_health(struct sqlite_reader *reader, int *ret_schema_version, struct fault *fault);

/* read/state.c */

void state_identify(struct sqlite_reader *reader, const char *path);

/* read/scan.c */

/* Begins a read transaction, unless one is held, and the report's time. Always followed by scan_end. */
enum err scan_begin(struct sqlite_reader *reader, const struct report_filter *filter, struct scan *ret_scan,
                    struct fault *fault);
void scan_end(struct sqlite_reader *reader, struct scan *scan);

/* Which logs, and where the rows go. */
struct scan_order {
    enum scan_source source;
    enum dimension by; /* of SCAN_VALUES */
    enum tier widest;  /* rows are of this tier at the most */
    int64_t from, to;  /* within the filter's range */
    scan_sink sink;
    void *ctx;
};

/* Gives every row of the range that the filter lets through to the sink, from the widest tiers that fit. Rows come
 * folded differently for different ranges, so a sink may only add them up. */
enum err scan_run(struct sqlite_reader *reader, const struct scan *scan, const struct scan_order *order,
                  struct fault *fault);

/* The part of the filter's range that is whole closed hours; empty (*ret_from == *ret_to) when there is none. */
void scan_closed_part(const struct scan *scan, int64_t *ret_from, int64_t *ret_to);

/* Makes the scan one of each user by themselves, where it is of everyone: what is packed knows everyone only as one. */
enum err scan_split_users(struct sqlite_reader *reader, struct scan *scan, struct fault *fault);

/* The first and the last second of a quarter that has logs of the user (0: of anyone); 900 and -1 for no logs. */
enum err scan_seconds(struct sqlite_reader *reader, int64_t user, int64_t quarter, int64_t *ret_first,
                      int64_t *ret_last, struct fault *fault);

/* The text of a name, to be freed. */
enum err scan_name(struct sqlite_reader *reader, int64_t id, char **ret_text, struct fault *fault);

static inline sqlite3_stmt *reader_statement(struct sqlite_reader *reader, enum reader_statement which)
{
    return reader->db.statements[which];
}

#endif
