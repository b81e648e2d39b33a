/* prune.c: analyticsctl prune. Knows how an age is written, what is asked before it and said of it. Leaves the work
 * to lib/store/sqlite/care/prune.c. */
#include "ctl/ctl.h"
#include "ctl/engine.h"

#include "db/files.h"
#include "ctl/json.h"
#include "base/text.h"
#include "time/when.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/care/care.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

/* "90d". Zero days would be what is not over yet. */
static int parse_age(const char *text, int64_t *ret_days)
{
    size_t len = strlen(text);
    if (len > 1 && text[len - 1] == 'd' &&
        text_to_i64((struct slice){text, len - 1}, 1, STORE_RETENTION_MAX_DAYS, ret_days))
        return CTL_OK;
    return ctl_must_be("--older-than", text, "an age in days, from 1d to %dd", STORE_RETENTION_MAX_DAYS);
}

/* ---- what is said ---- */

static int64_t sum_rows(const struct sqlite_pruned *pruned)
{
    int64_t rows = 0;
    for (int i = 0; i < PRUNED_TABLES; i++)
        rows += pruned->tables[i].rows;
    return rows;
}

static int64_t sum_bytes(const struct sqlite_pruned *pruned)
{
    int64_t bytes = 0;
    for (int i = 0; i < PRUNED_TABLES; i++)
        bytes += pruned->tables[i].bytes;
    return bytes;
}

static double mib(int64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static void put_tables(struct json_object *json, const struct sqlite_pruned *pruned, bool is_plan)
{
    struct json_object *tables = ctl_json_array(json, "tables");
    for (int i = 0; i < PRUNED_TABLES; i++) {
        struct json_object *table = ctl_json_item(tables);
        ctl_json_text(table, "table", pruned->tables[i].name);
        ctl_json_number(table, "rows", pruned->tables[i].rows);
        if (is_plan)
            ctl_json_number(table, "about_bytes", pruned->tables[i].bytes);
    }
}

static int say_json(const struct sqlite_pruned *pruned, bool is_plan)
{
    struct json_object *json = ctl_json_new();
    ctl_json_bool(json, "ok", true);
    ctl_json_bool(json, "dry_run", is_plan);
    if (pruned->before)
        ctl_json_time(json, "before", pruned->before);
    put_tables(json, pruned, is_plan);
    if (!is_plan) {
        ctl_json_number(json, "file_bytes_before", pruned->file_bytes_before);
        ctl_json_number(json, "file_bytes_after", pruned->file_bytes_after);
    }
    return ctl_say_json(json);
}

static void say_plan(const struct sqlite_pruned *pruned)
{
    char before[WHEN_TEXT_BYTES];
    when_format(pruned->before, before);
    ctl_say("Everything older than %s UTC would be deleted:", before);
    ctl_say("  %-16s %14s %14s", "table", "rows", "about MiB");
    for (int i = 0; i < PRUNED_TABLES; i++)
        ctl_say("  %-16s %14lld %14.1f", pruned->tables[i].name, (long long)pruned->tables[i].rows,
                mib(pruned->tables[i].bytes));
    ctl_say("  %-16s %14lld %14.1f", "all", (long long)sum_rows(pruned), mib(sum_bytes(pruned)));
}

static void say_words(const struct sqlite_pruned *pruned)
{
    char before[WHEN_TEXT_BYTES];
    when_format(pruned->before, before);
    ctl_say("Everything older than %s UTC is deleted: %lld rows, %lld of them logs.", before,
            (long long)sum_rows(pruned), (long long)pruned->tables[0].rows);
    ctl_say(FILE_LOGS " had %.1f MiB, and has %.1f MiB.", mib(pruned->file_bytes_before),
            mib(pruned->file_bytes_after));
}

/* ---- the command ---- */

static int dry_run(const struct ctl *ctl, int64_t days)
{
    struct fault fault;
    struct sqlite_pruned pruned;
    struct watch watch = {.progress = ctl_watch_progress};
    ctl_watch_begin(true); /* it only reads: nothing is left to tidy */
    enum err err = sqlite_prune_plan(ctl->data_dir, ctl->now, days, &watch, &pruned, &fault);
    ctl_watch_end();
    if (err)
        return ctl_fault(&fault);
    if (ctl->option[CTL_JSON])
        return say_json(&pruned, true);
    if (sum_rows(&pruned) == 0)
        ctl_say("Nothing is older than %lld days.", (long long)days);
    else
        say_plan(&pruned);
    return CTL_OK;
}

/* A person who types the command is asked once more, since a deletion cannot be undone. A script is not asked. */
static int confirm(const struct ctl *ctl, int64_t days)
{
    if (ctl->option[CTL_YES] || !isatty(STDIN_FILENO))
        return CTL_OK;
    fprintf(stderr,
            "All logs and all sums older than %lld days (of the newest log) will be deleted for good; --dry-run counts "
            "them.\n",
            (long long)days);
    return ctl_confirm("Go on?") ? CTL_OK : ctl_fail("nothing was deleted");
}

static int prune(const struct ctl *ctl, int64_t days)
{
    struct fault fault;
    struct sqlite_pruned pruned;
    struct watch watch = {.is_stopped = ctl_watch_is_stopped, .progress = ctl_watch_progress};
    int status = confirm(ctl, days);
    if (status)
        return status;
    ctl_watch_begin(false);
    enum err err = sqlite_prune(ctl->data_dir, ctl->now, days, &watch, &pruned, &fault);
    ctl_watch_end();
    if (err)
        return ctl_fault_of_work(
            &fault, "stopped; reports stay right. Run prune again, or start analytics-ingest, to finish it");
    if (ctl->option[CTL_JSON])
        return say_json(&pruned, false);
    if (sum_rows(&pruned) == 0)
        ctl_say("Nothing is older than %lld days.", (long long)days);
    else
        say_words(&pruned);
    return CTL_OK;
}

int ctl_prune(const struct ctl *ctl)
{
    int64_t days = 0;
    int status = parse_age(ctl->option[CTL_OLDER_THAN], &days);
    if (!status)
        status = ctl_become_owner(ctl->data_dir);
    if (status)
        return status;
    sqlite_setup(true);
    struct settings settings;
    struct store_place place;
    status = ctl_find_place(ctl, &settings, &place);
    if (!status && ctl_is_clickhouse(&place))
        status = ctl_prune_clickhouse(ctl, &place, days);
    else if (!status)
        status = ctl->option[CTL_DRY_RUN] ? dry_run(ctl, days) : prune(ctl, days);
    settings_release(&settings);
    return status;
}
