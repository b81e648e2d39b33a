/* ask.c: a question to a server, and its answer as rows. */
#include "store/clickhouse/ask.h"

#include "base/banned.h"

enum err ask_rows(struct http_client *client, const struct http_statement *statement, size_t columns,
                  struct rows *ret_rows, struct fault *fault)
{
    struct http_reply reply;
    enum err err = http_run(client, statement, &reply, fault);
    return err ? err : rows_parse(reply.body, reply.body_bytes, columns, ret_rows, fault);
}

enum err ask_number(struct http_client *client, const struct http_statement *statement, int64_t *ret_number,
                    struct fault *fault)
{
    struct rows rows;
    enum err err = ask_rows(client, statement, 1, &rows, fault);
    if (err)
        return err;
    *ret_number = 0;
    if (rows.count > 0)
        err = rows_i64(&rows, 0, 0, ret_number, fault);
    rows_release(&rows);
    return err;
}
