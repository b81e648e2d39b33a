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

static void put_number(struct buf *sql, const char *column, int64_t value)
{
    if (value)
        buf_printf(sql, " AND %s = %" PRId64, column, value);
}

static void put_name(struct buf *sql, const char *column, bool is_asked, struct slice text)
{
    if (!is_asked)
        return;
    buf_printf(sql, " AND %s = ", column);
    sql_put_text(sql, text);
}

/* Addresses are stored as text. */
static void put_term(struct buf *sql, enum dimension by, const struct report_term *term)
{
    static const char *const columns[TERMS] = {
        [BY_WORKER] = "worker", [BY_PEER] = "peer_id",  [BY_PROTOCOL] = "protocol",
        [BY_PORT] = "port",     [BY_IP_OUT] = "ip_out", [BY_IP_FROM] = "ip_from"};
    if (!term->is_set)
        return;
    char address[46];
    switch (dimensions[by].kind) {
    case VALUE_NAME:
        put_name(sql, columns[by], true, term->text);
        return;
    case VALUE_NUMBER:
        buf_printf(sql, " AND %s = %" PRId64, columns[by], term->number);
        return;
    case VALUE_ADDRESS:
        ip_format(&term->ip, address);
        put_name(sql, columns[by], true, slice_of(address));
        return;
    }
}

/* The day leads the table's key. */
void sql_put_where(struct buf *sql, const struct report_filter *filter)
{
    buf_printf(sql, " WHERE day >= %" PRId64 " AND day <= %" PRId64 " AND ts >= %" PRId64 " AND ts < %" PRId64,
               filter->from / WHEN_DAY, (filter->to - 1) / WHEN_DAY, filter->from, filter->to);
    put_number(sql, "user_id", filter->user_id);
    put_number(sql, "order_id", filter->order_id);
    put_name(sql, "domain", filter->has_domain, filter->domain);
    put_name(sql, "error", filter->has_error, filter->error);
    for (enum dimension by = 0; by < TERMS; by++)
        put_term(sql, by, &filter->terms[by]);
}
