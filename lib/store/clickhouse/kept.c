/* kept.c: what was deleted in ClickHouse. Knows the table `kept`: rows are only ever added. */
#include "store/clickhouse/kept.h"

#include "store/clickhouse/ask.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/banned.h"

#define SQL_BYTES ((size_t)8 << 20)

enum { WHAT, DAY, AT, KEPT_COLUMNS };

void kept_release(struct kept_state *kept)
{
    free(kept->days);
    *kept = (struct kept_state){0};
}

static enum err take_rows(const struct rows *rows, struct kept_state *kept, struct fault *fault)
{
    kept->days = calloc(rows->count + 1, sizeof *kept->days);
    enum err err = kept->days ? OK : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    for (size_t i = 0; !err && i < rows->count; i++) {
        int64_t row[KEPT_COLUMNS] = {0};
        for (size_t column = 0; !err && column < KEPT_COLUMNS; column++)
            err = rows_i64(rows, i, column, &row[column], fault);
        if (!err && row[WHAT] == KEPT_FROM)
            kept->from_day = row[DAY];
        else if (!err)
            kept->days[kept->count++] = (struct kept_day){row[DAY], row[AT]};
    }
    return err;
}

enum err kept_read(struct http_client *client, const char *url, int64_t timeout_ms, struct kept_state *ret_kept,
                   struct fault *fault)
{
    struct http_statement statement = {.url = url,
                                       .timeout_ms = timeout_ms,
                                       .sql = "SELECT toInt64(what) AS w, toInt64(day) AS d, max(at) FROM kept"
                                              " GROUP BY w, d ORDER BY w, d" ROWS_FORMAT};
    struct rows rows;
    enum err err = ask_rows(client, &statement, KEPT_COLUMNS, &rows, fault);
    if (err)
        return err;
    struct kept_state kept = {0};
    err = take_rows(&rows, &kept, fault);
    rows_release(&rows);
    if (err)
        kept_release(&kept);
    else
        *ret_kept = kept;
    return err;
}

enum err kept_note(struct http_client *client, const char *url, enum kept_what what, const int64_t *days, size_t count,
                   int64_t now, struct fault *fault)
{
    struct buf sql;
    struct http_reply reply;
    if (count == 0)
        return OK;
    buf_init(&sql, SQL_BYTES);
    buf_puts(&sql, "INSERT INTO kept VALUES");
    for (size_t i = 0; i < count; i++)
        buf_printf(&sql, " (%d, %" PRId64 ", %" PRId64 ")", (int)what, days[i], now);
    struct http_statement statement = {.url = url, .sql = buf_cstr(&sql)};
    enum err err = statement.sql ? http_run(client, &statement, &reply, fault)
                                 : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    buf_release(&sql);
    return err;
}
