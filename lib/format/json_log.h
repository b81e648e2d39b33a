/* json_log.h: one log as JSON: its text is gathered while json_scan reads it, then its members are found and read.
 * Knows nothing of what stands around it. */
#ifndef FORMAT_JSON_LOG_H
#define FORMAT_JSON_LOG_H

#include "base/buf.h"
#include "format/json_scan.h"
#include "log/fields.h"

struct json_log {
    struct log_reader reader;
    bool open;            /* it has begun, as an object */
    bool gathering;       /* the bytes being read belong to `text` */
    size_t start;         /* its offset in the scanner's text */
    struct buf text;      /* its text */
    struct buf unescaped; /* the name or string being read, where it has escapes */
};

/* Faults of a log go to `refuse`. */
void json_log_init(struct json_log *log, struct batch *batch,
                   void (*refuse)(void *ctx, const char *field, const char *message), void *ctx);
void json_log_release(struct json_log *log);

/* The value that begins at scan->offset, the first byte of which is scan->kind, is a log, or should be. The scanner
 * watches no deeper than it. */
void json_log_begin(struct json_log *log, const struct json_scan *scan);

/* The scanner has read these bytes, and reported this event after them. */
void json_log_follow(struct json_log *log, const struct json_scan *scan, enum json_event event, const char *data,
                     size_t len);

/* The value has ended before scan->offset: reads it, into the batch if all is well. OK, also when it was refused; else
 * ERR_UNAVAILABLE: out of memory. */
enum err json_log_end(struct json_log *log, const struct json_scan *scan);

#endif
