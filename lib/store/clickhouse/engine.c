/* engine.c: ClickHouse as an engine. Knows its settings, and what of its data lies on this machine. */
#include "store/clickhouse/reader.h"
#include "store/clickhouse/schema.h"
#include "store/clickhouse/writer.h"
#include "store/sqlite/spool/spool.h"
#include "store/sqlite/sqlite.h"

#include <ctype.h>
#include <string.h>

#include "base/banned.h"

#define NAME_BYTES 64

static int schema_version(void)
{
    return CLICKHOUSE_SCHEMA_VERSION;
}

static void measure_queue(const struct store_place *place, struct store_queue *ret_queue)
{
    struct spool_reader *reader = NULL;
    struct spool_position spool;
    struct fault ignored;
    if (spool_reader_open(place->data_dir, &reader, &ignored))
        return;
    if (!spool_position(reader, &spool, &ignored))
        *ret_queue = (struct store_queue){.logs = spool.waiting_logs,
                                          .since = spool.waiting_logs > 0 ? spool.waiting_since : 0,
                                          .is_stuck = spool.target.trouble[0] != '\0',
                                          .put_aside = spool.aside,
                                          .compared_at = spool.audit.at,
                                          .differences = spool.audit.differences};
    spool_reader_close(reader);
}

/* The spool: nobody but ClickHouse knows what ClickHouse takes. */
static void measure(const struct store_place *place, struct store_size *ret_size)
{
    store_engine_sqlite.measure(place, ret_size);
    measure_queue(place, &ret_size->queue);
}

const struct store_engine store_engine_clickhouse = {
    .name = "clickhouse",
    .schema_version = schema_version,
    .measure = measure,
    .writer = &clickhouse_writer_ops,
    .reader = &clickhouse_reader_ops,
    .export = &clickhouse_export_ops,
};

/* ---- settings ---- */

/* They go into statements as they are. */
static bool is_identifier(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++)
        if (name[i] != '_' && !isalnum((unsigned char)name[i]))
            return false;
    return len < NAME_BYTES && !isdigit((unsigned char)name[0]);
}

enum err clickhouse_config_check(const struct clickhouse_config *config, struct fault *fault)
{
    if (!config->urls[0])
        return fault_set(fault, ERR_UNAVAILABLE,
                         "the engine clickhouse needs clickhouse_urls, such as http://ch1:8123,http://ch2:8123");
    if (!config->database[0] || !is_identifier(config->database) || !is_identifier(config->cluster))
        return fault_set(fault, ERR_UNAVAILABLE,
                         "clickhouse_database and clickhouse_cluster must be names of letters, digits and _ that begin"
                         " with no digit");
    struct servers servers;
    enum err err = servers_parse(config->urls, &servers, fault);
    if (!err && servers.shard_count > 1 && !config->cluster[0])
        err = fault_set(fault, ERR_UNAVAILABLE,
                        "clickhouse_urls has %zu shards, so clickhouse_cluster must name their cluster",
                        servers.shard_count);
    return err;
}
