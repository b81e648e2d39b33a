/* doubt.c: keeps a replica's answer about many blocks. */
#include "store/clickhouse/doubt.h"

#include "time/mono.h"

#include <stdlib.h>

#include "base/banned.h"

struct doubt_answers {
    struct spool_block blocks[DOUBT_BLOCKS]; /* of one shard, in order of their numbers */
    struct blocks_had logs[DOUBT_BLOCKS];
    bool has_sums[DOUBT_BLOCKS];
    size_t count;
    size_t replica;
    int64_t asked_ms;
};

void doubt_release(struct doubt *doubt)
{
    free(doubt->answers);
    doubt->answers = NULL;
}

static int by_number(const void *a, const void *b)
{
    const struct spool_block *first = a, *second = b;
    return (first->number > second->number) - (first->number < second->number);
}

enum doubt_answer doubt_look_up(const struct doubt *doubt, int64_t number, enum blocks_part part, int64_t age_ms,
                                size_t *ret_replica)
{
    const struct doubt_answers *answers = doubt->answers;
    if (!answers || mono_ms() - answers->asked_ms > age_ms)
        return DOUBT_UNASKED;
    const struct spool_block key = {.number = number};
    const struct spool_block *block =
        bsearch(&key, answers->blocks, answers->count, sizeof answers->blocks[0], by_number);
    if (!block)
        return DOUBT_UNASKED;
    size_t i = (size_t)(block - answers->blocks);
    *ret_replica = answers->replica;
    if (part == BLOCKS_SUMS)
        return answers->has_sums[i] ? DOUBT_THERE : DOUBT_NOT_THERE;
    if (answers->logs[i].logs == 0)
        return DOUBT_NOT_THERE;
    return blocks_is_whole(block, &answers->logs[i]) ? DOUBT_THERE : DOUBT_OTHER;
}

/* The blocks to ask about. */
static enum err gather(struct doubt_answers *answers, const struct doubt_question *question, struct fault *fault)
{
    int64_t after = question->block->number;
    bool found = true;
    enum err err = OK;
    answers->blocks[0] = *question->block;
    answers->count = 1;
    while (!err && answers->count < DOUBT_BLOCKS) {
        struct spool_block *block = &answers->blocks[answers->count];
        err = spool_next(question->spool, after, &found, block, fault);
        if (err || !found || block->number > question->until)
            break;
        after = block->number;
        answers->count += block->shard == question->block->shard;
    }
    return err;
}

enum err doubt_ask(struct doubt *doubt, const struct doubt_question *question, struct fault *fault)
{
    if (!doubt->answers)
        doubt->answers = malloc(sizeof *doubt->answers);
    struct doubt_answers *answers = doubt->answers;
    if (!answers)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    int64_t asked_ms = mono_ms();
    enum err err = gather(answers, question, fault);
    if (!err)
        err = blocks_ask(question->client, question->config, question->url, answers->blocks, answers->count,
                         answers->logs, fault);
    if (!err)
        err = blocks_ask_sums(question->client, question->config, question->url, answers->blocks, answers->count,
                              answers->has_sums, fault);
    if (err) {
        doubt_release(doubt);
        return err;
    }
    answers->replica = question->replica;
    answers->asked_ms = asked_ms;
    return OK;
}
