/* verify_spool.c: analyticsctl verify where ClickHouse has the logs. Knows how the outcome is told. Leaves the work to
 * lib/store/clickhouse/verify.c. */
#include "ctl/engine.h"

#include "ctl/json.h"
#include "ctl/text.h"
#include "store/clickhouse/care.h"

#include "base/banned.h"

#define DIFFERENCES_TOLD 10

struct spool_told {
    struct json_object *json; /* NULL: in words */
    struct json_object *differences;
    int64_t count;
};

static void tell(void *ctx, const char *words)
{
    struct spool_told *told = ctx;
    ctl_watch_end();
    if (told->count++ >= DIFFERENCES_TOLD)
        return;
    if (told->json)
        ctl_json_text(ctl_json_item(told->differences), "words", words);
    else
        ctl_say("%s", words);
}

static int say_result(struct spool_told *told, const struct clickhouse_verified *verified)
{
    char blocks[CTL_FIGURE_BYTES], logs[CTL_FIGURE_BYTES];
    if (told->json) {
        ctl_json_bool(told->json, "ok", verified->differences == 0);
        ctl_json_number(told->json, "blocks", verified->blocks);
        ctl_json_number(told->json, "logs", verified->logs);
        ctl_json_number(told->json, "months", verified->months);
        ctl_json_number(told->json, "differences", verified->differences);
        if (ctl_say_json(told->json))
            return CTL_UNDONE;
    } else if (verified->differences == 0) {
        ctl_say(
            "All is well: every replica has the %s logs of %s blocks that the spool remembers, and the sums are those "
            "of the logs.",
            ctl_count_text(verified->logs, logs), ctl_count_text(verified->blocks, blocks));
    } else {
        ctl_say("%lld differences. Nothing is sent again by itself: docs/scaling.md says what to do.",
                (long long)verified->differences);
    }
    return verified->differences ? CTL_DIFFERENT : CTL_OK;
}

int ctl_verify_clickhouse(const struct ctl *ctl, const struct store_place *place)
{
    struct spool_told told = {0};
    struct watch watch = {.progress = ctl_watch_progress};
    struct clickhouse_verified verified;
    struct fault fault;
    if (ctl->option[CTL_JSON]) {
        told.json = ctl_json_new();
        told.differences = ctl_json_array(told.json, "first_differences");
    }
    enum err err = clickhouse_verify(place, &watch, tell, &told, &verified, &fault);
    ctl_watch_end();
    if (!err)
        return say_result(&told, &verified);
    ctl_json_drop(told.json);
    ctl_fault(&fault);
    return CTL_UNDONE;
}
