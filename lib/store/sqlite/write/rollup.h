/* rollup.h: a group of logs into the rollups. */
#ifndef STORE_SQLITE_WRITE_ROLLUP_H
#define STORE_SQLITE_WRITE_ROLLUP_H

#include "store/sqlite/write/writer.h"

/* Adds writer->rows to the rollups; to those of closed hours only where a log is late. */
enum err sqlite_rollup(struct sqlite_writer *writer, struct fault *fault);

#endif
