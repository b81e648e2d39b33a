/* sql.h: values and conditions of a filter as ClickHouse's SQL. Knows the columns of the table of logs. Texts of
 * clients go in as unhex('…') and numbers as digits, so nothing of them is ever read as SQL. */
#ifndef STORE_CLICKHOUSE_SQL_H
#define STORE_CLICKHOUSE_SQL_H

#include "base/buf.h"
#include "base/text.h"
#include "report/report.h"

/* unhex('676F6F676C65'). */
void sql_put_text(struct buf *sql, struct slice text);

/* " WHERE …": the logs that count. */
void sql_put_where(struct buf *sql, const struct report_filter *filter);

/* The measures of a group, in this order, as c, s, r, e, m, a and z: count, bytes_sent, bytes_received, errors,
 * max_concurrency, first, last. */
#define SQL_MEASURES                                                                                                   \
    "sum(count) AS c, sum(bytes_sent) AS s, sum(bytes_received) AS r, sum(error_count) AS e,"                          \
    " max(max_concurrency) AS m, min(ts) AS a, max(ts) AS z"

/* The same of groups that have them. */
#define SQL_MEASURES_OF_GROUPS "sum(c), sum(s), sum(r), sum(e), max(m), min(a), max(z)"

enum { SQL_MEASURE_COUNT = 7 };

#endif
