/* delete.c: analyticsctl delete. Knows how logs are named on a command line, what is asked before they go and said of
 * it. Leaves the work to lib/store/sqlite/care/delete.c. */
#include "ctl/ctl.h"
#include "ctl/engine.h"

#include "ctl/json.h"
#include "ctl/text.h"
#include "db/files.h"
#include "log/domain.h"
#include "log/batch.h"
#include "store/sqlite/care/care.h"
#include "store/sqlite/sqlite.h"
#include "time/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

/* Batches that a person is told of. */
#define BATCHES_SAID 10

/* ---- the command line ---- */

/* "17", or "17-40". */
static int parse_batches(const char *text, struct sqlite_delete_options *options)
{
    if (!text)
        return CTL_OK;
    size_t len = strcspn(text, "-");
    const char *last = text[len] ? text + len + 1 : text;
    if (text_to_i64((struct slice){text, len}, 1, INT64_MAX, &options->first_batch) &&
        text_to_i64(slice_of(last), 1, INT64_MAX, &options->last_batch) && options->first_batch <= options->last_batch)
        return CTL_OK;
    return ctl_must_be(
        "--batch", text,
        "the number of a batch, as --dry-run shows it, or the first and the last of several, as in 17-40");
}

/* As it is stored: an older version may have stored google.com:443, which is not to be taken for google.com. */
static int parse_domain(const char *text, char buffer[LIMIT_DOMAIN_BYTES + 1], struct sqlite_delete_options *options)
{
    size_t len = 0;
    const char *why = NULL;
    if (!text)
        return CTL_OK;
    if (!domain_fold(slice_of(text), buffer, &len, &why))
        return ctl_misuse("--domain %s", why);
    options->domain = buffer;
    return CTL_OK;
}

static int parse_span(const struct ctl *ctl, struct sqlite_delete_options *options)
{
    const char *from = ctl->option[CTL_FROM], *to = ctl->option[CTL_TO];
    options->to = INT64_MAX;
    int status = ctl_parse_time(from, "--from", false, &options->from);
    if (!status)
        status = ctl_parse_time(to, "--to", true, &options->to);
    return status || options->from <= options->to ? status
                                                  : ctl_misuse("--from (%s) must not be after --to (%s)", from, to);
}

static bool selects(const struct ctl *ctl)
{
    static const enum ctl_option options[] = {CTL_IMPORT, CTL_USER_ID, CTL_ORDER_ID, CTL_DOMAIN,
                                              CTL_WORKER, CTL_BATCH,   CTL_FROM,     CTL_TO};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (ctl->option[options[i]])
            return true;
    return false;
}

static int parse(const struct ctl *ctl, char domain[LIMIT_DOMAIN_BYTES + 1], struct sqlite_delete_options *options)
{
    if (!selects(ctl))
        return ctl_misuse("delete needs to be told which logs: --user-id, --order-id, --domain, --worker, --batch, "
                          "--import, --from or --to");
    int status = ctl_parse_id(ctl->option[CTL_USER_ID], "--user-id", &options->user_id);
    if (!status)
        status = ctl_parse_id(ctl->option[CTL_ORDER_ID], "--order-id", &options->order_id);
    if (!status)
        status = parse_batches(ctl->option[CTL_BATCH], options);
    if (!status)
        status = parse_domain(ctl->option[CTL_DOMAIN], domain, options);
    options->worker = ctl->option[CTL_WORKER];
    options->import = ctl->option[CTL_IMPORT];
    options->forget_keys = ctl->option[CTL_FORGET_KEYS] != NULL;
    options->vacuum = ctl->option[CTL_VACUUM] != NULL;
    return status ? status : parse_span(ctl, options);
}

/* ---- what is said, as JSON ---- */

static void put_totals(struct json_object *json, const struct totals *totals)
{
    ctl_json_number(json, "count", totals->count);
    ctl_json_number(json, "bytes_sent", totals->bytes_sent);
    ctl_json_number(json, "bytes_received", totals->bytes_received);
    ctl_json_number(json, "errors", totals->errors);
    ctl_json_log_time(json, "first", totals->first <= totals->last ? totals->first : -1);
    ctl_json_log_time(json, "last", totals->first <= totals->last ? totals->last : -1);
}

static void put_left(struct json_object *json, const struct sqlite_deleted *deleted)
{
    struct json_object *spans = ctl_json_array(json, "sums_left");
    for (int i = 0; i < 2; i++) {
        if (deleted->left[i].from >= deleted->left[i].to)
            continue;
        struct json_object *span = ctl_json_item(spans);
        ctl_json_log_time(span, "from", deleted->left[i].from);
        ctl_json_log_time(span, "to", deleted->left[i].to);
    }
}

