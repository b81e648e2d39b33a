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

/* Does a replica answer, within 2 s? */
bool blocks_is_there(struct http_client *client, const char *url);

/* What its clock shows, Unix seconds. ERR_UNAVAILABLE. */
enum err blocks_clock(struct http_client *client, const char *url, int64_t *ret_now, struct fault *fault);
#define BLOCKS_CLOCK_APART 60 /* seconds between two clocks that an operator is told of */

/* Waits until a replica has everything that any replica of its shard took. ERR_UNAVAILABLE. */
enum err blocks_sync(struct http_client *client, const struct clickhouse_config *config, const char *url,
                     struct fault *fault);

/* Makes this spool, by its random id, the only one whose blocks have the numbers of the node. ERR_UNAVAILABLE when
 * another one's have. */
enum err blocks_claim_node(struct http_client *client, const struct clickhouse_config *config, const char *url,
                           const char *id, struct fault *fault);

#endif
