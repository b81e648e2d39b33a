/* csv_logs.h: a CSV file of logs, piece by piece: its first line names the members that the columns hold, in any order.
 * Memory is flat: one record at a time. */
#ifndef FORMAT_CSV_LOGS_H
#define FORMAT_CSV_LOGS_H

#include "log/sink.h"
#include "log/unknown.h"

#include <stdbool.h>
#include <stddef.h>

struct csv_logs; /* opaque */

/* Logs go into `batch` and to `sink`, both borrowed until csv_logs_close; the batch may be emptied there. An empty cell
 * leaves a number or a time out; a text is then empty. `unknown` (borrowed, too) says what becomes of a column that no
 * log has. NULL when out of memory. */
struct csv_logs *csv_logs_open(struct batch *batch, struct log_unknown *unknown, const struct log_sink *sink);
void csv_logs_close(struct csv_logs *reader);

/* OK, what the sink returned, ERR_BODY_INVALID where the text is no CSV or its first line won't do (nothing after it
 * can be read then), or ERR_UNAVAILABLE: out of memory. */
enum err csv_logs_feed(struct csv_logs *reader, const char *data, size_t len, struct fault *fault);

/* Ends the file: the last line may have no end. An empty file has no logs. */
enum err csv_logs_finish(struct csv_logs *reader, struct fault *fault);

#endif
