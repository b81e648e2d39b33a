/* mark.c: marks at servers. Knows their tables, one for each spool, and a row in each. */
#include "store/clickhouse/mark.h"

#include "store/clickhouse/rows.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "base/banned.h"

#define SQL_BYTES 256
#define TABLE "mark_%s"

int64_t mark_new(void)
{
    int64_t number = 0;
    while (number <= 0)
        randombytes_buf(&number, sizeof number);
    return number;
}

enum err mark_leave(struct http_client *client, const char *url, const char *id, int64_t mark, struct fault *fault)
{
    char sql[SQL_BYTES];
    struct http_reply reply;
    const struct http_statement statement = {.url = url, .sql = sql};
    snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS " TABLE, id);
    enum err err = http_run(client, &statement, &reply, fault);
    snprintf(sql, sizeof sql, "CREATE TABLE " TABLE " ENGINE = Memory AS SELECT toInt64(%" PRId64 ") AS number", id,
             mark);
    return err ? err : http_run(client, &statement, &reply, fault);
}

/* Numbers of ClickHouse's dbms/src/Common/ErrorCodes.cpp, which never change. */
static bool is_missing(int code)
{
    enum { UNKNOWN_TABLE = 60, UNKNOWN_DATABASE = 81 };
    return code == UNKNOWN_TABLE || code == UNKNOWN_DATABASE;
}

enum err mark_find(struct http_client *client, const char *url, const char *id, int64_t timeout_ms, int64_t mark,
                   bool *ret_has, struct fault *fault)
{
    char sql[SQL_BYTES];
    struct http_reply reply;
    struct rows rows;
    snprintf(sql, sizeof sql, "SELECT 1 FROM " TABLE " WHERE number = %" PRId64 ROWS_FORMAT, id, mark);
    const struct http_statement statement = {.url = url, .sql = sql, .timeout_ms = timeout_ms};
    *ret_has = false;
    enum err err = http_run(client, &statement, &reply, fault);
    if (err)
        return reply.outcome == HTTP_REFUSED && is_missing(reply.code) ? OK : err;
    err = rows_parse(reply.body, reply.body_bytes, 1, &rows, fault);
    if (err)
        return err;
    *ret_has = rows.count > 0;
    rows_release(&rows);
    return OK;
}
