/* blocks.c: one block of the spool and ClickHouse. Knows statements. Does not know when which is due. */
#include "store/clickhouse/blocks.h"

#include "store/clickhouse/log_block.h"
#include "store/clickhouse/rows.h"
#include "store/clickhouse/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define SQL_BYTES 1024
#define THERE_MS 2000

uint64_t blocks_wide_number(int64_t node, int64_t number)
{
    return (uint64_t)node << 40 | (uint64_t)number;
}

void blocks_release(struct blocks *blocks)
{
    for (int part = 0; part < BLOCKS_PARTS; part++)
        buf_release(&blocks->body[part]);
    blocks->number = 0;
}

/* Both parts while the spool is read. */
struct loading {
    uint64_t number;
    struct native_block logs;
    struct sum_block sums;
};

static void put_log(void *ctx, const struct log_text *log)
{
    struct loading *loading = ctx;
    log_block_put(&loading->logs, loading->number, log);
    sum_block_put(&loading->sums, log);
}

static enum err read_block(struct spool_reader *spool, const struct spool_block *block, struct loading *loading,
                           struct fault *fault)
{
    enum err err = spool_read(spool, block, put_log, loading, fault);
    if (!err && (int64_t)loading->logs.rows != block->logs)
        err = fault_set(fault, ERR_UNAVAILABLE, "block %lld of the spool has %zu logs, and not %lld",
                        (long long)block->number, loading->logs.rows, (long long)block->logs);
    return err;
}

static void begin_load(struct blocks *blocks, struct loading *loading)
{
    blocks->number = 0;
    for (int part = 0; part < BLOCKS_PARTS; part++) {
        if (!blocks->body[part].max)
            buf_init(&blocks->body[part], NATIVE_BODY_BYTES);
        buf_clear(&blocks->body[part]);
    }
    log_block_begin(&loading->logs);
    sum_block_begin(&loading->sums);
}

enum err blocks_load(struct blocks *blocks, struct spool_reader *spool, const struct spool_block *block, int64_t node,
                     struct fault *fault)
{
    if (blocks->number == block->number)
        return OK;
    struct loading loading = {.number = blocks_wide_number(node, block->number)};
    begin_load(blocks, &loading);
    enum err err = read_block(spool, block, &loading, fault);
    if (!err && (native_end(&loading.logs, &blocks->body[BLOCKS_LOGS]) ||
                 sum_block_end(&loading.sums, loading.number, &blocks->body[BLOCKS_SUMS])))
        err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    if (!err)
        blocks->number = block->number;
    native_release(&loading.logs);
    sum_block_release(&loading.sums);
    return err;
}

enum err blocks_send(const struct blocks *blocks, enum blocks_part part, struct http_client *client, const char *url,
                     struct http_reply *ret_reply, struct fault *fault)
{
    char sql[SQL_BYTES];
    bool is_logs = part == BLOCKS_LOGS;
    snprintf(sql, sizeof sql, "INSERT INTO %s (%s) FORMAT Native", is_logs ? CLICKHOUSE_LOGS : CLICKHOUSE_SUMS,
             is_logs ? log_block_columns() : sum_block_columns());
    const struct buf *body = &blocks->body[part];
    struct http_statement statement = {.url = url, .sql = sql, .body = body->data, .body_bytes = body->len};
    enum err err = http_run(client, &statement, ret_reply, fault);
    if (err || ret_reply->body_bytes == 0)
        return err;
    ret_reply->outcome = HTTP_AWAY;
    return fault_set(fault, ERR_UNAVAILABLE, "%s acknowledged a block with words, as no ClickHouse does: %.80s", url,
                     ret_reply->body);
}

/* Numbers of ClickHouse's dbms/src/Common/ErrorCodes.cpp, which never change. */
bool blocks_is_content(int code)
{
    static const int codes[] = {
        6,   /* CANNOT_PARSE_TEXT */
        10,  /* NOT_FOUND_COLUMN_IN_BLOCK */
        16,  /* NO_SUCH_COLUMN_IN_TABLE */
        33,  /* CANNOT_READ_ALL_DATA */
        50,  /* UNKNOWN_TYPE */
        53,  /* TYPE_MISMATCH */
        70,  /* CANNOT_CONVERT_TYPE */
        117, /* INCORRECT_DATA */
        131, /* TOO_LARGE_STRING_SIZE */
        290, /* LIMIT_EXCEEDED */
        469, /* VIOLATED_CONSTRAINT */
    };
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code)
            return true;
    return false;
}

static enum err run(struct http_client *client, const struct clickhouse_config *config, const char *url,
                    const char *sql, struct http_reply *ret_reply, struct fault *fault)
{
    struct http_statement statement = {.url = url, .sql = sql, .timeout_ms = config->timeout_ms};
    return http_run(client, &statement, ret_reply, fault);
}

/* A statement whose answer is one number. */
static enum err ask_number(struct http_client *client, const struct http_statement *statement, int64_t *ret_number,
                           struct fault *fault)
{
    struct http_reply reply;
    struct rows rows;
    enum err err = http_run(client, statement, &reply, fault);
    if (!err)
        err = rows_parse(reply.body, reply.body_bytes, 1, &rows, fault);
    if (err)
        return err;
    err = rows_i64(&rows, 0, 0, ret_number, fault);
    rows_release(&rows);
    return err;
}

