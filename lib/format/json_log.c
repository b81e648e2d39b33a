/* json_log.c: the text of one log into a record. Nobody reads what stands in arrays and objects inside a log, so they
 * lose their content on the way ("x":[1,2] is gathered as "x":[]). */
#include "format/json_log.h"

#include "format/json_walk.h"

#include "base/banned.h"

void json_log_init(struct json_log *log, struct batch *batch,
                   void (*refuse)(void *ctx, const char *field, const char *message), void *ctx)
{
    *log = (struct json_log){.reader = {.batch = batch, .refuse = refuse, .ctx = ctx}};
    buf_init(&log->text, 2 * LIMIT_LOG_TEXT_BYTES); /* a piece of the body may end beyond the limit */
    buf_init(&log->unescaped, LIMIT_LOG_TEXT_BYTES);
}

void json_log_release(struct json_log *log)
{
    buf_release(&log->text);
    buf_release(&log->unescaped);
}

void json_log_begin(struct json_log *log, const struct json_scan *scan)
{
    buf_clear(&log->text);
    log->start = scan->offset;
    log->open = log->gathering = scan->kind == '{';
}

/* Up to the length at which it is refused anyway. */
static void gather(struct json_log *log, const struct json_scan *scan, const char *data, size_t len)
{
    if (scan->offset - log->start <= LIMIT_LOG_TEXT_BYTES)
        buf_put(&log->text, data, len);
}

void json_log_follow(struct json_log *log, const struct json_scan *scan, enum json_event event, const char *data,
                     size_t len)
{
    if (log->gathering)
        gather(log, scan, data, len);
    if (event == JSON_NEST)
        log->gathering = false;
    if (event != JSON_UNNEST || !log->open)
        return;
    log->gathering = true;
    gather(log, scan, data + len - 1, 1);
}

/* The text that is meant; borrowed until the next call. */
static enum err meant(struct json_log *log, const struct json_text *text, struct slice *ret_text)
{
    *ret_text = text->raw;
    if (!text->escaped)
        return OK;
    buf_clear(&log->unescaped);
    char *room = buf_reserve(&log->unescaped, text->raw.len);
    if (!room)
        return ERR_UNAVAILABLE;
    *ret_text = (struct slice){room, json_unescape(text->raw, room)};
    return OK;
}

static enum log_value value_of(const struct json_member *member)
{
    if (member->kind == JSON_KIND_STRING)
        return member->value.escaped ? LOG_ESCAPED : LOG_STRING;
    return member->kind == JSON_KIND_NUMBER ? LOG_NUMBER : LOG_OTHER;
}

static enum err read_member(struct json_log *log, const struct json_member *member)
{
    struct slice text;
    if (meant(log, &member->name, &text))
        return ERR_UNAVAILABLE;
    size_t field = log_reader_find(&log->reader, text);
    if (field == LOG_FIELDS) {
        log_reader_unknown(&log->reader, text);
        return OK;
    }
    if (meant(log, &member->value, &text))
        return ERR_UNAVAILABLE;
    return log_reader_put(&log->reader, field, value_of(member), text);
}

static enum err read_log(struct json_log *log)
{
    if (log->text.failed)
        return ERR_UNAVAILABLE;
    log_reader_begin(&log->reader);
    struct json_walk walk;
    json_walk_begin(&walk, (struct slice){log->text.data, log->text.len});
    struct json_member member;
    while (json_walk_next(&walk, &member))
        if (read_member(log, &member))
            return ERR_UNAVAILABLE;
    return log_reader_end(&log->reader);
}

enum err json_log_end(struct json_log *log, const struct json_scan *scan)
{
    enum err err = OK;
    if (!log->open)
        log_refuse(&log->reader, "", "must be an object");
    else if (scan->offset - log->start > LIMIT_LOG_TEXT_BYTES)
        log_refuse(&log->reader, "", "must be at most %u bytes of JSON", LIMIT_LOG_TEXT_BYTES);
    else
        err = read_log(log);
    log->open = log->gathering = false;
    return err;
}
