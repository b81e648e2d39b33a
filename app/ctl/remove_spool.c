/* remove_spool.c: analyticsctl prune and delete where ClickHouse has the logs. Knows what is asked before and how the
 * outcome is told. Leaves the work to lib/store/clickhouse/remove.c. */
#include "ctl/engine.h"

#include "ctl/json.h"
#include "ctl/text.h"
#include "store/clickhouse/care.h"
#include "time/when.h"

#include <unistd.h>

#include "base/banned.h"

static bool must_ask(const struct ctl *ctl)
{
    return !ctl->option[CTL_YES] && isatty(STDIN_FILENO);
}

/* ---- prune ---- */

static int say_pruned(const struct ctl *ctl, const struct clickhouse_pruned *pruned, int64_t days, bool is_plan)
{
    if (ctl->option[CTL_JSON]) {
        struct json_object *json = ctl_json_new();
        ctl_json_bool(json, "ok", true);
        ctl_json_bool(json, "dry_run", is_plan);
        if (pruned->before)
            ctl_json_time(json, "before", pruned->before);
        ctl_json_number(json, "logs", pruned->logs);
        return ctl_say_json(json);
    }
    char before[WHEN_TEXT_BYTES], logs[CTL_FIGURE_BYTES];
    when_format(pruned->before, before);
    if (pruned->logs == 0)
        ctl_say("Nothing is older than %lld days.", (long long)days);
    else
        ctl_say("Everything older than %s UTC %s deleted: %s logs, and their sums.", before,
                is_plan ? "would be" : "is", ctl_count_text(pruned->logs, logs));
    return CTL_OK;
}

static int prune(const struct ctl *ctl, const struct store_place *place, int64_t days, bool is_plan)
{
    struct watch watch = {.is_stopped = ctl_watch_is_stopped};
    struct clickhouse_pruned pruned;
    struct fault fault;
    ctl_watch_begin(is_plan);
    enum err err = clickhouse_prune(place, days, ctl->now, is_plan, &watch, &pruned, &fault);
    ctl_watch_end();
    return err ? ctl_fault_of_work(&fault, "stopped; reports stay right. Run prune again to finish it")
               : say_pruned(ctl, &pruned, days, is_plan);
}

int ctl_prune_clickhouse(const struct ctl *ctl, const struct store_place *place, int64_t days)
{
    int status = CTL_OK;
    if (ctl->option[CTL_DRY_RUN])
        return prune(ctl, place, days, true);
    if (must_ask(ctl))
        status = prune(ctl, place, days, true);
    if (!status && must_ask(ctl) && !ctl_confirm("Delete them for good?"))
        status = ctl_fail("nothing was deleted");
    return status ? status : prune(ctl, place, days, false);
}

/* ---- delete ---- */

static void put_deleted(struct json_object *json, const struct clickhouse_deleted *deleted, bool is_plan)
{
    const struct totals *totals = &deleted->totals;
    ctl_json_bool(json, "ok", true);
    ctl_json_bool(json, "dry_run", is_plan);
    ctl_json_number(json, "logs", deleted->logs);
    ctl_json_number(json, "count", totals->count);
    ctl_json_number(json, "bytes_sent", totals->bytes_sent);
    ctl_json_number(json, "bytes_received", totals->bytes_received);
    ctl_json_number(json, "errors", totals->errors);
    ctl_json_log_time(json, "first", deleted->logs > 0 ? totals->first : -1);
    ctl_json_log_time(json, "last", deleted->logs > 0 ? totals->last : -1);
    ctl_json_number(json, "days", deleted->days);
}

static void say_figure(const char *what, int64_t value)
{
    char text[CTL_FIGURE_BYTES];
    ctl_say("  %-16s %20s", what, ctl_count_text(value, text));
}

static int say_deleted(const struct ctl *ctl, const struct clickhouse_deleted *deleted, bool is_plan)
{
    if (ctl->option[CTL_JSON]) {
        struct json_object *json = ctl_json_new();
        put_deleted(json, deleted, is_plan);
        return ctl_say_json(json);
    }
    char logs[CTL_FIGURE_BYTES], first[CTL_FIGURE_BYTES], last[CTL_FIGURE_BYTES];
    if (deleted->logs == 0) {
        ctl_say("No log is as described.");
        return CTL_OK;
    }
    ctl_say("%s %s %s deleted, of %s to %s:", ctl_count_text(deleted->logs, logs), deleted->logs == 1 ? "log" : "logs",
            is_plan              ? "would be"
            : deleted->logs == 1 ? "is"
                                 : "are",
            ctl_log_time_text(deleted->totals.first, first), ctl_log_time_text(deleted->totals.last, last));
    say_figure("requests", deleted->totals.count);
    say_figure("errors", deleted->totals.errors);
    say_figure("bytes sent", deleted->totals.bytes_sent);
    say_figure("bytes received", deleted->totals.bytes_received);
    say_figure("days", deleted->days);
    if (!is_plan)
        ctl_say("Reports of these days step through single logs from now on.");
    return CTL_OK;
}

static int remove_logs(const struct ctl *ctl, const struct store_place *place, const struct report_filter *filter,
                       bool is_plan)
{
    struct watch watch = {.is_stopped = ctl_watch_is_stopped};
    struct clickhouse_deleted deleted;
    struct fault fault;
    ctl_watch_begin(is_plan);
    enum err err = clickhouse_delete(place, filter, ctl->now, is_plan, &watch, &deleted, &fault);
    ctl_watch_end();
    return err ? ctl_fault_of_work(&fault, "stopped; servers go on with what was begun. Run the same delete again")
               : say_deleted(ctl, &deleted, is_plan);
}

int ctl_delete_clickhouse(const struct ctl *ctl, const struct store_place *place, const struct report_filter *filter)
{
    static const enum ctl_option refused[] = {CTL_BATCH, CTL_IMPORT, CTL_FORGET_KEYS, CTL_VACUUM};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (ctl->option[refused[i]])
            return ctl_misuse(
                "delete takes no --batch, --import, --forget-keys and --vacuum with the engine clickhouse");
    if (ctl->option[CTL_DRY_RUN])
        return remove_logs(ctl, place, filter, true);
    int status = CTL_OK;
    if (must_ask(ctl))
        status = remove_logs(ctl, place, filter, true);
    if (!status && must_ask(ctl) && !ctl_confirm("Delete them for good?"))
        status = ctl_fail("nothing was deleted");
    return status ? status : remove_logs(ctl, place, filter, false);
}
