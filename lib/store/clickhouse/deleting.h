/* deleting.h: how logs and sums go from ClickHouse: partitions at once, single rows by a mutation. Knows when every
 * replica has done it. Private to the ClickHouse engine. */
#ifndef STORE_CLICKHOUSE_DELETING_H
#define STORE_CLICKHOUSE_DELETING_H

#include "base/work.h"
#include "store/clickhouse/http.h"
#include "store/clickhouse/servers.h"

struct deleting {
    struct http_client *client;
    const struct clickhouse_config *config;
    const struct servers *servers;
    const unsigned char *replica; /* of each shard, whom to ask */
};

/* The server to ask of a shard. */
const char *deleting_url(const struct deleting *deleting, size_t shard);

/* The horizon as it is: *ret_from; and as it is due where logs are `days` days old, counted back from the day of the
 * newest log, or from now if that is earlier. Days since 1970; 0: all is there. ERR_UNAVAILABLE. */
enum err deleting_find(const struct deleting *deleting, int64_t days, int64_t now, int64_t *ret_from, int64_t *ret_due,
                       struct fault *fault);

/* Moves the horizon there: logs of before are in no report from now on. *ret_day is where it is then. ERR_UNAVAILABLE.
 */
enum err deleting_move(const struct deleting *deleting, int64_t days, int64_t now, int64_t *ret_day,
                       struct fault *fault);

/* Drops the months that ended before a day. ERR_UNAVAILABLE. */
enum err deleting_drop(const struct deleting *deleting, int64_t day, struct fault *fault);

/* Deletes rows of a table, on every replica of every shard that answers. `where`: a condition. ERR_UNAVAILABLE. */
enum err deleting_rows(const struct deleting *deleting, const char *table, const char *where, const struct watch *watch,
                       struct fault *fault);

#endif
