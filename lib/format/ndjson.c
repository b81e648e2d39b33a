/* ndjson.c: lines of JSON into a batch. Knows where a line ends, and what a line that is no log means for the rest:
 * nothing. Leaves the log to json_log.c. */
#include "format/ndjson.h"

#include "format/json_log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define DEPTH_LOG 0 /* a line is a log */

struct ndjson {
    const struct log_sink *sink;
    struct json_scan scan; /* of the line */
    struct json_log log;
    bool begun;         /* something but blanks was on the line */
    bool refused;       /* the line is bad; `bad` says why */
    struct log_bad bad; /* its line is the one being read */
};

/* The first fault is reported. */
static void note_refusal(void *ctx, const char *field, const char *message)
{
    struct ndjson *reader = ctx;
    if (reader->refused)
        return;
    reader->refused = true;
    snprintf(reader->bad.field, sizeof reader->bad.field, "%s", field);
    snprintf(reader->bad.message, sizeof reader->bad.message, "%s", message);
}

static void begin_line(struct ndjson *reader)
{
    json_scan_init(&reader->scan, DEPTH_LOG);
    reader->bad.line++;
    reader->begun = reader->refused = reader->log.reader.refused = false;
}

struct ndjson *ndjson_open(struct batch *batch, struct log_unknown *unknown, const struct log_sink *sink)
{
    struct ndjson *reader = calloc(1, sizeof *reader);
    if (!reader)
        return NULL;
    reader->sink = sink;
    json_log_init(&reader->log, batch, note_refusal, reader);
    reader->log.reader.unknown = unknown;
    begin_line(reader);
    return reader;
}

void ndjson_close(struct ndjson *reader)
{
    if (!reader)
        return;
    json_log_release(&reader->log);
    free(reader);
}

/* Columns count bytes, from 1. */
static void refuse_text(struct ndjson *reader, const char *what)
{
    log_refuse(&reader->log.reader, "", "column %zu: %sexpected %s", reader->scan.offset + 1, what,
               reader->scan.expected);
}

/* The rest of a line that is refused already is not read. */
static void read_piece(struct ndjson *reader, const char *data, size_t len)
{
    while (len > 0 && !reader->refused) {
        size_t used;
        enum json_event event = json_scan_feed(&reader->scan, data, len, &used);
        json_log_follow(&reader->log, &reader->scan, event, data, used);
        if (event == JSON_BEGIN) {
            reader->begun = true;
            json_log_begin(&reader->log, &reader->scan);
        }
        if (event == JSON_END)
            reader->log.gathering = false; /* blanks may follow */
        if (event == JSON_ERROR)
            refuse_text(reader, "");
        data += used;
        len -= used;
    }
}

/* The log is read only here: something else may have stood after it. */
static enum err end_line(struct ndjson *reader, struct fault *fault)
{
    enum err err = OK;
    if (reader->begun && !reader->refused && !json_scan_finish(&reader->scan))
        refuse_text(reader, "the line ends here, ");
    else if (reader->begun && !reader->refused)
        err = json_log_end(&reader->log, &reader->scan);
    if (err)
        return fault_set(fault, ERR_UNAVAILABLE, "line %lld: out of memory", (long long)reader->bad.line);
    if (reader->refused)
        err = reader->sink->bad(reader->sink->ctx, &reader->bad, fault);
    else if (reader->begun)
        err = reader->sink->take(reader->sink->ctx, reader->bad.line, fault);
    begin_line(reader);
    return err;
}

enum err ndjson_feed(struct ndjson *reader, const char *data, size_t len, struct fault *fault)
{
    enum err err = OK;
    while (len > 0 && !err) {
        const char *newline = memchr(data, '\n', len);
        size_t piece = newline ? (size_t)(newline - data) : len;
        read_piece(reader, data, piece);
        if (newline)
            err = end_line(reader, fault);
        piece += newline != NULL;
        data += piece;
        len -= piece;
    }
    return err;
}

enum err ndjson_finish(struct ndjson *reader, struct fault *fault)
{
    return end_line(reader, fault);
}
