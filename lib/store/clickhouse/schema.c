/* schema.c: the tables in ClickHouse, in numbered steps. Knows their statements. Knows no logs. */
#include "store/clickhouse/schema.h"

#include "base/text.h"
#include "store/clickhouse/rows.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define SQL_BYTES 8192

/* A server takes a block that it took before for done, as long as it remembers the block: so many of them. */
#define WINDOW_BLOCKS INT64_C(10000)

/* The servers' own macros {shard} and {replica} tell their copies apart, the database those of several services. day is
 * ts / 86400, made here so that conditions on the key are plain. Times are Int64 seconds, because DateTime ends in
 * 2106, and counters Int64, because a sum of UInt64 is a UInt64 and the API ends at 2^63-1. `block` makes each block's
 * hash its own, and is what an audit counts by. Months up to 2099 are partitions, and one more for what lies beyond. */
static const struct {
    const char *before_database, *after_database;
} steps[] = {
    {"CREATE TABLE IF NOT EXISTS " CLICKHOUSE_LOGS
     " (day UInt32, ts Int64, user_id Int64, order_id Int64, count Int64, bytes_sent Int64, bytes_received Int64,"
     " error_count Int64, duration_ms Int64, max_concurrency Int64, port UInt16, domain String, error String,"
     " protocol String, peer_id String, worker String, ip_out String, ip_from String, block UInt64)"
     " ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/",
     "/log', '{replica}') PARTITION BY toYYYYMM(toDate(least(day, 47481))) ORDER BY (user_id, day, domain, ts)"
     " SETTINGS index_granularity = 8192, replicated_deduplication_window = 10000"},
    /* Which data folder (by its random id) ships as which node. */
    {"CREATE TABLE IF NOT EXISTS node (number UInt32, id String)"
     " ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/",
     "/node', '{replica}') ORDER BY number"},
};
_Static_assert(sizeof steps / sizeof *steps == CLICKHOUSE_SCHEMA_VERSION, "the newest step is the version");

/* Each replica has its own: a row for each step that was made there. */
#define MAKE_VERSIONS "CREATE TABLE IF NOT EXISTS schema_version (version UInt32, at DateTime) ENGINE = TinyLog"

static enum err run(struct http_client *client, const struct clickhouse_config *config, const char *url,
                    const char *sql, struct http_reply *ret_reply, struct fault *fault)
{
    struct http_statement statement = {.url = url, .sql = sql, .timeout_ms = config->timeout_ms};
    return http_run(client, &statement, ret_reply, fault);
}

/* One value of the server's. */
static enum err ask(struct http_client *client, const struct clickhouse_config *config, const char *url,
                    const char *sql, struct rows *ret_rows, struct fault *fault)
{
    struct http_reply reply;
    enum err err = run(client, config, url, sql, &reply, fault);
    if (!err)
        err = rows_parse(reply.body, reply.body_bytes, 1, ret_rows, fault);
    if (!err && ret_rows->count != 1) {
        rows_release(ret_rows);
        err = fault_set(fault, ERR_UNAVAILABLE, "ClickHouse at %s does not answer as it should", url);
    }
    return err;
}

static enum err read_version(struct http_client *client, const struct clickhouse_config *config, const char *url,
                             int64_t *ret_version, struct fault *fault)
{
    struct rows rows;
    enum err err = ask(client, config, url, CLICKHOUSE_VERSION_SQL ROWS_FORMAT, &rows, fault);
    if (err)
        return err;
    err = rows_i64(&rows, 0, 0, ret_version, fault);
    rows_release(&rows);
    if (!err && *ret_version > CLICKHOUSE_SCHEMA_VERSION)
        err = fault_set(fault, ERR_UNAVAILABLE,
                        "the tables at %s are of version %lld, and this program knows them up to version %d: a newer"
                        " program made them",
                        url, (long long)*ret_version, CLICKHOUSE_SCHEMA_VERSION);
    return err;
}

/* ---- making ---- */

static enum err make_step(struct http_client *client, const struct clickhouse_config *config, const char *url, int step,
                          struct fault *fault)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, "%s%s%s", steps[step].before_database, config->database, steps[step].after_database);
    struct http_reply reply;
    enum err err = run(client, config, url, sql, &reply, fault);
    snprintf(sql, sizeof sql, "INSERT INTO schema_version SELECT toUInt32(%d), now()", step + 1);
    return err ? err : run(client, config, url, sql, &reply, fault);
}

