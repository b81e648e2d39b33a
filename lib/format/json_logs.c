/* json_logs.c: {"logs": [{…}, …]} into a batch. Knows that shape, and what a body may hold in all. Knows no SQL, no
 * HTTP, and no more of the body than one log's text at a time.
 *
 * json_scan walks the envelope and checks every byte; json_log gathers the text of a log on the way, and finds its
 * members in what is then known to be sound JSON. */
#include "format/json_logs.h"

#include "format/json_log.h"
#include "format/json_scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* The depths of the envelope: the body's object is at 0, its members' values are at 1, the logs at 2. */
#define DEPTH_BODY 0
#define DEPTH_MEMBER 1
#define DEPTH_LOG 2

struct json_logs {
    struct json_scan scan;
    struct json_log log;
    const struct log_sink *sink; /* of a file of bodies; NULL: one body, all of it for the batch */
    size_t body_bytes;           /* read so far */
    char first[4];               /* bytes of a body */
    size_t first_count;
    size_t mark_bytes;  /* of a byte order mark that was passed over */
    bool begun;         /* these bytes were read */
    size_t body_end;    /* offset of the body's last brace */
    bool in_body;       /* a body has begun and not ended */
    bool in_logs;       /* the member being read is `logs` */
    bool has_logs;      /* it was seen */
    uint32_t log_index; /* of the log being read; their number once the array has ended */
    int64_t line;       /* of a file: the one that is read; and that where the log began */
    int64_t log_line;
    struct fault fault; /* why the body was refused; OK in it so far */
    uint64_t fault_count;
    struct log_fault faults[LIMIT_LOG_ERRORS];
};

/* Notes what is wrong with the current log. */
static void note_refusal(void *ctx, const char *field, const char *message)
{
    struct json_logs *reader = ctx;
    uint64_t place = reader->fault_count++;
    if (place == 0 && !reader->sink) /* nobody will read the batch: let its memory go */
        batch_release(reader->log.reader.batch);
    if (place >= LIMIT_LOG_ERRORS)
        return;
    struct log_fault *fault = &reader->faults[place];
    fault->index = reader->log_index;
    snprintf(fault->field, sizeof fault->field, "%s", field);
    snprintf(fault->message, sizeof fault->message, "%s", message);
}

struct json_logs *json_logs_open(struct batch *batch)
{
    return json_logs_open_file(batch, NULL, NULL);
}

struct json_logs *json_logs_open_file(struct batch *batch, struct log_unknown *unknown, const struct log_sink *sink)
{
    struct json_logs *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->sink = sink;
    reader->line = 1;
    json_scan_init(&reader->scan, DEPTH_MEMBER);
    json_log_init(&reader->log, batch, note_refusal, reader);
    reader->log.reader.unknown = unknown;
    return reader;
}

void json_logs_close(struct json_logs *reader)
{
    if (!reader)
        return;
    json_log_release(&reader->log);
    free(reader);
}

static enum err out_of_memory(struct json_logs *reader)
{
    return fault_set(&reader->fault, ERR_UNAVAILABLE, "no memory to read the body");
}

/* What a body that is wrong at `offset` seems to be, in words to append; "" when nothing is recognised. */
static const char *what_it_seems(const struct json_logs *reader, size_t offset)
{
    if (offset > 1 && reader->body_end > 0 && !reader->has_logs)
        return "; the body is NDJSON: send {\"logs\": [...]}";
    if (offset > 1 || reader->first_count < 2)
        return "";
    const char *first = reader->first;
    if (memcmp(first, "\x1f\x8b", 2) == 0)
        return "; the body is gzip: send Content-Encoding: gzip";
    if (memcmp(first, "\xff\xfe", 2) == 0 || memcmp(first, "\xfe\xff", 2) == 0 || !first[0] != !first[1])
        return "; the body is UTF-16: send UTF-8";
    return first[0] == '[' ? "; the body is an array: send {\"logs\": [...]}" : "";
}

