/* log_stream.c: which reader a file's format wants. Knows the formats by name, and the byte order mark that may stand
 * before any. */
#include "format/log_stream.h"

#include "format/csv_logs.h"
#include "format/json_logs.h"
#include "format/ndjson.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static const struct {
    const char *text;
    enum log_format format;
} names[] = {{"json", LOG_FORMAT_JSON}, {"ndjson", LOG_FORMAT_NDJSON}, {"csv", LOG_FORMAT_CSV}};

static const struct {
    const char *text;
    enum log_format format;
} endings[] = {{".json", LOG_FORMAT_JSON},
               {".ndjson", LOG_FORMAT_NDJSON},
               {".jsonl", LOG_FORMAT_NDJSON},
               {".csv", LOG_FORMAT_CSV}};

static const char byte_order_mark[3] = "\xef\xbb\xbf";

struct log_stream {
    enum log_format format;
    size_t mark_bytes; /* of a byte order mark at the beginning, seen so far */
    bool begun;        /* what comes is no part of one */
    struct json_logs *json;
    struct ndjson *ndjson;
    struct csv_logs *csv;
};

enum log_format log_format_parse(const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i].text) == 0)
            return names[i].format;
    return LOG_FORMAT_NONE;
}

static bool ends_with(struct slice name, const char *ending)
{
    size_t len = strlen(ending);
    return name.len > len && slice_equals_nocase((struct slice){name.data + name.len - len, len}, ending);
}

enum log_format log_format_of_file(const char *name)
{
    struct slice text = slice_of(name);
    if (ends_with(text, ".gz"))
        text.len -= 3;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (ends_with(text, endings[i].text))
            return endings[i].format;
    return LOG_FORMAT_NONE;
}

struct log_stream *log_stream_open(enum log_format format, struct log_unknown *unknown, struct batch *batch,
                                   const struct log_sink *sink)
{
    struct log_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return NULL;
    stream->format = format;
    if (format == LOG_FORMAT_JSON)
        stream->json = json_logs_open_file(batch, unknown, sink);
    else if (format == LOG_FORMAT_NDJSON)
        stream->ndjson = ndjson_open(batch, unknown, sink);
    else
        stream->csv = csv_logs_open(batch, unknown, sink);
    if (stream->json || stream->ndjson || stream->csv)
        return stream;
    free(stream);
    return NULL;
}

void log_stream_close(struct log_stream *stream)
{
    if (!stream)
        return;
    json_logs_close(stream->json);
    ndjson_close(stream->ndjson);
    csv_logs_close(stream->csv);
    free(stream);
}

static enum err feed(struct log_stream *stream, const char *data, size_t len, struct fault *fault)
{
    if (stream->json)
        return json_logs_feed(stream->json, data, len, fault);
    if (stream->ndjson)
        return ndjson_feed(stream->ndjson, data, len, fault);
    return csv_logs_feed(stream->csv, data, len, fault);
}

/* Whatever began like the mark and was none. */
static enum err begin(struct log_stream *stream, struct fault *fault)
{
    bool whole = stream->mark_bytes == sizeof byte_order_mark;
    stream->begun = true;
    return whole ? OK : feed(stream, byte_order_mark, stream->mark_bytes, fault);
}

enum err log_stream_feed(struct log_stream *stream, const char *data, size_t len, struct fault *fault)
{
    enum err err = OK;
    while (!stream->begun && !err && len > 0) {
        if (stream->mark_bytes == sizeof byte_order_mark || *data != byte_order_mark[stream->mark_bytes]) {
            err = begin(stream, fault);
            break;
        }
        stream->mark_bytes++;
        data++;
        len--;
    }
    return err || len == 0 ? err : feed(stream, data, len, fault);
}

enum err log_stream_finish(struct log_stream *stream, struct fault *fault)
{
    enum err err = stream->begun ? OK : begin(stream, fault);
    if (err)
        return err;
    if (stream->json)
        return json_logs_finish(stream->json, fault);
    if (stream->ndjson)
        return ndjson_finish(stream->ndjson, fault);
    return csv_logs_finish(stream->csv, fault);
}
