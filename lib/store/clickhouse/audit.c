/* audit.c: compares blocks of the spool with what each replica has of them. Never mends anything: a block that is sent
 * again because a lagging replica was asked would count twice. */
#include "store/clickhouse/audit.h"

#include "store/clickhouse/kept.h"
#include "store/clickhouse/stored.h"
#include "time/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define WORDS_BYTES 512
#define SYNC_MS 3000 /* of each table, while blocks wait; all is compared again later then */

/* The blocks of one round, ascending. */
struct comparison {
    const struct audit *audit;
    struct kept_state kept;
    struct spool_block blocks[AUDIT_BLOCKS];
    struct stored stored[AUDIT_BLOCKS]; /* by the replica that was asked last */
    size_t count;
};

static int64_t month_of(int64_t day)
{
    struct civil civil = when_civil_from_days(day);
    return civil.year * 100 + civil.month;
}

/* Were logs of its month deleted since it was shipped? Then nothing can be told of it. */
static bool has_changed(const struct comparison *comparison, const struct spool_block *block)
{
    const struct kept_state *kept = &comparison->kept;
    if (kept->from_day > 0 && block->month <= month_of(kept->from_day))
        return true;
    for (size_t i = 0; i < kept->count; i++)
        if (kept->days[i].at >= block->settled_at && month_of(kept->days[i].day) == block->month)
            return true;
    return false;
}

static enum err read_blocks(struct comparison *comparison, struct audited *audited, struct fault *fault)
{
    const struct audit *audit = comparison->audit;
    bool found = true;
    enum err err = OK;
    while (!err && comparison->count < AUDIT_BLOCKS) {
        struct spool_block *block = &comparison->blocks[comparison->count];
        err = spool_next_taken(audit->spool, audited->until, &found, block, fault);
        if (err || !found || block->number > audit->until || block->settled_at > audit->settled_before)
            break;
        audited->until = block->number;
        audited->seen++;
        if (has_changed(comparison, block))
            continue;
        audited->blocks++;
        audited->logs += block->logs;
        comparison->count++;
    }
    return err;
}

/* ---- one replica ---- */

static void tell_difference(const struct comparison *comparison, const char *url, size_t i, struct audited *audited)
{
    const struct spool_block *block = &comparison->blocks[i];
    const struct totals *there = &comparison->stored[i].sums, *due = &block->sums;
    char words[WORDS_BYTES];
    snprintf(words, sizeof words,
             "block %" PRId64 " of %" PRId64 ": %s has %" PRId64 " logs (count %" PRId64 ", bytes %" PRId64
             " + %" PRId64 ", errors %" PRId64 "), and %" PRId64 " (count %" PRId64 ", bytes %" PRId64 " + %" PRId64
             ", errors %" PRId64 ") were shipped",
             block->number, block->month, url, comparison->stored[i].logs, there->count, there->bytes_sent,
             there->bytes_received, there->errors, block->logs, due->count, due->bytes_sent, due->bytes_received,
             due->errors);
    audited->differences++;
    comparison->audit->tell(comparison->audit->ctx, words);
}

static enum err compare_replica(struct comparison *comparison, const char *url, size_t shard, struct audited *audited,
                                struct fault *fault)
{
    const struct audit *audit = comparison->audit;
    const struct stored_question question = {.client = audit->client,
                                             .config = audit->config,
                                             .url = url,
                                             .blocks = comparison->blocks,
                                             .count = comparison->count,
                                             .sync_ms = SYNC_MS};
    enum err err = stored_ask(&question, comparison->stored, fault);
    for (size_t i = 0; !err && i < comparison->count; i++)
        if ((size_t)comparison->blocks[i].shard == shard &&
            !stored_is_whole(&comparison->blocks[i], &comparison->stored[i]))
            tell_difference(comparison, url, i, audited);
    return err;
}

/* ---- all of them ---- */

static enum err compare_all(struct comparison *comparison, struct audited *audited, struct fault *fault)
{
    const struct servers *servers = comparison->audit->servers;
    enum err err = OK;
    for (size_t shard = 0; shard < servers->shard_count; shard++)
        for (size_t i = 0; !err && i < servers->shards[shard].replica_count; i++)
            err = compare_replica(comparison, servers->shards[shard].urls[i], shard, audited, fault);
    return err;
}

enum err audit_next(const struct audit *audit, struct audited *ret_audited, struct fault *fault)
{
    struct comparison *comparison = calloc(1, sizeof *comparison);
    struct audited audited = {.until = audit->after};
    if (!comparison)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    comparison->audit = audit;
    enum err err = kept_read(audit->client, audit->url, 0, &comparison->kept, fault);
    if (!err)
        err = read_blocks(comparison, &audited, fault);
    if (!err && comparison->count > 0)
        err = compare_all(comparison, &audited, fault);
    kept_release(&comparison->kept);
    free(comparison);
    if (!err)
        *ret_audited = audited;
    return err;
}
