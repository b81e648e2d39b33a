/* forget.h: names that nothing has any more. */
#ifndef STORE_SQLITE_CARE_FORGET_H
#define STORE_SQLITE_CARE_FORGET_H

#include "base/work.h"
#include "store/sqlite/write/writer.h"

/* Deletes them, some in each transaction. Reads every log, and every packed sum of logs that are no longer kept.
 * *ret_names: how many. */
enum err forget_names(struct sqlite_writer *writer, struct work *work, int64_t *ret_names, struct fault *fault);

#endif
