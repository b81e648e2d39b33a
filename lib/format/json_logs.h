/* json_logs.h: a request body, piece by piece, into a batch. The only place that knows the shape
 * {"logs": [{…}, …]}. Memory is flat: one log's text at a time. */
#ifndef FORMAT_JSON_LOGS_H
#define FORMAT_JSON_LOGS_H

#include "log/batch.h"
#include "base/err.h"
#include "log/fields.h"
#include "log/sink.h"

#include <stddef.h>
#include <stdint.h>

/* One refused record. */
struct log_fault {
    uint32_t index;                  /* of the log in `logs`, from 0 */
    char field[24];                  /* the member's name; "" when the log itself is at fault */
    char message[LOG_MESSAGE_BYTES]; /* plain English: what is accepted */
};

struct json_logs; /* opaque */

/* Starts reading a body into `batch` (borrowed until json_logs_close). NULL when out of memory. */
struct json_logs *json_logs_open(struct batch *batch);

/* The same for a file of any number of bodies, one after the other, and of any length: each log goes to `sink`
 * (borrowed) as soon as it is read, and the batch may be emptied there. Faults tell the line of the file in place of
 * the byte of the body. `unknown` (borrowed) says what becomes of members that no log has. */
struct json_logs *json_logs_open_file(struct batch *batch, struct log_unknown *unknown, const struct log_sink *sink);

void json_logs_close(struct json_logs *reader);

/* Feeds the next piece of the (inflated) body; any split gives the same result.
 * OK to go on; else the body is refused and *fault says why (ERR_BODY_INVALID with the byte offset in detail,
 * ERR_BODY_TOO_LARGE for too many logs or bytes, ERR_UNAVAILABLE for memory). Bad records do not stop it: they are
 * gathered, so that the answer can name them all; the batch is emptied at the first. */
enum err json_logs_feed(struct json_logs *reader, const char *data, size_t len, struct fault *fault);

/* Ends the body. OK when the batch is complete and every record is good; ERR_LOGS_INVALID when records were refused
 * (see json_logs_faults); ERR_BODY_INVALID when the text ended early or has no `logs`. */
enum err json_logs_finish(struct json_logs *reader, struct fault *fault);

/* The first LIMIT_LOG_ERRORS refused fields, in order, and how many there were in all. Borrowed until close. */
const struct log_fault *json_logs_faults(const struct json_logs *reader, uint32_t *ret_shown, uint64_t *ret_total);

#endif
