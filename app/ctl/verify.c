/* verify.c: analyticsctl verify. Knows how differences are told, to people and as JSON. Leaves the work to
 * lib/store/sqlite/care/verify.c. */
#include "ctl/ctl.h"
#include "ctl/engine.h"

#include "base/buf.h"
#include "ctl/json.h"
#include "ctl/text.h"
#include "time/when.h"
#include "store/sqlite/sqlite.h"
#include "store/sqlite/care/care.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define TIME_BYTES 24 /* of a time, or of any number */
#define MESSAGE_BYTES 4096u

struct told {
    struct json_object *json; /* NULL: in words */
    struct json_object *differences;
};

/* ---- one difference in words ---- */

/* A damaged row may hold any number: what can't be a time is shown as it is. */
static const char *time_text(int64_t seconds, char text[TIME_BYTES])
{
    if (seconds != 0 && !ctl_is_time(seconds))
        snprintf(text, TIME_BYTES, "%lld", (long long)seconds);
    else
        when_format(seconds, text);
    return text;
}

static const char *period_name(enum sqlite_period period)
{
    switch (period) {
    case PERIOD_NONE:
        return "";
    case PERIOD_QUARTER:
        return "quarter of an hour";
    case PERIOD_HOUR:
        return "hour";
    case PERIOD_DAY:
        return "day";
    case PERIOD_4_DAYS:
        return "4 days";
    case PERIOD_16_DAYS:
        return "16 days";
    }
    return "";
}

static void put_name(struct buf *text, const char *what, const char *name)
{
    if (!name)
        return;
    buf_puts(text, what);
    buf_puts(text, *name ? name : "\"\"");
}

static void put_place(struct buf *text, const struct sqlite_difference *difference)
{
    buf_puts(text, difference->table);
    char time[TIME_BYTES];
    if (difference->period != PERIOD_NONE) {
        buf_puts(text, ", ");
        buf_puts(text, period_name(difference->period));
        buf_puts(text, " from ");
        buf_puts(text, time_text(difference->bucket, time));
        buf_puts(text, " UTC, ");
        if (difference->user_id)
            buf_printf(text, "user %lld", (long long)difference->user_id);
        else
            buf_puts(text, "everyone");
    }
    if (difference->order_id)
        buf_printf(text, ", order %lld", (long long)difference->order_id);
    put_name(text, ", domain ", difference->domain);
    put_name(text, ", error ", difference->error);
}

/* The measures in the order of the table. */
struct measure {
    const char *name;
    int64_t there;
    int64_t due;
    bool is_time;
};
#define MEASURES 8

static size_t list_measures(const struct sqlite_difference *d, struct measure ret_measures[MEASURES])
{
    const struct measure all[MEASURES] = {
        {"count", d->there.count, d->due.count, false},
        {"bytes_sent", d->there.bytes_sent, d->due.bytes_sent, false},
        {"bytes_received", d->there.bytes_received, d->due.bytes_received, false},
        {"errors", d->there.errors, d->due.errors, false},
        {"max_concurrency", d->there.max_concurrency, d->due.max_concurrency, false},
        {"duration_ms", d->there.duration_ms, d->due.duration_ms, false},
        {"first", d->there.first, d->due.first, true},
        {"last", d->there.last, d->due.last, true},
    };
    memcpy(ret_measures, all, sizeof all);
    return d->has_times ? MEASURES : MEASURES - 2;
}

static const char *value_text(const struct measure *measure, int64_t value, char text[TIME_BYTES])
{
    if (measure->is_time)
        return time_text(value, text);
    snprintf(text, TIME_BYTES, "%lld", (long long)value);
    return text;
}

static int64_t value_of(const struct measure *measure, bool is_due)
{
    return is_due ? measure->due : measure->there;
}

/* All measures of what is missing, or too many. */
static void put_all(struct buf *text, const struct sqlite_difference *difference)
{
    char value[TIME_BYTES];
    struct measure measures[MEASURES];
    size_t count = list_measures(difference, measures);
    for (size_t i = 0; i < count; i++) {
        buf_puts(text, i ? ", " : " ");
        buf_puts(text, measures[i].name);
        buf_putc(text, ' ');
        buf_puts(text, value_text(&measures[i], value_of(&measures[i], difference->is_due), value));
    }
}

static void put_changed(struct buf *text, const struct sqlite_difference *difference)
{
    char value[TIME_BYTES];
    struct measure measures[MEASURES];
    size_t count = list_measures(difference, measures);
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        if (measures[i].there == measures[i].due)
            continue;
        buf_puts(text, any ? "; " : " ");
        buf_puts(text, measures[i].name);
        buf_puts(text, " is ");
        buf_puts(text, value_text(&measures[i], measures[i].there, value));
        buf_puts(text, ", should be ");
        buf_puts(text, value_text(&measures[i], measures[i].due, value));
        any = true;
    }
}

static void put_message(struct buf *text, const struct sqlite_difference *difference)
{
    put_place(text, difference);
    buf_putc(text, ':');
    if (difference->words) {
        buf_putc(text, ' ');
        buf_puts(text, difference->words);
    }
    if (difference->words && difference->is_there)
        buf_putc(text, ':');
    if (difference->is_there && difference->is_due) {
        put_changed(text, difference);
    } else if (difference->is_due) {
        buf_puts(text, " is missing; should be there with");
        put_all(text, difference);
    } else if (difference->is_there) {
        buf_puts(text, " should not be there; has");
        put_all(text, difference);
    }
}

