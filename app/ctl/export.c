/* export.c: analyticsctl export. Knows the command line and standard output. Leaves the logs to
 * lib/store/sqlite/read/export.c and their text to lib/format/log_out.c. */
#include "ctl/ctl.h"
#include "ctl/engine.h"

#include "time/when.h"
#include "format/log_out.h"
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

/* The size of one write; a page of the store ends there too, so memory stays bounded. */
#define OUTPUT_BYTES (1u << 20)
#define LOG_BYTES 8192u /* more than any log takes */

struct output {
    struct buf text;
    void (*put)(struct buf *buf, const struct log_text *log);
    bool is_json;
};

static bool take_log(void *ctx, const struct log_text *log)
{
    struct output *output = ctx;
    output->put(&output->text, log);
    if (output->is_json)
        buf_putc(&output->text, '\n');
    return output->text.len < OUTPUT_BYTES;
}

static int write_out(struct output *output)
{
    if (output->text.failed)
        return ctl_fail("out of memory");
    size_t at = 0;
    while (at < output->text.len) {
        ssize_t written = write(STDOUT_FILENO, output->text.data + at, output->text.len - at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return ctl_fail("can't write to standard output: %s", strerror(errno));
        at += (size_t)written;
    }
    buf_clear(&output->text);
    return CTL_OK;
}

static void tell_progress(const struct store_export_filter *filter, int64_t at)
{
    struct progress progress = {.step = "exporting",
                                .unit = "hours",
                                .done = (at - filter->from) / WHEN_HOUR,
                                .total = (filter->to - filter->from) / WHEN_HOUR};
    if (!isatty(STDOUT_FILENO))
        ctl_watch_progress(NULL, &progress);
}

static int write_logs(struct store_export *export, const struct store_export_filter *filter, struct output *output)
{
    int64_t at = filter->from;
    struct fault fault;
    int status = write_out(output); /* the header, also when no log follows */
    while (!status && at < filter->to) {
        if (store_export_next(export, take_log, output, &at, &fault)) {
            ctl_watch_end();
            status = ctl_fault(&fault);
        } else {
            status = write_out(output);
        }
        tell_progress(filter, at);
    }
    ctl_watch_end();
    return status;
}

/* ---- the command line ---- */

static int parse(const struct ctl *ctl, struct store_export_filter *ret_filter, struct output *output)
{
    const char *format = ctl->option[CTL_FORMAT];
    output->is_json = strcmp(format, "ndjson") == 0;
    output->put = output->is_json ? log_put_json : log_put_csv;
    if (!output->is_json && strcmp(format, "csv") != 0)
        return ctl_must_be("--format", format, "csv or ndjson");
    int status = ctl_parse_time(ctl->option[CTL_FROM], "--from", false, &ret_filter->from);
    if (!status)
        status = ctl_parse_time(ctl->option[CTL_TO], "--to", true, &ret_filter->to);
    if (!status && ret_filter->from > ret_filter->to)
        status = ctl_misuse("--from (%s) must not be after --to (%s)", ctl->option[CTL_FROM], ctl->option[CTL_TO]);
    if (!status)
        status = ctl_parse_id(ctl->option[CTL_USER_ID], "--user-id", &ret_filter->user_id);
    return status ? status : ctl_parse_id(ctl->option[CTL_ORDER_ID], "--order-id", &ret_filter->order_id);
}

static int export_from(struct store_place place, const struct store_export_filter *filter, struct output *output)
{
    struct fault fault;
    struct store_export *export = NULL;
    if (store_export_open(place, filter, &export, &fault))
        return ctl_fault(&fault);
    if (!output->is_json)
        log_put_csv_header(&output->text);
    int status = write_logs(export, filter, output);
    store_export_close(export);
    return status;
}

static int export_logs(const struct ctl *ctl, const struct store_export_filter *filter, struct output *output)
{
    int status = ctl_become_owner(ctl->data_dir);
    if (status)
        return status;
    sqlite_setup(true);
    struct settings settings;
    struct store_place place;
    status = ctl_find_place(ctl, &settings, &place);
    if (!status)
        status = export_from(place, filter, output);
    settings_release(&settings);
    return status;
}

int ctl_export(const struct ctl *ctl)
{
    struct output output = {0};
    struct store_export_filter filter = {0};
    int status = parse(ctl, &filter, &output);
    if (status)
        return status;
    signal(SIGPIPE, SIG_DFL); /* `| head` ends it without a word, whoever started it */
    ctl_watch_begin(true);    /* it only reads: nothing is left to tidy */
    buf_init(&output.text, OUTPUT_BYTES + LOG_BYTES);
    status = export_logs(ctl, &filter, &output);
    buf_release(&output.text);
    return status;
}
