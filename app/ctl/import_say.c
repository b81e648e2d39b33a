/* import_say.c: what an import says at its end. Knows nothing of how it went but its counts. */
#include "ctl/import_say.h"

#include "ctl/json.h"

#include <inttypes.h>

#include "base/banned.h"

static void say_file(const struct import_input *input)
{
    const struct imported *result = &input->result;
    const char *name = input_name(input);
    if (!input->opened)
        return;
    ctl_say("%s: %" PRId64 " logs stored, %" PRId64 " were there already.", name, result->stored, result->already);
    if (result->skipped > 0)
        ctl_say("%s: %" PRId64 " bad %s skipped, the first in line %" PRId64 ": %s%s%s", name, result->skipped,
                result->skipped == 1 ? "record" : "records", result->first_bad.line, result->first_bad.field,
                *result->first_bad.field ? ": " : "", result->first_bad.message);
}

/* Once for all files. */
static void say_unknown(const struct log_unknown *unknown)
{
    for (size_t i = 0; i < unknown->count; i++)
        ctl_say("Ignored: '%s', which no log has, in %" PRId64 " %s.", unknown->names[i].name, unknown->names[i].count,
                unknown->names[i].count == 1 ? "record" : "records");
    if (unknown->others > 0)
        ctl_say("Ignored: other names that no log has, %" PRId64 " times.", unknown->others);
}

static void put_unknown(struct json_object *json, const struct log_unknown *unknown)
{
    struct json_object *list = ctl_json_array(json, "ignored");
    for (size_t i = 0; i < unknown->count; i++) {
        struct json_object *item = ctl_json_item(list);
        ctl_json_text(item, "name", unknown->names[i].name);
        ctl_json_number(item, "records", unknown->names[i].count);
    }
    ctl_json_number(json, "ignored_others", unknown->others);
}

static void say_error(const struct import_input *input)
{
    if (*input->result.error)
        ctl_fail("%s: %s", input_name(input), input->result.error);
}

static void put_bad(struct json_object *json, const struct log_bad *bad)
{
    struct json_object *first = ctl_json_object(json, "first_bad");
    ctl_json_number(first, "line", bad->line);
    ctl_json_text(first, "field", bad->field);
    ctl_json_text(first, "message", bad->message);
}

static void put_counts(struct json_object *json, const struct imported *counts)
{
    ctl_json_number(json, "stored", counts->stored);
    ctl_json_number(json, "already", counts->already);
    ctl_json_number(json, "skipped", counts->skipped);
}

static void put_file(struct json_object *json, const struct import_input *input)
{
    ctl_json_text(json, "file", input->name);
    put_counts(json, &input->result);
    if (input->result.first_bad.line > 0)
        put_bad(json, &input->result.first_bad);
    if (*input->result.error)
        ctl_json_text(json, "error", input->result.error);
}

static struct imported add_up(const struct import_input *inputs, size_t count)
{
    struct imported sums = {0};
    for (size_t i = 0; i < count; i++) {
        sums.stored += inputs[i].result.stored;
        sums.already += inputs[i].result.already;
        sums.skipped += inputs[i].result.skipped;
    }
    return sums;
}

static int say_json(const struct import_input *inputs, size_t count, const struct log_unknown *unknown, bool ok)
{
    struct imported sums = add_up(inputs, count);
    struct json_object *json = ctl_json_new();
    ctl_json_bool(json, "ok", ok);
    put_counts(json, &sums);
    struct json_object *files = ctl_json_array(json, "files");
    for (size_t i = 0; i < count; i++)
        if (inputs[i].opened)
            put_file(ctl_json_item(files), &inputs[i]);
    if (unknown->is_ignored)
        put_unknown(json, unknown);
    return ctl_say_json(json);
}

int input_say(const struct import_input *inputs, size_t count, const struct log_unknown *unknown, bool as_json,
              int status)
{
    if (as_json)
        say_json(inputs, count, unknown, status == CTL_OK);
    for (size_t i = 0; i < count && !as_json; i++)
        say_file(&inputs[i]);
    if (!as_json)
        say_unknown(unknown);
    for (size_t i = 0; i < count; i++)
        say_error(&inputs[i]);
    if (ctl_watch_is_stopped(NULL)) {
        ctl_fail("stopped; what is said to be stored is. Run the same again to go on");
        return ctl_watch_status();
    }
    return status;
}
