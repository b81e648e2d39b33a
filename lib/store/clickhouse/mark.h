/* mark.h: a mark that a server has everything that was taken so far: a random number, which the spool knows too. It is
 * in the server's memory alone, in a table of the spool's own, by its random id. A server that started again has lost
 * it, and perhaps logs: those that it had not synced, and those that it has not fetched yet. */
#ifndef STORE_CLICKHOUSE_MARK_H
#define STORE_CLICKHOUSE_MARK_H

#include "store/clickhouse/http.h"

#include <stdbool.h>

/* A new one. Never 0, which stands for none. */
int64_t mark_new(void);

/* Leaves it at a server, in place of the one that the spool left there before. ERR_UNAVAILABLE, ERR_QUERY_TIMEOUT. */
enum err mark_leave(struct http_client *client, const char *url, const char *id, int64_t mark, struct fault *fault);

/* Does a server have it? Asks for at most so long. ERR_UNAVAILABLE, ERR_QUERY_TIMEOUT. */
enum err mark_find(struct http_client *client, const char *url, const char *id, int64_t timeout_ms, int64_t mark,
                   bool *ret_has, struct fault *fault);

#endif
