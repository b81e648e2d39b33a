/* blocks.h: one block of the spool and ClickHouse: as an INSERT, and whose numbers are whose. Knows statements. Does
 * not know when which is due. */
#ifndef STORE_CLICKHOUSE_BLOCKS_H
#define STORE_CLICKHOUSE_BLOCKS_H

#include "store/clickhouse/http.h"
#include "store/clickhouse/sum_block.h"
#include "store/sqlite/spool/spool.h"

/* A block's number, unique over all nodes: the column that tells blocks apart. */
uint64_t blocks_wide_number(int64_t node, int64_t number);

/* A block is sent in two parts, the second once the first is there. */
enum blocks_part { BLOCKS_LOGS, BLOCKS_SUMS, BLOCKS_PARTS };

/* The block that was loaded last, as it is sent. All-zero is an empty one. */
struct blocks {
    struct native_block logs; /* while it is loaded; later only memory for the next one */
    struct sum_block sums;
    struct buf body[BLOCKS_PARTS];
    int64_t number; /* of the block that is loaded; 0: none */
};
void blocks_release(struct blocks *blocks);

/* Makes the bodies of a block of this node, unless it is the one that is loaded. ERR_UNAVAILABLE. */
enum err blocks_load(struct blocks *blocks, struct spool_reader *spool, const struct spool_block *block, int64_t node,
                     struct fault *fault);

/* Sends a part of the block that is loaded: see http_run. */
enum err blocks_send(const struct blocks *blocks, enum blocks_part part, struct http_client *client, const char *url,
                     struct http_reply *ret_reply, struct fault *fault);

/* Is this error of a server about what the block holds, so that it would refuse it for ever? */
bool blocks_is_content(int code);

/* Does a replica answer, within 2 s? Is there no answer of it at all, not even that it refuses us? *ret_hangs: it keeps
 * us waiting, so that others may reach it all the same. */
bool blocks_is_there(struct http_client *client, const char *url);
bool blocks_is_silent(struct http_client *client, const char *url, bool *ret_hangs);

/* What its clock shows, Unix seconds. ERR_UNAVAILABLE. */
enum err blocks_clock(struct http_client *client, const char *url, int64_t *ret_now, struct fault *fault);
#define BLOCKS_CLOCK_APART 60 /* seconds between two clocks that an operator is told of */

/* What a replica says of a table. */
struct blocks_state {
    bool exists;       /* else all of the rest is 0 */
    bool is_connected; /* with ZooKeeper */
    int64_t lag;       /* seconds, as the servers that pass over a replica which lags know it */
    bool is_new;       /* nothing was taken yet, or one block alone */
    bool has_pulled;   /* it knows all that was taken */
    int64_t waiting;   /* entries that it knows of, and has not done; merges are not among them */
};
enum err blocks_look(struct http_client *client, const struct clickhouse_config *config, const char *url,
                     const char *table, int64_t timeout_ms, struct blocks_state *ret_state, struct fault *fault);

/* Waits until a table of a replica has everything that any replica of its shard took; or all of its tables that reports
 * read. ERR_UNAVAILABLE, ERR_QUERY_TIMEOUT; at once where the server cannot know what that is. */
enum err blocks_sync_table(struct http_client *client, const struct clickhouse_config *config, const char *url,
                           const char *table, int64_t timeout_ms, struct fault *fault);
enum err blocks_sync(struct http_client *client, const struct clickhouse_config *config, const char *url,
                     int64_t timeout_ms, struct fault *fault);

/* Makes this spool, by its random id, the only one whose blocks have the numbers of the node; *ret_mine is false where
 * another one's have. ERR_UNAVAILABLE. */
enum err blocks_claim_node(struct http_client *client, const struct clickhouse_config *config, const char *url,
                           const char *id, bool *ret_mine, struct fault *fault);

#endif
