/* ahead.c: the thread that loads a block. There is one for each block, and it touches nothing else. */
#include "store/clickhouse/ahead.h"

#include "base/banned.h"

enum err ahead_open(const char *data_dir, int64_t node, struct ahead *ret_ahead, struct fault *fault)
{
    *ret_ahead = (struct ahead){.node = node};
    return spool_reader_open(data_dir, &ret_ahead->spool, fault);
}

static void wait_for_it(struct ahead *ahead)
{
    if (ahead->is_running)
        pthread_join(ahead->thread, NULL);
    ahead->is_running = false;
}

void ahead_close(struct ahead *ahead)
{
    wait_for_it(ahead);
    spool_reader_close(ahead->spool);
    blocks_release(&ahead->blocks);
}

static void *load(void *ctx)
{
    struct ahead *ahead = ctx;
    struct fault ignored; /* the same again, once it is this block's turn */
    blocks_load(&ahead->blocks, ahead->spool, &ahead->block, ahead->node, &ignored);
    return NULL;
}

void ahead_begin(struct ahead *ahead, const struct spool_block *block)
{
    wait_for_it(ahead);
    ahead->block = *block;
    ahead->is_running = pthread_create(&ahead->thread, NULL, load, ahead) == 0;
}

void ahead_take(struct ahead *ahead, int64_t number, struct blocks *blocks)
{
    wait_for_it(ahead);
    if (ahead->blocks.number != number)
        return;
    struct blocks before = *blocks;
    *blocks = ahead->blocks;
    ahead->blocks = before;
}