static void put_batches(struct json_object *json, const struct sqlite_deleted *plan)
{
    ctl_json_count(json, "batches", plan->batches);
    struct json_object *batches = ctl_json_array(json, "first_batches");
    for (int64_t i = 0; i < plan->batches && i < DELETE_BATCHES_TOLD; i++) {
        const struct sqlite_doomed_batch *batch = &plan->batch[i];
        struct json_object *item = ctl_json_item(batches);
        ctl_json_number(item, "batch", batch->id);
        ctl_json_time(item, "received_at", batch->received_at);
        ctl_json_text(item, "caller", batch->caller);
        ctl_json_number(item, "logs", batch->logs);
    }
}

static int say_json(const struct sqlite_deleted *deleted, bool is_plan)
{
    struct json_object *json = ctl_json_new();
    ctl_json_bool(json, "ok", true);
    ctl_json_bool(json, "dry_run", is_plan);
    ctl_json_number(json, "logs", deleted->logs);
    put_totals(json, &deleted->totals);
    put_left(json, deleted);
    if (is_plan) {
        put_batches(json, deleted);
        ctl_json_number(json, "about_seconds", deleted->seconds);
    } else {
        put_totals(ctl_json_object(json, "sums"), &deleted->sums);
        ctl_json_number(json, "keys_left", deleted->keys_left);
        ctl_json_number(json, "names", deleted->names);
        ctl_json_bool(json, "wal_is_empty", deleted->wal_is_empty);
    }
    return ctl_say_json(json);
}

/* ---- what is said, in words ---- */

static void say_figure(const char *what, int64_t value)
{
    char text[CTL_FIGURE_BYTES];
    ctl_say("  %-16s %20s", what, ctl_count_text(value, text));
}

static void say_totals(const struct totals *totals)
{
    say_figure("requests", totals->count);
    say_figure("errors", totals->errors);
    say_figure("bytes sent", totals->bytes_sent);
    say_figure("bytes received", totals->bytes_received);
}

/* "12 logs would be deleted, of … to …:" */
static void say_logs(const struct sqlite_deleted *deleted, const char *verb)
{
    char logs[CTL_FIGURE_BYTES], first[CTL_FIGURE_BYTES], last[CTL_FIGURE_BYTES];
    if (deleted->logs == 0) {
        ctl_say("No log %s deleted: none is as described.", verb);
        return;
    }
    ctl_say("%s %s %s deleted, of %s to %s:", ctl_count_text(deleted->logs, logs), deleted->logs == 1 ? "log" : "logs",
            verb, ctl_log_time_text(deleted->totals.first, first), ctl_log_time_text(deleted->totals.last, last));
    say_totals(&deleted->totals);
}

/* Where logs are no longer kept, sums may not know what was asked. */
static void say_left(const struct sqlite_deleted *deleted)
{
    char from[CTL_FIGURE_BYTES], to[CTL_FIGURE_BYTES];
    for (int i = 0; i < 2; i++)
        if (deleted->left[i].from < deleted->left[i].to)
            ctl_say("From %s to %s, only sums are kept, of whole days, hours or quarters of an hour. They do not tell "
                    "these logs from others, and stay as they are.",
                    ctl_log_time_text(deleted->left[i].from, from), ctl_log_time_text(deleted->left[i].to, to));
}

static void say_batches(const struct sqlite_deleted *plan)
{
    char logs[CTL_FIGURE_BYTES], at[CTL_FIGURE_BYTES], batches[CTL_FIGURE_BYTES];
    if (plan->batches < 0)
        ctl_say("They came in more batches than can be told.");
    if (plan->batches > 0)
        ctl_say("They came in %s %s:", ctl_count_text(plan->batches, batches),
                plan->batches == 1 ? "batch" : "batches");
    for (int64_t i = 0; i < plan->batches && i < BATCHES_SAID; i++)
        ctl_say("  batch %lld, received %s from %s: %s", (long long)plan->batch[i].id,
                ctl_time_text(plan->batch[i].received_at, "?", at), plan->batch[i].caller,
                ctl_count_text(plan->batch[i].logs, logs));
    if (plan->batches > BATCHES_SAID)
        ctl_say("  and %s others", ctl_count_text(plan->batches - BATCHES_SAID, batches));
}

static void say_keys(const struct sqlite_deleted *deleted)
{
    if (deleted->keys_stay)
        ctl_say("Idempotency keys stay: a batch may have other logs. --forget-keys forgets them if --batch is the only "
                "condition.");
}

static void say_plan(const struct sqlite_deleted *plan)
{
    char time[CTL_FIGURE_BYTES];
    say_logs(plan, "would be");
    say_batches(plan);
    say_left(plan);
    say_keys(plan);
    ctl_say("It takes about %s, while analytics-ingest is stopped.", ctl_span_text(plan->seconds, time));
}

