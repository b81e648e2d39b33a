/* upkeep.h: the upkeep between groups, apart from sqlite_maintain. */
#ifndef STORE_SQLITE_WRITE_UPKEEP_H
#define STORE_SQLITE_WRITE_UPKEEP_H

#include "store/sqlite/write/writer.h"

/* Is a checkpoint due? */
bool sqlite_checkpoint_is_due(const struct sqlite_writer *writer);

#endif
