/* parts.h: the logs of log_part as rows of an answer. Private to this room. */
#ifndef STORE_SQLITE_READ_PARTS_H
#define STORE_SQLITE_READ_PARTS_H

#include "store/sqlite/read/pass.h"

/* Gives the logs with from <= ts < to that stand in parts, and that the pass asks for, to its sink. */
enum err parts_scan(const struct pass *pass, int64_t from, int64_t to);

#endif
