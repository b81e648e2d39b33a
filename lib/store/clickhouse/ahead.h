/* ahead.h: loads a block while the one before it is on its way: reading the spool takes as long as a server takes to
 * store a block. Knows threads. */
#ifndef STORE_CLICKHOUSE_AHEAD_H
#define STORE_CLICKHOUSE_AHEAD_H

#include "store/clickhouse/blocks.h"

#include <pthread.h>

struct ahead {
    int64_t node;
    struct spool_reader *spool; /* of its thread */
    struct spool_block block;
    struct blocks blocks;
    bool is_running;
    pthread_t thread;
};

/* ERR_UNAVAILABLE. */
enum err ahead_open(const char *data_dir, int64_t node, struct ahead *ret_ahead, struct fault *fault);
void ahead_close(struct ahead *ahead); /* takes an all-zero one too */

/* Begins to load a block. Where that fails, nobody has it. */
void ahead_begin(struct ahead *ahead, const struct spool_block *block);

/* Exchanges *blocks for what was loaded, if that is the block of this number. Waits for it. */
void ahead_take(struct ahead *ahead, int64_t number, struct blocks *blocks);

#endif
