/* schema.c: the tables in ClickHouse, in numbered steps. Knows their statements. Knows no logs. */
#include "store/clickhouse/schema.h"

#include "base/text.h"
#include "store/clickhouse/ask.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define SQL_BYTES 8192

/* A server takes a block that it took before for done, as long as it remembers the block: so many of them, for so long.
 */
#define WINDOW_BLOCKS INT64_C(10000)
#define WINDOW_SECONDS INT64_C(604800)
#define WINDOW                                                                                                         \
    " SETTINGS index_granularity = 8192, replicated_deduplication_window = 10000,"                                     \
    " replicated_deduplication_window_seconds = 604800"

/* The servers' own macros {shard} and {replica} tell their copies apart, the database those of several services. day is
 * ts / 86400, made here so that conditions on the key are plain. Times are Int64 seconds, because DateTime ends in
 * 2106, and counters Int64, because a sum of UInt64 is a UInt64 and the API ends at 2^63-1. `block` makes each block's
 * hash its own, and is what an audit counts by. */
static const struct {
    const char *before_database, *after_database;
} steps[] = {
    {"CREATE TABLE IF NOT EXISTS " CLICKHOUSE_LOGS
     " (day UInt32, ts Int64, user_id Int64, order_id Int64, count Int64, bytes_sent Int64, bytes_received Int64,"
     " error_count Int64, duration_ms Int64, max_concurrency Int64, port UInt16, domain String, error String,"
     " protocol String, peer_id String, worker String, ip_out String, ip_from String, block UInt64)"
     " ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/",
     "/log', '{replica}') PARTITION BY " CLICKHOUSE_MONTH " ORDER BY (user_id, day, domain, ts)" WINDOW},
    /* Which data folder (by its random id) ships as which node. */
    {"CREATE TABLE IF NOT EXISTS " CLICKHOUSE_CLAIMS " (number UInt32, id String)"
     " ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/",
     "/node', '{replica}') ORDER BY number"},
    /* Sums over everyone: see sum_block.h. Rows of one key are added up when parts are merged. */
    {"CREATE TABLE IF NOT EXISTS " CLICKHOUSE_SUMS
     " (kind UInt8, day UInt32, bucket Int64, domain String, error String, rows Int64, count Int64, bytes_sent Int64,"
     " bytes_received Int64, error_count Int64, duration_ms Int64, max_concurrency AggregateFunction(max, Int64),"
     " first_ts AggregateFunction(min, Int64), last_ts AggregateFunction(max, Int64))"
     " ENGINE = ReplicatedSummingMergeTree('/clickhouse/tables/{shard}/",
     "/sums', '{replica}', (rows, count, bytes_sent, bytes_received, error_count, duration_ms, max_concurrency,"
     " first_ts, last_ts)) PARTITION BY " CLICKHOUSE_MONTH " ORDER BY (kind, day, bucket, domain, error)" WINDOW},
    /* What was deleted: see kept.h. */
    {"CREATE TABLE IF NOT EXISTS " CLICKHOUSE_KEPT
     " (what UInt8, day UInt32, at Int64) ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/",
     "/kept', '{replica}') ORDER BY (what, day)"},
};
_Static_assert(sizeof steps / sizeof *steps == CLICKHOUSE_SCHEMA_VERSION, "the newest step is the version");

/* Logs that older versions took have no sums. */
#define FIRST_WITH_SUMS 3

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
    struct http_statement statement = {.url = url, .sql = sql, .timeout_ms = config->timeout_ms};
    enum err err = ask_rows(client, &statement, 1, ret_rows, fault);
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
                                 const char *all, const char *table, struct fault *fault)
{
    if (!config->cluster[0])
        return OK;
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS %s", all);
    struct http_reply reply;
    enum err err = run(client, config, url, sql, &reply, fault);
    snprintf(sql, sizeof sql, "CREATE TABLE %s AS %s ENGINE = Distributed(%s, %s, %s)", all, table, config->cluster,
             config->database, table);
    return err ? err : run(client, config, url, sql, &reply, fault);
}