/* In a file, the number of the line helps more than that of a byte in one of its bodies. */
static enum err expected_at(struct json_logs *reader, size_t offset, const char *expected)
{
    if (reader->sink)
        return fault_set(&reader->fault, ERR_BODY_INVALID, "line %" PRId64 ": expected %s", reader->line, expected);
    return fault_set(&reader->fault, ERR_BODY_INVALID, "byte %zu: expected %s%s", offset + reader->mark_bytes, expected,
                     what_it_seems(reader, offset));
}

/* The envelope, event by event. */

static enum err begin_log(struct json_logs *reader)
{
    if (!reader->sink && reader->log_index == LIMIT_LOGS)
        return fault_set(&reader->fault, ERR_BODY_TOO_LARGE, "more than %u logs", LIMIT_LOGS);
    reader->log_line = reader->line;
    json_log_begin(&reader->log, &reader->scan);
    return OK;
}

/* Gives each log of a file to the sink at once, good or bad. */
static enum err hand_on(struct json_logs *reader)
{
    if (reader->fault_count == 0)
        return reader->sink->take(reader->sink->ctx, reader->log_line, &reader->fault);
    struct log_bad bad = {.line = reader->log_line};
    memcpy(bad.field, reader->faults[0].field, sizeof bad.field);
    memcpy(bad.message, reader->faults[0].message, sizeof bad.message);
    reader->fault_count = 0;
    reader->log.reader.refused = false;
    return reader->sink->bad(reader->sink->ctx, &bad, &reader->fault);
}

static enum err end_log(struct json_logs *reader)
{
    if (json_log_end(&reader->log, &reader->scan))
        return out_of_memory(reader);
    if (reader->sink)
        return hand_on(reader);
    reader->log_index++;
    return OK;
}

static enum err end_name(struct json_logs *reader)
{
    const struct json_scan *scan = &reader->scan;
    reader->in_logs = scan->name_len == 4 && memcmp(scan->name, "logs", 4) == 0;
    if (reader->in_logs && reader->has_logs)
        return expected_at(reader, scan->offset, "only one member \"logs\"");
    reader->has_logs |= reader->in_logs;
    return OK;
}

static enum err begin_value(struct json_logs *reader)
{
    struct json_scan *scan = &reader->scan;
    if (scan->depth == DEPTH_LOG)
        return begin_log(reader);
    reader->in_body = true;
    if (scan->depth == DEPTH_BODY && scan->kind != '{')
        return expected_at(reader, scan->offset, "an object with a member \"logs\"");
    if (scan->depth == DEPTH_MEMBER && reader->in_logs && scan->kind != '[')
        return expected_at(reader, scan->offset, "an array, the value of \"logs\"");
    if (scan->depth == DEPTH_MEMBER)
        scan->watch = reader->in_logs ? DEPTH_LOG : DEPTH_MEMBER;
    return OK;
}

/* Of a file, another body may follow. */
static enum err end_body(struct json_logs *reader)
{
    reader->body_end = reader->scan.offset - 1;
    reader->in_body = false;
    if (!reader->sink)
        return OK;
    if (!reader->has_logs)
        return expected_at(reader, reader->body_end, "a member \"logs\"");
    reader->has_logs = false;
    json_scan_init(&reader->scan, DEPTH_MEMBER);
    return OK;
}

static enum err end_value(struct json_logs *reader)
{
    if (reader->scan.depth == DEPTH_LOG)
        return end_log(reader);
    reader->scan.watch = DEPTH_MEMBER;
    reader->in_logs = false;
    return reader->scan.depth == DEPTH_BODY ? end_body(reader) : OK;
}

static enum err handle(struct json_logs *reader, enum json_event event)
{
    switch (event) {
    case JSON_MORE:
    case JSON_NEST:
    case JSON_UNNEST:
        return OK;
    case JSON_NAME:
        return end_name(reader);
    case JSON_BEGIN:
        return begin_value(reader);
    case JSON_END:
        return end_value(reader);
    case JSON_ERROR:
        return expected_at(reader, reader->scan.offset, reader->scan.expected);
    }
    return OK;
}

