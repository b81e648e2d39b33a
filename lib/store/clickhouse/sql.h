/* sql.h: values and conditions of a filter as ClickHouse's SQL. Knows the columns of the table of logs. Texts of
 * clients go in as unhex('…') and numbers as digits, so nothing of them is ever read as SQL. */
#ifndef STORE_CLICKHOUSE_SQL_H
#define STORE_CLICKHOUSE_SQL_H

#include "base/buf.h"
#include "base/text.h"
#include "report/report.h"

/* unhex('676F6F676C65'). */
void sql_put_text(struct buf *sql, struct slice text);

/* The logs that count, as one condition; and the same with " WHERE " before it. */
void sql_put_conditions(struct buf *sql, const struct report_filter *filter);
void sql_put_where(struct buf *sql, const struct report_filter *filter);

/* " AND …": the same without the time. Sums have the columns domain and error. */
void sql_put_filter(struct buf *sql, const struct report_filter *filter);

/* The measures of a group, in this order, as c, s, r, e, m, d, a and z: count, bytes_sent, bytes_received, errors,
 * max_concurrency, duration_ms, first, last. */
#define SQL_MEASURES                                                                                                   \
    "sum(count) AS c, sum(bytes_sent) AS s, sum(bytes_received) AS r, sum(error_count) AS e,"                          \
    " max(max_concurrency) AS m, sum(duration_ms) AS d, min(ts) AS a, max(ts) AS z"

/* The same of rows of the table of sums. */
#define SQL_MEASURES_OF_SUMS                                                                                           \
    "sum(count) AS c, sum(bytes_sent) AS s, sum(bytes_received) AS r, sum(error_count) AS e,"                          \
    " maxMerge(max_concurrency) AS m, sum(duration_ms) AS d, minMerge(first_ts) AS a, maxMerge(last_ts) AS z"

/* What such groups have, added up by `keys`: before and behind the statement of the groups. An alias hides a column of
 * its name, so the level between has names of its own. */
#define SQL_ADDED_UP(keys)                                                                                             \
    "SELECT " keys ", c1 AS c, s1 AS s, r1 AS r, e1 AS e, m1 AS m, d1 AS d, a1 AS a, z1 AS z FROM (SELECT " keys       \
    ", sum(c) AS c1, sum(s) AS s1, sum(r) AS r1, sum(e) AS e1, max(m) AS m1, sum(d) AS d1, min(a) AS a1, max(z) AS "   \
    "z1 FROM ("
#define SQL_ADDED_UP_END(keys) ") GROUP BY " keys ")"

/* The same of groups that have them. */
#define SQL_MEASURES_OF_GROUPS "sum(c), sum(s), sum(r), sum(e), max(m), sum(d), min(a), max(z)"

enum { SQL_MEASURE_COUNT = 8 };

#endif
