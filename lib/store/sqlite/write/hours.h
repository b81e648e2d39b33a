/* hours.h: closes hours: adds up everyone's logs, some quarters of an hour in each slice. What was added up stays in
 * memory until an hour is whole: the file knows whole hours alone. */
#ifndef STORE_SQLITE_WRITE_HOURS_H
#define STORE_SQLITE_WRITE_HOURS_H

#include "store/sqlite/write/writer.h"

/* A slice of closing `hour`, and those with logs after it before `until`, all of one day: they share a commit, and the
 * rows of the day's values. writer->closed.hour is the one behind them, once they are closed. In a transaction. */
enum err sqlite_hours_close(struct sqlite_writer *writer, int64_t hour, int64_t until, struct fault *fault);

/* Logs of this quarter or of any before it came or went. */
void sqlite_hours_changed(struct writer_hours *hours, int64_t quarter);

void sqlite_hours_release(struct writer_hours *hours);

#endif
