/* upkeep.c: what the shipper does now and then. Knows when each is due. */
#include "store/clickhouse/upkeep.h"

#include "base/int64.h"
#include "store/clickhouse/blocks.h"
#include "time/mono.h"
#include "time/when.h"

#include <stdio.h>
#include <time.h>

#include "base/banned.h"

#define AUDIT_EACH_MS (INT64_C(5) * 60 * 1000)
#define AUDIT_AFTER_SECONDS (15 * 60) /* a replica that lost what it had not synced has noticed by then */
#define TRY_AGAIN_MS (INT64_C(60) * 1000)
#define RETENTION_EACH_MS (INT64_C(60) * 60 * 1000)

static void note_difference(void *ctx, const char *words)
{
    struct spool_audit *audit = ctx;
    audit->differences++;
    snprintf(audit->words, sizeof audit->words, "%s", words);
}

static enum err compare(struct upkeep *upkeep, const struct deleting *deleting, struct spool_reader *spool,
                        int64_t newest_block, struct spool_audit *result, struct fault *fault)
{
    struct audit audit = {.client = deleting->client,
                          .config = deleting->config,
                          .servers = deleting->servers,
                          .spool = spool,
                          .url = deleting_url(deleting, 0),
                          .after = max64(upkeep->audited_until, newest_block - UPKEEP_BLOCKS),
                          .until = newest_block,
                          .settled_before = time(NULL) - AUDIT_AFTER_SECONDS,
                          .tell = note_difference,
                          .ctx = result};
    struct audited audited = {.seen = AUDIT_BLOCKS};
    enum err err = OK;
    while (!err && audited.seen >= AUDIT_BLOCKS) {
        err = audit_next(&audit, &audited, fault);
        if (!err)
            upkeep->audited_until = audit.after = audited.until;
    }
    if (err)
        return err;
    int64_t there = 0;
    struct fault ignored;
    result->at = time(NULL);
    if (!blocks_clock(deleting->client, deleting_url(deleting, 0), &there, &ignored))
        upkeep->clock_apart = there - result->at;
    return OK;
}

static enum err retain(const struct upkeep *upkeep, const struct deleting *deleting, struct fault *fault)
{
    int64_t day = 0;
    enum err err = deleting_move(deleting, upkeep->keep_days, time(NULL), &day, fault);
    return err || day <= 0 ? err : deleting_drop(deleting, day, fault);
}

enum err upkeep_run(struct upkeep *upkeep, const struct deleting *deleting, struct spool_reader *spool,
                    int64_t newest_block, struct spool_audit *audit, bool *ret_audited, struct fault *fault)
{
    int64_t now_ms = mono_ms();
    *ret_audited = false;
    if (now_ms >= upkeep->audit_due_ms) {
        upkeep->audit_due_ms = now_ms + AUDIT_EACH_MS;
        enum err err = compare(upkeep, deleting, spool, newest_block, audit, fault);
        if (err)
            return err;
        *ret_audited = true;
    }
    if (upkeep->keep_days == 0 || now_ms < upkeep->retention_due_ms)
        return OK;
    enum err err = retain(upkeep, deleting, fault);
    upkeep->retention_due_ms = now_ms + (err ? TRY_AGAIN_MS : RETENTION_EACH_MS);
    return err;
}
