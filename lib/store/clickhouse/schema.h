/* schema.h: the tables in ClickHouse, in numbered steps. Knows their names and what exactness asks of them. */
#ifndef STORE_CLICKHOUSE_SCHEMA_H
#define STORE_CLICKHOUSE_SCHEMA_H

#include "store/clickhouse/http.h"
#include "store/clickhouse/servers.h"

#define CLICKHOUSE_LOGS "log"           /* of a shard */
#define CLICKHOUSE_ALL_SHARDS "log_all" /* where there is a cluster */
#define CLICKHOUSE_SUMS "sums"          /* over everyone, of a shard */
#define CLICKHOUSE_ALL_SUMS "sums_all"
#define CLICKHOUSE_KEPT "kept"   /* of the first shard alone */
#define CLICKHOUSE_CLAIMS "node" /* who ships as which node */

/* Which partition a row lies in: its month. Those up to 2099 are partitions, and one more for what lies beyond. */
#define CLICKHOUSE_MONTH "toYYYYMM(toDate(least(day, 47481)))"
#define CLICKHOUSE_VERSION_SQL "SELECT toInt64(max(version)) FROM schema_version"

/* The newest step that this program knows. */
#define CLICKHOUSE_SCHEMA_VERSION 4

/* Makes what is missing at one server, and then compares as schema_check does. ERR_UNAVAILABLE. */
enum err schema_make(struct http_client *client, const struct clickhouse_config *config, const char *url,
                     struct fault *fault);

/* Whether one server has them all. ERR_UNAVAILABLE, also for a newer schema. */
enum err schema_is_made(struct http_client *client, const struct clickhouse_config *config, const char *url,
                        bool *ret_is_made, struct fault *fault);

/* Compares one server's table with what exactness needs: that it is Replicated, and remembers enough of the blocks that
 * it took. ERR_UNAVAILABLE with what is wrong and how to mend it, also for a newer schema. */
enum err schema_check(struct http_client *client, const struct clickhouse_config *config, const char *url,
                      struct fault *fault);

#endif