/* ---- as JSON ---- */

static void put_totals(struct json_object *json, const char *name, const struct sqlite_difference *difference,
                       bool is_due)
{
    struct measure measures[MEASURES];
    size_t count = list_measures(difference, measures);
    if (!(is_due ? difference->is_due : difference->is_there))
        return;
    struct json_object *totals = ctl_json_object(json, name);
    char value[TIME_BYTES];
    for (size_t i = 0; i < count; i++)
        ctl_json_text(totals, measures[i].name, value_text(&measures[i], value_of(&measures[i], is_due), value));
}

static void put_text(struct json_object *json, const char *name, const char *text)
{
    if (text)
        ctl_json_text(json, name, text);
}

/* Members that don't apply are left out. */
static void put_json(struct json_object *json, const struct sqlite_difference *difference, const char *message)
{
    put_text(json, "table", difference->table);
    put_text(json, "message", message);
    char time[TIME_BYTES];
    if (difference->period != PERIOD_NONE) {
        put_text(json, "period", period_name(difference->period));
        put_text(json, "bucket", time_text(difference->bucket, time));
        ctl_json_number(json, "user_id", difference->user_id);
        ctl_json_number(json, "order_id", difference->order_id);
    }
    put_text(json, "domain", difference->domain);
    put_text(json, "error", difference->error);
    put_totals(json, "there", difference, false);
    put_totals(json, "due", difference, true);
}

/* ---- the result ---- */

static void tell(void *ctx, const struct sqlite_difference *difference)
{
    struct told *told = ctx;
    struct buf text;
    buf_init(&text, MESSAGE_BYTES);
    put_message(&text, difference);
    const char *message = buf_cstr(&text);
    if (told->json) {
        put_json(ctl_json_item(told->differences), difference, message ? message : "out of memory");
    } else {
        ctl_watch_end();
        ctl_say("%s", message ? message : "out of memory");
    }
    buf_release(&text);
}

static int say_json(struct told *told, const struct sqlite_verified *verified)
{
    ctl_json_bool(told->json, "ok", verified->differences == 0);
    ctl_json_number(told->json, "logs", verified->logs);
    ctl_json_number(told->json, "differences", verified->differences);
    ctl_json_bool(told->json, "facts_differ", verified->facts_differ);
    if (verified->pruned_until)
        ctl_json_time(told->json, "pruned_until", verified->pruned_until);
    return ctl_say_json(told->json);
}

static void say_words(const struct sqlite_verified *verified)
{
    long long differences = (long long)verified->differences;
    if (differences == 0)
        ctl_say("All is well: the rollups hold what the %lld logs say.", (long long)verified->logs);
    else if (differences <= VERIFY_DIFFERENCES_TOLD)
        ctl_say("%lld %s.", differences, differences == 1 ? "difference" : "differences");
    else
        ctl_say("%lld differences, of which the first %d are told.", differences, VERIFY_DIFFERENCES_TOLD);
    char until[WHEN_TEXT_BYTES];
    when_format(verified->pruned_until, until);
    if (verified->pruned_until)
        ctl_say(
            "Logs of before %s UTC are pruned: what is left of those days was compared with finer rollups, if at all.",
            until);
    if (verified->facts_differ)
        ctl_say("The file or the logs themselves are damaged, which no rebuild mends: restore a backup.");
    else if (differences)
        ctl_say("To make the rollups again from the logs: stop analytics-ingest, and run analyticsctl rebuild.");
}

static int say_result(struct told *told, const struct sqlite_verified *verified)
{
    if (told->json && say_json(told, verified))
        return CTL_UNDONE;
    if (!told->json)
        say_words(verified);
    return verified->differences ? CTL_DIFFERENT : CTL_OK;
}

static int verify(const struct ctl *ctl, struct told *told)
{
    struct sqlite_verify_options options = {
        .skip_file = ctl->option[CTL_SKIP_FILE_CHECK] != NULL, .ctx = told, .difference = tell};
    struct watch watch = {.progress = ctl_watch_progress};
    struct fault fault;
    struct sqlite_verified verified;
    enum err err = sqlite_verify(ctl->data_dir, &options, &watch, &verified, &fault);
    ctl_watch_end();
    if (!err)
        return say_result(told, &verified);
    ctl_json_drop(told->json);
    ctl_fault(&fault);
    return CTL_UNDONE;
}

static int verify_database(const struct ctl *ctl)
{
    struct told told = {0};
    if (ctl->option[CTL_JSON]) {
        told.json = ctl_json_new();
        told.differences = ctl_json_array(told.json, "first_differences");
    }
    return verify(ctl, &told);
}

int ctl_verify(const struct ctl *ctl)
{
    if (ctl_become_owner(ctl->data_dir))
        return CTL_UNDONE;
    sqlite_setup(true);
    ctl_watch_begin(true); /* it only reads: nothing is left to tidy */
    struct settings settings;
    struct store_place place;
    int status = ctl_find_place(ctl, &settings, &place) ? CTL_UNDONE : CTL_OK;
    if (!status && ctl_is_clickhouse(&place))
        status = ctl_verify_clickhouse(ctl, &place);
    else if (!status)
        status = verify_database(ctl);
    settings_release(&settings);
    return status;
}
