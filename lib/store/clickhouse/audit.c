/* audit.c: compares blocks of the spool with what each replica has of them. Never mends anything: a block that is sent
 * again because a lagging replica was asked would count twice. */
#include "store/clickhouse/audit.h"

#include "store/clickhouse/blocks.h"
#include "store/clickhouse/kept.h"
#include "store/clickhouse/rows.h"
#include "store/clickhouse/schema.h"
#include "time/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define SQL_BYTES 1024
#define WORDS_BYTES 512

enum { NUMBER, LOGS, COUNT, SENT, RECEIVED, ERRORS, AUDIT_COLUMNS };

/* The blocks of one round, ascending. */
struct comparison {
    const struct audit *audit;
    struct kept_state kept;
    struct spool_block blocks[AUDIT_BLOCKS];
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

static void tell_difference(const struct comparison *comparison, const char *url, const struct spool_block *block,
                            const int64_t *found, struct audited *audited)
{
    char words[WORDS_BYTES];
    snprintf(words, sizeof words,
             "block %" PRId64 " of %" PRId64 ": %s has %" PRId64 " logs (count %" PRId64 ", bytes %" PRId64
             " + %" PRId64 ", errors %" PRId64 "), and %" PRId64 " (count %" PRId64 ", bytes %" PRId64 " + %" PRId64
             ", errors %" PRId64 ") were shipped",
             block->number, block->month, url, found[LOGS], found[COUNT], found[SENT], found[RECEIVED], found[ERRORS],
             block->logs, block->sums.count, block->sums.bytes_sent, block->sums.bytes_received, block->sums.errors);
    audited->differences++;
    comparison->audit->tell(comparison->audit->ctx, words);
}

static enum err take_row(const struct rows *rows, size_t row, int64_t ret_row[AUDIT_COLUMNS], struct fault *fault)
{
    enum err err = OK;
    for (size_t column = 0; !err && column < AUDIT_COLUMNS; column++)
        err = rows_i64(rows, row, column, &ret_row[column], fault);
    return err;
}

/* Both are in order of their numbers. */
static enum err compare(const struct comparison *comparison, const char *url, size_t shard, const struct rows *rows,
                        struct audited *audited, struct fault *fault)
{
    size_t at = 0;
    enum err err = OK;
    for (size_t i = 0; !err && i < comparison->count; i++) {
        const struct spool_block *block = &comparison->blocks[i];
        const int64_t due[AUDIT_COLUMNS] = {[NUMBER] = block->number,
                                            [LOGS] = block->logs,
                                            [COUNT] = block->sums.count,
                                            [SENT] = block->sums.bytes_sent,
                                            [RECEIVED] = block->sums.bytes_received,
                                            [ERRORS] = block->sums.errors};
        int64_t found[AUDIT_COLUMNS] = {0};
        if ((size_t)block->shard != shard)
            continue;
        while (!err && at < rows->count && found[NUMBER] < block->number)
            err = take_row(rows, at++, found, fault);
        at -= found[NUMBER] > block->number;
        if (found[NUMBER] != block->number)
            memset(found, 0, sizeof found);
        found[NUMBER] = block->number;
        if (!err && memcmp(found, due, sizeof due) != 0)
            tell_difference(comparison, url, block, found, audited);
    }
    return err;
}

static enum err compare_replica(const struct comparison *comparison, const char *url, size_t shard,
                                struct audited *audited, struct fault *fault)
{
    const struct audit *audit = comparison->audit;
    int64_t node = audit->config->node;
    char sql[SQL_BYTES];
    struct rows rows;
    struct http_reply reply;
    snprintf(sql, sizeof sql,
             "SELECT toInt64(block - %" PRIu64 ") AS n, count(), sum(count), sum(bytes_sent), sum(bytes_received),"
             " sum(error_count) FROM " CLICKHOUSE_LOGS " WHERE block >= %" PRIu64 " AND block <= %" PRIu64
             " GROUP BY n ORDER BY n" ROWS_FORMAT,
             blocks_wide_number(node, 0), blocks_wide_number(node, comparison->blocks[0].number),
             blocks_wide_number(node, comparison->blocks[comparison->count - 1].number));
    enum err err = blocks_sync(audit->client, audit->config, url, fault);
    if (!err)
        err = http_run(audit->client, &(struct http_statement){.url = url, .sql = sql}, &reply, fault);
    if (!err)
        err = rows_parse(reply.body, reply.body_bytes, AUDIT_COLUMNS, &rows, fault);
    if (err)
        return err;
    err = compare(comparison, url, shard, &rows, audited, fault);
    rows_release(&rows);
    return err;
}

/* ---- all of them ---- */

static enum err compare_all(const struct comparison *comparison, struct audited *audited, struct fault *fault)
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
    enum err err = kept_read(audit->client, audit->servers->shards[0].urls[0], 0, &comparison->kept, fault);
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
