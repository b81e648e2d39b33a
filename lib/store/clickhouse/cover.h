/* cover.h: which part of a report the sums over everyone answer, and the statements for it and for the rest. Knows the
 * tables of logs and of sums. Private to the ClickHouse engine. */
#ifndef STORE_CLICKHOUSE_COVER_H
#define STORE_CLICKHOUSE_COVER_H

#include "report/report.h"
#include "store/clickhouse/kept.h"
#include "store/clickhouse/sum_block.h"

/* What a report needs. */
struct cover_ask {
    const struct report_filter *filter;
    const struct kept_state *kept;
    const char *logs, *sums;               /* their tables */
    const char *by_logs, *by_sums, *group; /* the columns before the measures, of either table, and what to group by */
    bool by_domain;                        /* the groups tell domains or errors apart */
    bool with_error;                       /* only logs that name one */
    const char *condition;                 /* " AND …", of both tables; NULL: none */
    int64_t width;                         /* the narrowest groups of time, seconds; 0: it has none */
    bool raw_only;                         /* only logs know the groups */
};

/* Writes SELECTs with UNION ALL between them, each with the group's columns and SQL_MEASURES. A group may be in
 * several. Returns how many there are. */
size_t cover_put(struct buf *sql, const struct cover_ask *ask);

#endif