/* A program that was killed while it made the tables left them empty. */
static enum err check_sums(struct http_client *client, const struct clickhouse_config *config, const char *url,
                           int64_t version, struct fault *fault)
{
    if (version == 0 || version >= FIRST_WITH_SUMS)
        return OK;
    struct rows rows;
    enum err err = ask(client, config, url, "SELECT count() FROM " CLICKHOUSE_LOGS ROWS_FORMAT, &rows, fault);
    if (err)
        return err;
    int64_t logs = 0;
    err = rows_i64(&rows, 0, 0, &logs, fault);
    rows_release(&rows);
    if (!err && logs > 0)
        err = fault_set(fault, ERR_UNAVAILABLE,
                        "the tables at %s are of version %lld, which was never released: DROP DATABASE %s there", url,
                        (long long)version, config->database);
    return err;
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
    if (!err)
        err = check_sums(client, config, url, version, fault);
    for (int step = (int)version; !err && step < CLICKHOUSE_SCHEMA_VERSION; step++)
        err = make_step(client, config, url, step, fault);
    if (!err)
        err = make_distributed(client, config, url, CLICKHOUSE_ALL_SHARDS, CLICKHOUSE_LOGS, fault);
    return err ? err : make_distributed(client, config, url, CLICKHOUSE_ALL_SUMS, CLICKHOUSE_SUMS, fault);
}

enum err schema_make(struct http_client *client, const struct clickhouse_config *config, const char *url,
                     struct fault *fault)
{
    enum err err = make_at(client, config, url, fault);
    return err ? err : schema_check(client, config, url, fault);
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

static enum err forgets_early(const char *url, const char *table, const char *setting, int64_t value,
                              struct fault *fault)
{
    return fault_set(fault, ERR_UNAVAILABLE,
                     "the table %s at %s forgets blocks too early: ALTER TABLE %s MODIFY SETTING %s = %lld", table, url,
                     table, setting, (long long)value);
}

static enum err check_statement(const char *url, const char *table, const char *statement, struct fault *fault)
{
    static const char blocks[] = "replicated_deduplication_window",
                      seconds[] = "replicated_deduplication_window_seconds";
    if (!strstr(statement, "ENGINE = Replicated"))
        return fault_set(fault, ERR_UNAVAILABLE,
                         "the table %s at %s is not Replicated: a block that is sent twice would count twice. RENAME"
                         " TABLE %s TO %s_old, DROP TABLE schema_version, and analytics-ingest makes another when it"
                         " starts",
                         table, url, table, table);
    if (setting_of(statement, blocks) < WINDOW_BLOCKS)
        return forgets_early(url, table, blocks, WINDOW_BLOCKS, fault);
    if (setting_of(statement, seconds) < WINDOW_SECONDS)
        return forgets_early(url, table, seconds, WINDOW_SECONDS, fault);
    return OK;
}

static enum err check_table(struct http_client *client, const struct clickhouse_config *config, const char *url,
                            const char *table, struct fault *fault)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, "SHOW CREATE TABLE %s" ROWS_FORMAT, table);
    struct rows rows;
    enum err err = ask(client, config, url, sql, &rows, fault);
    if (err)
        return err;
    const char *statement = NULL;
    err = rows_text(&rows, 0, 0, &statement, fault);
    if (!err)
        err = check_statement(url, table, statement, fault);
    rows_release(&rows);
    return err;
}

enum err schema_is_made(struct http_client *client, const struct clickhouse_config *config, const char *url,
                        bool *ret_is_made, struct fault *fault)
{
    int64_t version = 0;
    enum err err = read_version(client, config, url, &version, fault);
    *ret_is_made = !err && version == CLICKHOUSE_SCHEMA_VERSION;
    return err;
}

enum err schema_check(struct http_client *client, const struct clickhouse_config *config, const char *url,
                      struct fault *fault)
{
    bool is_made = false;
    enum err err = schema_is_made(client, config, url, &is_made, fault);
    if (!err && !is_made)
        err = fault_set(fault, ERR_UNAVAILABLE,
                        "the tables at %s are not made yet: analytics-ingest makes them when it starts", url);
    if (!err)
        err = check_table(client, config, url, CLICKHOUSE_LOGS, fault);
    return err ? err : check_table(client, config, url, CLICKHOUSE_SUMS, fault);
}
