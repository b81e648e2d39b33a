/* servers.h: the list of servers in the settings, taken apart. Knows URLs. Asks nobody. */
#ifndef STORE_CLICKHOUSE_SERVERS_H
#define STORE_CLICKHOUSE_SERVERS_H

#include "base/err.h"

#include <stddef.h>

#define SERVERS_SHARDS 32
#define SERVERS_REPLICAS 8
#define SERVERS_URL_BYTES 256u

struct servers {
    size_t shard_count;
    struct {
        size_t replica_count;
        char urls[SERVERS_REPLICAS][SERVERS_URL_BYTES]; /* without a slash at the end */
    } shards[SERVERS_SHARDS];
};

/* OK, or ERR_UNAVAILABLE with what is wrong. */
enum err servers_parse(const char *urls, struct servers *ret_servers, struct fault *fault);

#endif
