/* clickhouse.h: ClickHouse as the engine: where its servers are, and what only it can do, for the programs' starts, for
 * analyticsctl and for tests. Everyone else calls store/store.h.
 *
 * Batches stay what they are: DIR/analytics.db takes them, in one synced transaction with their idempotency keys, and
 * answers. It is a spool here (store/sqlite/spool/): a thread of analytics-ingest ships what is in it in numbered
 * blocks. Reports ask ClickHouse, once everything that was acknowledged before them was shipped. */
#ifndef STORE_CLICKHOUSE_CLICKHOUSE_H
#define STORE_CLICKHOUSE_CLICKHOUSE_H

#include "base/err.h"

#include <stdint.h>

/* Each text is borrowed for as long as a writer, reader or export of it is open. */
struct clickhouse_config {
    const char *urls; /* http://a:8123,http://b:8123 http://c:8123: replicas between commas, in the order in which they
                       * are tried; shards between blanks */
    const char *database;
    const char *cluster;       /* whose Distributed tables reports ask; "": there is one shard, and they ask it */
    const char *user;          /* who writes */
    const char *password_file; /* "": no password. Its first line; read when a program starts */
    const char *reports_user;  /* who reads; should be readonly = 2 */
    const char *reports_password_file;
    const char *ca_file;      /* "": the system's certificates */
    int64_t node;             /* 0 … CLICKHOUSE_NODES - 1, another one for each machine that ingests */
    int64_t ship_interval_ms; /* what comes in waits this long at most, unless a report asks */
    int64_t spool_limit_mib;  /* over it, batches are refused */
    int64_t timeout_ms;       /* for an answer to an insert, or to a question of upkeep */
};

#define CLICKHOUSE_NODES 1024

/* Are they whole and do they fit together? OK, or ERR_UNAVAILABLE with what is wrong. Asks no server. */
enum err clickhouse_config_check(const struct clickhouse_config *config, struct fault *fault);

struct store_writer;
struct sqlite_writer;

/* The spool of a writer that this engine opened; NULL for any other engine's. */
struct sqlite_writer *clickhouse_spool_of(struct store_writer *writer);

#endif