/* A replica that has just started answers SYSTEM SYNC REPLICA at once, as one that lacks nothing. It reads what it
 * lacks only when ZooKeeper no longer takes its dead self for alive, which may take as long as a session lasts. Until
 * then its delay counts from 1970. */
static enum err require_begun(struct http_client *client, const struct clickhouse_config *config, const char *url,
                              const char *const tables[], size_t count, struct fault *fault)
{
    char sql[SQL_BYTES];
    int64_t idle = 0;
    int len = snprintf(sql, sizeof sql,
                       "SELECT count() FROM system.replicas WHERE database = '%s' AND absolute_delay > 500000000"
                       " AND table IN (''",
                       config->database);
    for (size_t i = 0; i < count; i++)
        len += snprintf(sql + len, sizeof sql - (size_t)len, ", '%s'", tables[i]);
    snprintf(sql + len, sizeof sql - (size_t)len, ")" ROWS_FORMAT);
    const struct http_statement statement = {.url = url, .sql = sql, .timeout_ms = config->timeout_ms};
    enum err err = ask_number(client, &statement, &idle, fault);
    if (!err && idle > 0)
        err = fault_set(fault, ERR_UNAVAILABLE, "%s has started, and does not know yet what the other replicas took",
                        url);
    return err;
}

static enum err sync_tables(struct http_client *client, const struct clickhouse_config *config, const char *url,
                            const char *const tables[], size_t count, struct fault *fault)
{
    enum err err = require_begun(client, config, url, tables, count, fault);
    for (size_t i = 0; !err && i < count; i++) {
        char sql[SQL_BYTES];
        struct http_reply reply;
        snprintf(sql, sizeof sql, "SYSTEM SYNC REPLICA %s", tables[i]);
        err = run(client, config, url, sql, &reply, fault);
    }
    return err;
}

enum err blocks_sync(struct http_client *client, const struct clickhouse_config *config, const char *url,
                     struct fault *fault)
{
    static const char *const tables[] = {CLICKHOUSE_LOGS, CLICKHOUSE_SUMS, CLICKHOUSE_KEPT};
    return sync_tables(client, config, url, tables, sizeof tables / sizeof *tables, fault);
}

bool blocks_is_there(struct http_client *client, const char *url)
{
    struct http_statement statement = {.url = url, .database = "system", .sql = "SELECT 1", .timeout_ms = THERE_MS};
    struct http_reply reply;
    struct fault ignored;
    return !http_run(client, &statement, &reply, &ignored);
}

enum err blocks_clock(struct http_client *client, const char *url, int64_t *ret_now, struct fault *fault)
{
    const struct http_statement statement = {
        .url = url, .database = "system", .sql = "SELECT toInt64(toUnixTimestamp(now()))" ROWS_FORMAT};
    return ask_number(client, &statement, ret_now, fault);
}

/* ---- nodes ---- */

/* *ret_mine: nobody else claims the number. *ret_claimed: this spool does. */
static enum err read_claims(struct http_client *client, const struct clickhouse_config *config, const char *url,
                            const char *id, bool *ret_mine, bool *ret_claimed, struct fault *fault)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, "SELECT DISTINCT id FROM " CLICKHOUSE_CLAIMS " WHERE number = %" PRId64 ROWS_FORMAT,
             config->node);
    struct http_reply reply;
    enum err err = sync_tables(client, config, url, (const char *const[]){CLICKHOUSE_CLAIMS}, 1, fault);
    if (!err)
        err = run(client, config, url, sql, &reply, fault);
    struct rows rows;
    if (!err)
        err = rows_parse(reply.body, reply.body_bytes, 1, &rows, fault);
    if (err)
        return err;
    *ret_mine = true;
    *ret_claimed = false;
    for (size_t i = 0; !err && i < rows.count; i++) {
        const char *other = NULL;
        err = rows_text(&rows, i, 0, &other, fault);
        bool is_this = !err && strcmp(other, id) == 0;
        *ret_claimed |= is_this;
        *ret_mine &= is_this;
    }
    rows_release(&rows);
    return err;
}

enum err blocks_claim_node(struct http_client *client, const struct clickhouse_config *config, const char *url,
                           const char *id, struct fault *fault)
{
    bool mine = false, claimed = false;
    enum err err = read_claims(client, config, url, id, &mine, &claimed, fault);
    if (!err && mine && !claimed) {
        char sql[SQL_BYTES];
        snprintf(sql, sizeof sql, "INSERT INTO " CLICKHOUSE_CLAIMS " SELECT toUInt32(%" PRId64 "), '%s'", config->node,
                 id);
        struct http_reply reply;
        err = run(client, config, url, sql, &reply, fault);
        if (!err)
            err = read_claims(client, config, url, id, &mine, &claimed, fault);
    }
    if (!err && !mine)
        err = fault_set(fault, ERR_UNAVAILABLE,
                        "another data folder ships to this ClickHouse as node %lld: give each machine its own"
                        " clickhouse_node",
                        (long long)config->node);
    return err;
}
