/* audit.h: do the replicas have what was shipped? Knows blocks by their numbers, logs and sums. Private to the
 * ClickHouse engine. */
#ifndef STORE_CLICKHOUSE_AUDIT_H
#define STORE_CLICKHOUSE_AUDIT_H

#include "store/clickhouse/http.h"
#include "store/clickhouse/servers.h"
#include "store/sqlite/spool/spool.h"

/* Which blocks, and who is told of a difference. */
struct audit {
    struct http_client *client;
    const struct clickhouse_config *config;
    const struct servers *servers;
    struct spool_reader *spool;
    const char *url;        /* a server of the first shard that has everything: says what was deleted */
    int64_t after, until;   /* after < number <= until */
    int64_t settled_before; /* blocks that were taken since are left out; Unix seconds */
    void (*tell)(void *ctx, const char *words);
    void *ctx;
};

/* What was found. */
struct audited {
    int64_t seen;   /* blocks that were looked at */
    int64_t blocks; /* of these, those that were compared: no log of their month was deleted since */
    int64_t logs, differences;
    int64_t until; /* blocks up to this one were compared: more than AUDIT_BLOCKS may be left */
};

#define AUDIT_BLOCKS 1000

/* Compares the next blocks, AUDIT_BLOCKS at most, with every replica of their shards, once that has caught up: one that
 * lags would look as if it had lost them. ERR_UNAVAILABLE when a replica can't be asked; then nothing is known. */
enum err audit_next(const struct audit *audit, struct audited *ret_audited, struct fault *fault);

#endif
