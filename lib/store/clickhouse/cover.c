/* cover.c: which part of a report the sums answer. Knows that they are of whole quarters, or of whole days by domain
 * and error; the edges of a range and days of which logs were deleted are answered from logs. */
#include "store/clickhouse/cover.h"

#include "store/clickhouse/sql.h"
#include "time/when.h"

#include <inttypes.h>

#include "base/banned.h"

struct covering {
    const struct cover_ask *ask;
    struct buf *sql;
    enum sum_kind kind;
    int64_t from, to; /* what sums answer; the same: nothing */
    size_t members;
};

static bool asks_by(const struct report_filter *filter, enum dimension by)
{
    return filter_term(filter, by).is_set || filter->without[by].is_set;
}

/* Sums know domains and errors, and nothing else. */
static bool is_of_everyone(const struct report_filter *filter)
{
    for (enum dimension by = 0; by < DIMENSIONS; by++)
        if (by != BY_DOMAIN && by != BY_ERROR && asks_by(filter, by))
            return false;
    return true;
}

static void choose(struct covering *covering)
{
    const struct cover_ask *ask = covering->ask;
    const struct report_filter *filter = ask->filter;
    bool by_domain = ask->by_domain || asks_by(filter, BY_DOMAIN) || asks_by(filter, BY_ERROR);
    int64_t width = by_domain ? WHEN_DAY : WHEN_QUARTER;
    covering->kind = by_domain ? SUM_DOMAIN : SUM_QUARTER;
    if (ask->raw_only || !is_of_everyone(filter) || ask->width % width != 0)
        return;
    int64_t from = when_ceil(filter->from, width), to = when_floor(filter->to, width);
    if (from >= to)
        return;
    covering->from = from;
    covering->to = to;
}

static void begin_member(struct covering *covering)
{
    if (covering->members++)
        buf_puts(covering->sql, " UNION ALL ");
}

static void end_member(struct covering *covering)
{
    if (covering->ask->with_error)
        buf_puts(covering->sql, " AND error != ''");
    if (covering->ask->condition)
        buf_puts(covering->sql, covering->ask->condition);
    buf_printf(covering->sql, " GROUP BY %s", covering->ask->group);
}

/* Days of the sums' range that have none. False: there is none. */
static bool put_days(struct covering *covering, const char *before)
{
    const struct kept_state *kept = covering->ask->kept;
    bool any = false;
    for (size_t i = 0; i < kept->count; i++) {
        int64_t at = kept->days[i].day * WHEN_DAY;
        if (at + WHEN_DAY <= covering->from || at >= covering->to)
            continue;
        buf_printf(covering->sql, "%s%" PRId64, any ? ", " : before, kept->days[i].day);
        any = true;
    }
    if (any)
        buf_puts(covering->sql, ")");
    return any;
}

static void put_logs_head(struct covering *covering, int64_t from, int64_t to)
{
    struct report_filter filter = *covering->ask->filter;
    filter.from = from;
    filter.to = to;
    begin_member(covering);
    buf_printf(covering->sql, "SELECT %s, " SQL_MEASURES " FROM %s", covering->ask->by_logs, covering->ask->logs);
    sql_put_where(covering->sql, &filter);
}

static void put_logs(struct covering *covering, int64_t from, int64_t to)
{
    if (from >= to)
        return;
    put_logs_head(covering, from, to);
    end_member(covering);
}

static bool has_days(const struct covering *covering)
{
    const struct kept_state *kept = covering->ask->kept;
    for (size_t i = 0; i < kept->count; i++)
        if (kept->days[i].day * WHEN_DAY + WHEN_DAY > covering->from && kept->days[i].day * WHEN_DAY < covering->to)
            return true;
    return false;
}

/* Days without sums. */
static void put_logs_of_days(struct covering *covering)
{
    if (!has_days(covering))
        return;
    put_logs_head(covering, covering->from, covering->to);
    put_days(covering, " AND day IN (");
    end_member(covering);
}

static void put_sums(struct covering *covering)
{
    const struct cover_ask *ask = covering->ask;
    begin_member(covering);
    buf_printf(covering->sql,
               "SELECT %s, " SQL_MEASURES_OF_SUMS " FROM %s WHERE kind = %d AND day >= %" PRId64 " AND day <= %" PRId64
               " AND bucket >= %" PRId64 " AND bucket < %" PRId64,
               ask->by_sums, ask->sums, (int)covering->kind, covering->from / WHEN_DAY, (covering->to - 1) / WHEN_DAY,
               covering->from, covering->to);
    sql_put_filter(covering->sql, ask->filter);
    put_days(covering, " AND day NOT IN (");
    end_member(covering);
}

size_t cover_put(struct buf *sql, const struct cover_ask *ask)
{
    struct covering covering = {.ask = ask, .sql = sql};
    choose(&covering);
    if (covering.from == covering.to) {
        put_logs(&covering, ask->filter->from, ask->filter->to);
        return covering.members;
    }
    put_sums(&covering);
    put_logs(&covering, ask->filter->from, covering.from);
    put_logs(&covering, covering.to, ask->filter->to);
    put_logs_of_days(&covering);
    return covering.members;
}