static int64_t count_lines(const char *data, size_t len)
{
    int64_t lines = 0;
    for (const char *end = data + len; len > 0 && (data = memchr(data, '\n', len)); len = (size_t)(end - ++data))
        lines++;
    return lines;
}

static enum err feed(struct json_logs *reader, const char *data, size_t len)
{
    enum err err = OK;
    while (len > 0 && !err) {
        size_t used;
        enum json_event event = json_scan_feed(&reader->scan, data, len, &used);
        json_log_follow(&reader->log, &reader->scan, event, data, used);
        if (reader->sink)
            reader->line += count_lines(data, used);
        data += used;
        len -= used;
        err = handle(reader, event);
    }
    return err;
}

/* A byte order mark is passed over, as in a file (log_stream.c). */
static enum err begin_body(struct json_logs *reader)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t mark_bytes = sizeof mark - 1;
    bool is_marked = reader->first_count >= mark_bytes && memcmp(reader->first, mark, mark_bytes) == 0;
    reader->mark_bytes = is_marked ? mark_bytes : 0;
    reader->begun = true;
    return feed(reader, reader->first + reader->mark_bytes, reader->first_count - reader->mark_bytes);
}

/* The first bytes of a body are collected: together they show what it is if it is no JSON. */
static enum err feed_body(struct json_logs *reader, const char *data, size_t len)
{
    for (; len > 0 && reader->first_count < sizeof reader->first; len--)
        reader->first[reader->first_count++] = *data++;
    enum err err = OK;
    if (!reader->begun && reader->first_count == sizeof reader->first)
        err = begin_body(reader);
    return err ? err : feed(reader, data, len);
}

enum err json_logs_feed(struct json_logs *reader, const char *data, size_t len, struct fault *fault)
{
    size_t room = reader->sink ? len : LIMIT_BODY_BYTES - reader->body_bytes;
    size_t piece = len < room ? len : room;
    enum err err = reader->fault.err;
    if (!err)
        err = reader->sink ? feed(reader, data, piece) : feed_body(reader, data, piece);
    reader->body_bytes += piece;
    if (!err && len > room)
        err = fault_set(&reader->fault, ERR_BODY_TOO_LARGE, "the body is larger than %u bytes", LIMIT_BODY_BYTES);
    if (err)
        *fault = reader->fault;
    return err;
}

static enum err finish_body(struct json_logs *reader)
{
    struct json_scan *scan = &reader->scan;
    enum err err = reader->begun ? OK : begin_body(reader);
    if (err)
        return err;
    if (!json_scan_finish(scan))
        return fault_set(&reader->fault, ERR_BODY_INVALID, "byte %zu: the body ends here, expected %s",
                         scan->offset + reader->mark_bytes, scan->expected);
    if (!reader->has_logs)
        return expected_at(reader, reader->body_end, "a member \"logs\"");
    if (reader->fault_count == 0)
        return OK;
    return fault_set(&reader->fault, ERR_LOGS_INVALID, "%" PRIu64 " %s of the logs %s not valid", reader->fault_count,
                     reader->fault_count == 1 ? "field" : "fields", reader->fault_count == 1 ? "is" : "are");
}

static enum err finish_file(struct json_logs *reader)
{
    if (!reader->in_body)
        return OK;
    json_scan_finish(&reader->scan);
    return fault_set(&reader->fault, ERR_BODY_INVALID, "line %" PRId64 ": the file ends here, expected %s",
                     reader->line, reader->scan.expected);
}

enum err json_logs_finish(struct json_logs *reader, struct fault *fault)
{
    enum err err = reader->fault.err;
    if (!err)
        err = reader->sink ? finish_file(reader) : finish_body(reader);
    if (err)
        *fault = reader->fault;
    return err;
}

const struct log_fault *json_logs_faults(const struct json_logs *reader, uint32_t *ret_shown, uint64_t *ret_total)
{
    *ret_shown = reader->fault_count < LIMIT_LOG_ERRORS ? (uint32_t)reader->fault_count : LIMIT_LOG_ERRORS;
    *ret_total = reader->fault_count;
    return reader->faults;
}
