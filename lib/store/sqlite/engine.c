/* engine.c: SQLite as an engine: its table of operations. Knows none of them. */
#include "store/sqlite/ops.h"

#include "store/sqlite/file.h"

#include "base/banned.h"

const struct store_engine store_engine_sqlite = {
    .name = "sqlite",
    .schema_version = sqlite_schema_version,
    .writer = &sqlite_writer_ops,
    .reader = &sqlite_reader_ops,
    .export = &sqlite_export_ops,
};
