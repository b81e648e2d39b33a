/* doubt.h: which of many blocks are there, asked once for all of them. Knows what a replica answered, and for which
 * blocks. Does not know when a block is in doubt. */
#ifndef STORE_CLICKHOUSE_DOUBT_H
#define STORE_CLICKHOUSE_DOUBT_H

#include "store/clickhouse/blocks.h"
#include "time/moment.h"

#define DOUBT_BLOCKS 1000 /* asked about at once */

/* What became of a part of a block. */
enum doubt_answer {
    DOUBT_UNASKED, /* or long ago */
    DOUBT_NOT_THERE,
    DOUBT_THERE,
    DOUBT_OTHER, /* logs, but not those that the spool has */
};

struct doubt_reply {
    int64_t number;
    enum doubt_answer answer[BLOCKS_PARTS];
};

/* What a replica of one shard said of some of its blocks. All-zero: nothing was asked yet. */
struct doubt {
    struct doubt_reply *replies; /* owned; in order of their numbers */
    size_t count;
    size_t replica;
    struct moment answered;
};
void doubt_release(struct doubt *doubt);

/* The answer about a part of a block, if it came at most `age_ms` ago; and which replica gave it. */
enum doubt_answer doubt_look_up(const struct doubt *doubt, int64_t number, enum blocks_part part, int64_t age_ms,
                                size_t *ret_replica);

/* Asks a replica, once it has all that any of its shard took, about the waiting blocks of the shard from `block` on, up
 * to number `until`, DOUBT_BLOCKS at most. ERR_UNAVAILABLE; then nothing is known of any. */
struct doubt_question {
    struct http_client *client;
    const struct clickhouse_config *config;
    struct spool_reader *spool;
    const char *url;
    size_t replica;
    const struct spool_block *block;
    int64_t until;
};
enum err doubt_ask(struct doubt *doubt, const struct doubt_question *question, struct fault *fault);

#endif
