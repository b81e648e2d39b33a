/* stored.h: what a replica has of blocks, asked for many at once. Knows statements. Does not know why it is asked. */
#ifndef STORE_CLICKHOUSE_STORED_H
#define STORE_CLICKHOUSE_STORED_H

#include "store/clickhouse/http.h"
#include "store/sqlite/spool/spool.h"

/* Of a block. Only count, bytes_sent, bytes_received and errors of the sums. */
struct stored {
    int64_t logs;
    struct totals sums;
};

/* Blocks of this node in order of their numbers. */
struct stored_question {
    struct http_client *client;
    const struct clickhouse_config *config;
    const char *url;
    const struct spool_block *blocks;
    size_t count;
    int64_t sync_ms; /* how long it may take until it has caught up; 0: the settings' time-out */
};

/* What the replica has of each of them, all 0 for nothing. Waits first as blocks_sync does: one that lags has less.
 * ERR_UNAVAILABLE. */
enum err stored_ask(const struct stored_question *question, struct stored *ret_stored, struct fault *fault);

/* Does it have all of the block, and no more? */
bool stored_is_whole(const struct spool_block *block, const struct stored *stored);

/* Does it have their sums? Does not wait: to be asked after stored_ask. */
enum err stored_ask_sums(const struct stored_question *question, bool *ret_stored, struct fault *fault);

#endif
