/* hours.h: closes hours: adds up everyone's logs. */
#ifndef STORE_SQLITE_WRITE_HOURS_H
#define STORE_SQLITE_WRITE_HOURS_H

#include "store/sqlite/write/writer.h"

/* The question: `first`, and those with logs after it before `until`, all of one day; they share a commit, and the rows
 * of the day's values. */
void sqlite_hours_ask(struct sqlite_writer *writer, int64_t first, int64_t until);
enum err sqlite_hours_read(struct closing_slice *slice, struct log_reading *reading, struct fault *fault);

/* writer->closed.hour is the one behind them. */
enum err sqlite_hours_write(struct sqlite_writer *writer, struct fault *fault);

#endif
