/* sql.c: values and conditions of a filter as ClickHouse's SQL. Knows the columns of the table of logs. */
#include "store/clickhouse/sql.h"

#include "time/when.h"

#include <inttypes.h>

#include "base/banned.h"

void sql_put_text(struct buf *sql, struct slice text)
{
    buf_puts(sql, "unhex('");
    char *hex = NULL;
    if (text.len > 0)
        hex = buf_reserve(sql, 2 * text.len + 1);
    if (hex) {
        text_hex((const unsigned char *)text.data, text.len, hex);
        sql->len += 2 * text.len;
    }
    buf_puts(sql, "')");
}

static void put_number(struct buf *sql, const char *column, const char *is, int64_t value)
{
    buf_printf(sql, " AND %s %s %" PRId64, column, is, value);
}

static void put_name(struct buf *sql, const char *column, const char *is, struct slice text)
{
    buf_printf(sql, " AND %s %s ", column, is);
    sql_put_text(sql, text);
}

/* The domain and all below it. */
static void put_below(struct buf *sql, const char *column, bool is_not, struct slice domain)
{
    buf_printf(sql, " AND %s(%s = ", is_not ? "NOT " : "", column);
    sql_put_text(sql, domain);
    buf_printf(sql, " OR endsWith(%s, concat('.', ", column);
    sql_put_text(sql, domain);
    buf_puts(sql, ")))");
}

/* Addresses are stored as text. */
static void put_term(struct buf *sql, enum dimension by, bool is_not, const struct report_term *term)
{
    static const char *const columns[DIMENSIONS] = {
        [BY_WORKER] = "worker", [BY_PEER] = "peer_id",    [BY_PROTOCOL] = "protocol", [BY_PORT] = "port",
        [BY_IP_OUT] = "ip_out", [BY_IP_FROM] = "ip_from", [BY_ORDER] = "order_id",    [BY_USER] = "user_id",
        [BY_ERROR] = "error",   [BY_DOMAIN] = "domain"};
    const char *is = is_not ? "!=" : "=";
    if (!term->is_set)
        return;
    char address[46];
    switch (dimensions[by].kind) {
    case VALUE_NAME:
        if (term->is_below)
            put_below(sql, columns[by], is_not, term->text);
        else
            put_name(sql, columns[by], is, term->text);
        return;
    case VALUE_NUMBER:
        put_number(sql, columns[by], is, term->number);
        return;
    case VALUE_ADDRESS:
        ip_format(&term->ip, address);
        put_name(sql, columns[by], is, slice_of(address));
        return;
    }
}

/* The day leads the table's key. */
void sql_put_where(struct buf *sql, const struct report_filter *filter)
{
    buf_puts(sql, " WHERE ");
    sql_put_conditions(sql, filter);
}

void sql_put_conditions(struct buf *sql, const struct report_filter *filter)
{
    buf_printf(sql, "day >= %" PRId64 " AND day <= %" PRId64 " AND ts >= %" PRId64 " AND ts < %" PRId64,
               filter->from / WHEN_DAY, (filter->to - 1) / WHEN_DAY, filter->from, filter->to);
    sql_put_filter(sql, filter);
}

void sql_put_filter(struct buf *sql, const struct report_filter *filter)
{
    for (enum dimension by = 0; by < DIMENSIONS; by++) {
        struct report_term term = filter_term(filter, by);
        put_term(sql, by, false, &term);
        put_term(sql, by, true, &filter->without[by]);
    }
}
