/* log_out.h: a log as text, with the members and in the order that docs/api.md shows. What is written is read back as
 * the same log. */
#ifndef FORMAT_LOG_OUT_H
#define FORMAT_LOG_OUT_H

#include "log/text.h"
#include "base/buf.h"

void log_put_json(struct buf *buf, const struct log_text *log); /* an object, on one line */
void log_put_csv(struct buf *buf, const struct log_text *log);  /* a record, ended with CRLF (RFC 4180) */
void log_put_csv_header(struct buf *buf);

#endif
