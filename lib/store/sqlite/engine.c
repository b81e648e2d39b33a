/* engine.c: SQLite as an engine. Knows the files that it measures. write/ and read/ have its other operations. */
#include "store/sqlite/ops.h"

#include "db/files.h"
#include "store/sqlite/file.h"

#include "base/banned.h"

static void measure(const struct store_place *place, struct store_size *ret_size)
{
    ret_size->data = sqlite_file_bytes(place->data_dir, FILE_LOGS);
    ret_size->write_ahead = sqlite_file_bytes(place->data_dir, FILE_LOGS_WAL);
}

const struct store_engine store_engine_sqlite = {
    .name = "sqlite",
    .schema_version = sqlite_schema_version,
    .measure = measure,
    .writer = &sqlite_writer_ops,
    .reader = &sqlite_reader_ops,
    .export = &sqlite_export_ops,
};
