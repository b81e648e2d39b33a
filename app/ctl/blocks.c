/* blocks.c: analyticsctl blocks: blocks of logs that ClickHouse refused for what they hold. Knows how they are told.
 * Leaves them to lib/store/sqlite/spool/. */
#include "ctl/ctl.h"

#include "ctl/json.h"
#include "ctl/text.h"
#include "store/sqlite/spool/spool.h"
#include "store/sqlite/sqlite.h"

#include "base/banned.h"

static void say_block(struct json_object *list, const struct spool_block *block)
{
    char at[CTL_FIGURE_BYTES];
    if (!list) {
        ctl_say("%lld: %lld logs of %lld in batches %lld to %lld, put aside %s: %s", (long long)block->number,
                (long long)block->logs, (long long)block->month, (long long)block->first_batch,
                (long long)block->last_batch, ctl_time_text(block->settled_at, "?", at), block->detail);
        return;
    }
    struct json_object *json = ctl_json_item(list);
    ctl_json_number(json, "block", block->number);
    ctl_json_number(json, "logs", block->logs);
    ctl_json_number(json, "month", block->month);
    ctl_json_number(json, "first_batch", block->first_batch);
    ctl_json_number(json, "last_batch", block->last_batch);
    ctl_json_time(json, "put_aside_at", block->settled_at);
    ctl_json_text(json, "reason", block->detail);
}

static int list(const struct ctl *ctl, struct spool_reader *reader)
{
    struct json_object *json = ctl->option[CTL_JSON] ? ctl_json_new() : NULL;
    struct json_object *blocks = json ? ctl_json_array(json, "put_aside") : NULL;
    struct spool_block block = {0};
    struct fault fault;
    bool found = true;
    enum err err = OK;
    while (!err && found) {
        err = spool_next_aside(reader, block.number, &found, &block, &fault);
        if (!err && found)
            say_block(blocks, &block);
    }
    if (err) {
        ctl_json_drop(json);
        return ctl_fault(&fault);
    }
    if (json)
        return ctl_say_json(json);
    if (block.number == 0)
        ctl_say("No block is put aside.");
    return CTL_OK;
}

static int retry(const struct ctl *ctl)
{
    int64_t blocks = 0;
    struct fault fault;
    if (spool_retry(ctl->data_dir, &blocks, &fault))
        return ctl_fault(&fault);
    if (ctl->option[CTL_JSON]) {
        struct json_object *json = ctl_json_new();
        ctl_json_number(json, "retried", blocks);
        return ctl_say_json(json);
    }
    ctl_say("%lld %s sent again when analytics-ingest runs.", (long long)blocks,
            blocks == 1 ? "block is" : "blocks are");
    return CTL_OK;
}

int ctl_blocks(const struct ctl *ctl)
{
    struct spool_reader *reader = NULL;
    struct fault fault;
    int status = ctl_become_owner(ctl->data_dir);
    if (status)
        return status;
    sqlite_setup(true);
    if (!spool_is_used(ctl->data_dir))
        return ctl_fail("blocks is for the engine clickhouse, and %s has no spool of it", ctl->data_dir);
    if (ctl->option[CTL_RETRY])
        return retry(ctl);
    if (spool_reader_open(ctl->data_dir, &reader, &fault))
        return ctl_fault(&fault);
    status = list(ctl, reader);
    spool_reader_close(reader);
    return status;
}
