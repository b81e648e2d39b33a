/* ndjson.h: a file with one log as JSON on each line, piece by piece. Memory is flat: one log's text at a time. */
#ifndef FORMAT_NDJSON_H
#define FORMAT_NDJSON_H

#include "log/sink.h"
#include "log/unknown.h"

#include <stddef.h>

struct ndjson; /* opaque */

/* Logs go into `batch` and to `sink`, both borrowed until ndjson_close; the batch may be emptied there. A line that is
 * no JSON object is a bad record like any other, and the next line is read as usual. Blank lines are passed over. NULL
 * when out of memory. `unknown` is borrowed, too. */
struct ndjson *ndjson_open(struct batch *batch, struct log_unknown *unknown, const struct log_sink *sink);
void ndjson_close(struct ndjson *reader);

/* OK, what the sink returned, or ERR_UNAVAILABLE: out of memory. */
enum err ndjson_feed(struct ndjson *reader, const char *data, size_t len, struct fault *fault);

/* Ends the file: the last line may have no newline. */
enum err ndjson_finish(struct ndjson *reader, struct fault *fault);

#endif