static enum err make_database(struct http_client *client, const struct clickhouse_config *config, const char *url,
                              struct fault *fault)
{
    char sql[SQL_BYTES];
    /* The settings' need not be there yet. */
    struct http_statement statement = {.url = url, .database = "default", .sql = sql, .timeout_ms = config->timeout_ms};
    snprintf(sql, sizeof sql, "CREATE DATABASE IF NOT EXISTS %s", config->database);
    struct http_reply reply;
    return http_run(client, &statement, &reply, fault);
}

/* A Distributed table keeps no data: it is made anew, in case the cluster has another name now. */
static enum err make_distributed(struct http_client *client, const struct clickhouse_config *config, const char *url,
                                 struct fault *fault)
{
    if (!config->cluster[0])
        return OK;
    struct http_reply reply;
    enum err err = run(client, config, url, "DROP TABLE IF EXISTS " CLICKHOUSE_ALL_SHARDS, &reply, fault);
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql,
             "CREATE TABLE " CLICKHOUSE_ALL_SHARDS " AS " CLICKHOUSE_LOGS
             " ENGINE = Distributed(%s, %s, " CLICKHOUSE_LOGS ")",
             config->cluster, config->database);
    return err ? err : run(client, config, url, sql, &reply, fault);
}

static enum err make_at(struct http_client *client, const struct clickhouse_config *config, const char *url,
                        struct fault *fault)
{
    enum err err = make_database(client, config, url, fault);
    struct http_reply reply;
    if (!err)
        err = run(client, config, url, MAKE_VERSIONS, &reply, fault);
    int64_t version = 0;
    if (!err)
        err = read_version(client, config, url, &version, fault);
    for (int step = (int)version; !err && step < CLICKHOUSE_SCHEMA_VERSION; step++)
        err = make_step(client, config, url, step, fault);
    return err ? err : make_distributed(client, config, url, fault);
}

enum err schema_make(struct http_client *client, const struct clickhouse_config *config, const struct servers *servers,
                     struct fault *fault)
{
    enum err err = OK;
    for (size_t shard = 0; shard < servers->shard_count; shard++)
        for (size_t i = 0; !err && i < servers->shards[shard].replica_count; i++) {
            err = make_at(client, config, servers->shards[shard].urls[i], fault);
            if (!err)
                err = schema_check(client, config, servers->shards[shard].urls[i], fault);
        }
    return err;
}

/* ---- comparing ---- */

/* The number behind the setting's name in the table's statement; 0 where it is not set. */
static int64_t setting_of(const char *statement, const char *name)
{
    const char *at = strstr(statement, name);
    if (!at)
        return 0;
    at += strlen(name);
    at += strspn(at, " =");
    int64_t value = 0;
    text_to_i64((struct slice){at, strspn(at, "0123456789")}, 0, INT64_MAX, &value);
    return value;
}

static enum err check_statement(const char *url, const char *statement, struct fault *fault)
{
    if (!strstr(statement, "ENGINE = Replicated"))
        return fault_set(fault, ERR_UNAVAILABLE,
                         "the table " CLICKHOUSE_LOGS " at %s is not Replicated: a block that is sent twice would count"
                         " twice. RENAME TABLE log TO log_old, and analytics-ingest makes another when it starts",
                         url);
    if (setting_of(statement, "replicated_deduplication_window") < WINDOW_BLOCKS)
        return fault_set(fault, ERR_UNAVAILABLE,
                         "the table " CLICKHOUSE_LOGS " at %s forgets blocks too early: ALTER TABLE " CLICKHOUSE_LOGS
                         " MODIFY SETTING replicated_deduplication_window = %lld",
                         url, (long long)WINDOW_BLOCKS);
    return OK;
}

enum err schema_check(struct http_client *client, const struct clickhouse_config *config, const char *url,
                      struct fault *fault)
{
    int64_t version = 0;
    enum err err = read_version(client, config, url, &version, fault);
    if (!err && version < CLICKHOUSE_SCHEMA_VERSION)
        err = fault_set(fault, ERR_UNAVAILABLE,
                        "the tables at %s are not made yet: analytics-ingest makes them when it starts", url);
    struct rows rows;
    if (!err)
        err = ask(client, config, url, "SHOW CREATE TABLE " CLICKHOUSE_LOGS ROWS_FORMAT, &rows, fault);
    if (err)
        return err;
    const char *statement = NULL;
    err = rows_text(&rows, 0, 0, &statement, fault);
    if (!err)
        err = check_statement(url, statement, fault);
    rows_release(&rows);
    return err;
}
