/* upkeep.h: what is done between groups: more than store.h says of sqlite_maintain. */
#ifndef STORE_SQLITE_WRITE_UPKEEP_H
#define STORE_SQLITE_WRITE_UPKEEP_H

#include "store/sqlite/write/writer.h"

/* Has the WAL so many pages that a checkpoint is worth its time? */
bool sqlite_checkpoint_is_due(const struct sqlite_writer *writer);

#endif
