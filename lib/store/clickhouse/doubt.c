/* doubt.c: keeps a replica's answer about many blocks. */
#include "store/clickhouse/doubt.h"

#include "base/int64.h"
#include "store/clickhouse/stored.h"

#include <stdlib.h>

#include "base/banned.h"

void doubt_release(struct doubt *doubt)
{
    free(doubt->replies);
    *doubt = (struct doubt){0};
}

static int by_number(const void *a, const void *b)
{
    return compare64(((const struct doubt_reply *)a)->number, ((const struct doubt_reply *)b)->number);
}

enum doubt_answer doubt_look_up(const struct doubt *doubt, int64_t number, enum blocks_part part, int64_t age_ms,
                                size_t *ret_replica)
{
    const struct doubt_reply key = {.number = number};
    if (!doubt->count || moment_age_ms(&doubt->answered) > age_ms)
        return DOUBT_UNASKED;
    const struct doubt_reply *reply = bsearch(&key, doubt->replies, doubt->count, sizeof key, by_number);
    *ret_replica = doubt->replica;
    return reply ? reply->answer[part] : DOUBT_UNASKED;
}

/* ---- asking ---- */

/* The blocks of one question, and what the replica has of them. */
struct inquiry {
    struct spool_block blocks[DOUBT_BLOCKS];
    struct stored logs[DOUBT_BLOCKS];
    bool sums[DOUBT_BLOCKS];
    size_t count;
};

static enum err gather(struct inquiry *inquiry, const struct doubt_question *question, struct fault *fault)
{
    int64_t after = question->block->number;
    bool found = true;
    enum err err = OK;
    inquiry->blocks[0] = *question->block;
    inquiry->count = 1;
    while (!err && inquiry->count < DOUBT_BLOCKS) {
        struct spool_block *block = &inquiry->blocks[inquiry->count];
        err = spool_next(question->spool, after, &found, block, fault);
        if (err || !found || block->number > question->until)
            break;
        after = block->number;
        inquiry->count += block->shard == question->block->shard;
    }
    return err;
}

static enum err ask(struct inquiry *inquiry, const struct doubt_question *question, struct fault *fault)
{
    enum err err = gather(inquiry, question, fault);
    const struct stored_question stored = {.client = question->client,
                                           .config = question->config,
                                           .url = question->url,
                                           .blocks = inquiry->blocks,
                                           .count = inquiry->count};
    if (!err)
        err = stored_ask(&stored, inquiry->logs, fault);
    return err ? err : stored_ask_sums(&stored, inquiry->sums, fault);
}

static struct doubt_reply reply_of(const struct inquiry *inquiry, size_t i)
{
    enum doubt_answer logs = DOUBT_OTHER;
    if (inquiry->logs[i].logs == 0)
        logs = DOUBT_NOT_THERE;
    else if (stored_is_whole(&inquiry->blocks[i], &inquiry->logs[i]))
        logs = DOUBT_THERE;
    return (struct doubt_reply){
        .number = inquiry->blocks[i].number,
        .answer = {[BLOCKS_LOGS] = logs, [BLOCKS_SUMS] = inquiry->sums[i] ? DOUBT_THERE : DOUBT_NOT_THERE}};
}

enum err doubt_ask(struct doubt *doubt, const struct doubt_question *question, struct fault *fault)
{
    doubt_release(doubt);
    struct inquiry *inquiry = malloc(sizeof *inquiry);
    doubt->replies = malloc(DOUBT_BLOCKS * sizeof *doubt->replies);
    enum err err =
        inquiry && doubt->replies ? ask(inquiry, question, fault) : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    for (size_t i = 0; !err && i < inquiry->count; i++)
        doubt->replies[i] = reply_of(inquiry, i);
    if (err) {
        doubt_release(doubt);
    } else {
        doubt->count = inquiry->count;
        doubt->replica = question->replica;
        doubt->answered = moment_now();
    }
    free(inquiry);
    return err;
}
