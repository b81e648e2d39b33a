/* ask.h: a question to a server, and its answer as rows. Knows no tables. */
#ifndef STORE_CLICKHOUSE_ASK_H
#define STORE_CLICKHOUSE_ASK_H

#include "store/clickhouse/http.h"
#include "store/clickhouse/rows.h"

/* The rows of `columns` values each, which a statement that ends with ROWS_FORMAT has as its answer; to be released.
 * ERR_UNAVAILABLE, ERR_QUERY_TIMEOUT. */
enum err ask_rows(struct http_client *client, const struct http_statement *statement, size_t columns,
                  struct rows *ret_rows, struct fault *fault);

/* The one number that is its answer; 0 where there is no row. ERR_UNAVAILABLE, ERR_QUERY_TIMEOUT. */
enum err ask_number(struct http_client *client, const struct http_statement *statement, int64_t *ret_number,
                    struct fault *fault);

#endif
