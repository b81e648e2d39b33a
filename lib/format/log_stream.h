/* log_stream.h: a file of logs in any of the formats, piece by piece. */
#ifndef FORMAT_LOG_STREAM_H
#define FORMAT_LOG_STREAM_H

#include "log/sink.h"
#include "log/unknown.h"

#include <stdbool.h>
#include <stddef.h>

enum log_format {
    LOG_FORMAT_NONE,
    LOG_FORMAT_JSON,   /* one or more bodies {"logs": […]}, one after the other */
    LOG_FORMAT_NDJSON, /* a log on each line */
    LOG_FORMAT_CSV
};

/* "json", "ndjson", "csv"; or LOG_FORMAT_NONE. */
enum log_format log_format_parse(const char *name);

/* What the ending of the file's name says, with .gz after it or not: .json, .ndjson or .jsonl, .csv. */
enum log_format log_format_of_file(const char *name);

struct log_stream; /* opaque */

/* Logs go into `batch` and to `sink`, both borrowed until log_stream_close; the batch may be emptied there. A byte
 * order mark at the beginning is passed over. `unknown` (borrowed, too) says what becomes of members and columns that
 * no log has, and counts those that are ignored. NULL when out of memory. */
struct log_stream *log_stream_open(enum log_format format, struct log_unknown *unknown, struct batch *batch,
                                   const struct log_sink *sink);
void log_stream_close(struct log_stream *stream);

/* OK, what the sink returned, ERR_BODY_INVALID (this is not the format, and what follows can't be read), or
 * ERR_UNAVAILABLE: out of memory. The fault's text begins with the line. */
enum err log_stream_feed(struct log_stream *stream, const char *data, size_t len, struct fault *fault);
enum err log_stream_finish(struct log_stream *stream, struct fault *fault);

#endif
