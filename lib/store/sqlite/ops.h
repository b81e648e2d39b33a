/* ops.h: the parts of the engine's table: each room has its own. Private to the SQLite engine. */
#ifndef STORE_SQLITE_OPS_H
#define STORE_SQLITE_OPS_H

#include "store/engine.h"

extern const struct store_writer_ops sqlite_writer_ops; /* write/ops.c */
extern const struct store_reader_ops sqlite_reader_ops; /* read/ops.c */
extern const struct store_export_ops sqlite_export_ops; /* read/export.c */

#endif
