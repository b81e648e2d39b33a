/* log.c: log lines. Knows logfmt and stderr. Knows no request and no store. */
#include "process/log.h"

#include "process/clock.h"
#include "time/when.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define LINE_BYTES 4096u /* a write to a pipe of up to PIPE_BUF (4096) bytes is never mixed with others (POSIX) */
#define VALUE_BYTES 512u

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static enum log_level threshold = LEVEL_INFO;

void log_set_level(enum log_level level)
{
    threshold = level;
}

bool log_level_parse(struct slice text, enum log_level *ret_level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
        if (slice_equals(text, level_names[i])) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

void log_begin(struct log_line *line, enum log_level level, const char *event)
{
    buf_init(&line->text, LINE_BYTES - 1);
    line->wanted = level >= threshold;
    if (!line->wanted)
        return;
    char time[WHEN_ISO_BYTES];
    when_format_iso_ms(clock_wall_ms(), time);
    buf_printf(&line->text, "%s %s %s", time, level_names[level], event);
}

static void put_name(struct log_line *line, const char *name)
{
    buf_putc(&line->text, ' ');
    buf_puts(&line->text, name);
    buf_putc(&line->text, '=');
}

/* A client that encodes the "?" of ?apikey= puts its key into the path. */
static bool may_hold_key(struct slice value)
{
    return value.len > 0 && memmem(value.data, value.len, "fnp_", 4) != NULL;
}

void log_slice(struct log_line *line, const char *name, struct slice value)
{
    if (!line->wanted)
        return;
    if (may_hold_key(value))
        value = slice_of("(not shown: it holds an API key)");
    if (value.len > VALUE_BYTES)
        value.len = VALUE_BYTES;
    put_name(line, name);
    text_put_log(&line->text, value);
}

void log_cstr(struct log_line *line, const char *name, const char *value)
{
    log_slice(line, name, slice_of(value));
}

void log_word(struct log_line *line, const char *name, const char *value)
{
    if (!line->wanted)
        return;
    put_name(line, name);
    buf_puts(&line->text, value);
}

void log_i64(struct log_line *line, const char *name, int64_t value)
{
    if (!line->wanted)
        return;
    put_name(line, name);
    buf_put_i64(&line->text, value);
}

void log_ms(struct log_line *line, const char *name, int64_t microseconds)
{
    if (!line->wanted)
        return;
    put_name(line, name);
    int64_t tenths = (microseconds + 50) / 100;
    buf_put_i64(&line->text, tenths / 10);
    buf_putc(&line->text, '.');
    buf_put_i64(&line->text, tenths % 10);
}

/* Writes whole fields only: a line that ran out of room ends with the last field that fitted. */
void log_end(struct log_line *line)
{
    ssize_t written;
    if (line->wanted && line->text.len > 0) {
        line->text.failed = false;
        line->text.max = LINE_BYTES;
        buf_putc(&line->text, '\n');
        do
            written = write(STDERR_FILENO, line->text.data, line->text.len);
        while (written < 0 && errno == EINTR);
    }
    buf_release(&line->text);
}

void log_fault(enum log_level level, const char *event, const struct fault *fault)
{
    struct log_line line;
    log_begin(&line, level, event);
    log_word(&line, "error", err_key(fault->err));
    log_cstr(&line, "detail", fault->detail);
    log_end(&line);
}
