/* log_out.h: a log as text, with the members and in the order that docs/api.md shows. What is written is read back as
 * the same log. */
#ifndef FORMAT_LOG_OUT_H
#define FORMAT_LOG_OUT_H

#include "log/batch.h"
#include "base/buf.h"
#include "base/text.h"

/* A log, and its texts beside it: record->name is not looked at. */
struct log_text {
    const struct log_record *record;
    struct slice name[NAME_FIELDS];
};

void log_put_json(struct buf *buf, const struct log_text *log); /* an object, on one line */
void log_put_csv(struct buf *buf, const struct log_text *log);  /* a record, ended with CRLF (RFC 4180) */
void log_put_csv_header(struct buf *buf);

#endif