static void say_deed(const struct sqlite_deleted *deleted)
{
    char text[CTL_FIGURE_BYTES];
    say_logs(deleted, deleted->logs == 1 || deleted->logs == 0 ? "is" : "are");
    if (deleted->sums.first <= deleted->sums.last) {
        ctl_say("Taken out of the sums of logs that are no longer kept:");
        say_totals(&deleted->sums);
    }
    say_left(deleted);
    say_keys(deleted);
    if (deleted->keys_left)
        ctl_say("%s idempotency %s: the same caller sent another batch in the same second.",
                ctl_count_text(deleted->keys_left, text), deleted->keys_left == 1 ? "key stays" : "keys stay");
    if (deleted->names)
        ctl_say("%s %s that no log has any more.", ctl_count_text(deleted->names, text),
                deleted->names == 1 ? "name is deleted" : "names are deleted");
    if (!deleted->wal_is_empty)
        ctl_say("A program was reading, so what was deleted can still be found in " FILE_LOGS "-wal. Run this again to "
                "empty it.");
}

/* ---- the command ---- */

static int make_plan(const struct ctl *ctl, const struct sqlite_delete_options *options, struct sqlite_deleted *plan)
{
    struct fault fault;
    struct watch watch = {.progress = ctl_watch_progress};
    ctl_watch_begin(true); /* it only reads: nothing is left to tidy */
    enum err err = sqlite_delete_plan(ctl->data_dir, options, &watch, plan, &fault);
    ctl_watch_end();
    return err ? ctl_fault(&fault) : CTL_OK;
}

static int dry_run(const struct ctl *ctl, const struct sqlite_delete_options *options)
{
    struct sqlite_deleted plan;
    int status = make_plan(ctl, options, &plan);
    if (status)
        return status;
    if (ctl->option[CTL_JSON])
        return say_json(&plan, true);
    say_plan(&plan);
    return CTL_OK;
}

/* What is deleted does not come back: who types the command sees what it is, and is asked. A script is not. */
static int confirm(const struct ctl *ctl, const struct sqlite_delete_options *options)
{
    struct sqlite_deleted plan;
    if (ctl->option[CTL_YES] || !isatty(STDIN_FILENO))
        return CTL_OK;
    int status = make_plan(ctl, options, &plan);
    if (status)
        return status;
    say_plan(&plan);
    fflush(stdout);
    return ctl_confirm("Delete them for good?") ? CTL_OK : ctl_fail("nothing was deleted");
}

static int say_fault(const struct ctl *ctl, const struct fault *fault)
{
    int64_t pid;
    char name[LOCK_HOLDER_BYTES];
    if (!ctl_watch_is_stopped(NULL) && sqlite_lock_holder(ctl->data_dir, &pid, name))
        return ctl_fail("%s. --dry-run may run beside it", fault->detail);
    return ctl_fault_of_work(fault,
                             "stopped; reports are right about the logs that are left. Run the same delete again "
                             "to finish it");
}

static int delete_logs(const struct ctl *ctl, const struct sqlite_delete_options *options)
{
    struct fault fault;
    struct sqlite_deleted deleted;
    struct watch watch = {.is_stopped = ctl_watch_is_stopped, .progress = ctl_watch_progress};
    int status = confirm(ctl, options);
    if (status)
        return status;
    ctl_watch_begin(false);
    enum err err = sqlite_delete(ctl->data_dir, options, ctl->now, &watch, &deleted, &fault);
    ctl_watch_end();
    if (err)
        return say_fault(ctl, &fault);
    if (ctl->option[CTL_JSON])
        return say_json(&deleted, false);
    say_deed(&deleted);
    return CTL_OK;
}

static int delete_elsewhere(const struct ctl *ctl, const struct store_place *place,
                            const struct sqlite_delete_options *options)
{
    struct report_filter filter = {.from = options->from,
                                   .to = options->to,
                                   .user_id = options->user_id,
                                   .order_id = options->order_id,
                                   .has_domain = options->domain != NULL};
    if (options->domain)
        filter.domain = slice_of(options->domain);
    if (options->worker)
        filter.terms[BY_WORKER] = (struct report_term){.is_set = true, .text = slice_of(options->worker)};
    return ctl_delete_clickhouse(ctl, place, &filter);
}

int ctl_delete(const struct ctl *ctl)
{
    char domain[LIMIT_DOMAIN_BYTES + 1];
    struct sqlite_delete_options options = {0};
    int status = parse(ctl, domain, &options);
    if (!status)
        status = ctl_become_owner(ctl->data_dir);
    if (status)
        return status;
    if (options.vacuum) /* SQLite's own copy lies where the database does: nobody else reads there */
        setenv("SQLITE_TMPDIR", ctl->data_dir, 1);
    sqlite_setup(true);
    struct settings settings;
    struct store_place place;
    status = ctl_find_place(ctl, &settings, &place);
    if (!status && ctl_is_clickhouse(&place))
        status = delete_elsewhere(ctl, &place, &options);
    else if (!status)
        status = ctl->option[CTL_DRY_RUN] ? dry_run(ctl, &options) : delete_logs(ctl, &options);
    settings_release(&settings);
    return status;
}
