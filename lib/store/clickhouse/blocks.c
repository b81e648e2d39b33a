/* blocks.c: one block of the spool and ClickHouse. Knows statements. Does not know when which is due. */
#include "store/clickhouse/blocks.h"

#include "store/clickhouse/rows.h"
#include "store/clickhouse/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define SQL_BYTES 1024

uint64_t blocks_wide_number(int64_t node, int64_t number)
{
    return (uint64_t)node << 40 | (uint64_t)number;
}

void blocks_release(struct blocks *blocks)
{
    buf_release(&blocks->body);
    blocks->number = 0;
}

static void put_log(void *ctx, const struct log_text *log)
{
    native_put(ctx, log);
}

enum err blocks_load(struct blocks *blocks, struct spool_reader *spool, const struct spool_block *block, int64_t node,
                     struct fault *fault)
{
    if (blocks->number == block->number)
        return OK;
    blocks->number = 0;
    if (!blocks->body.max)
        buf_init(&blocks->body, NATIVE_BODY_BYTES);
    buf_clear(&blocks->body);
    struct native_block native;
    native_begin(&native, blocks_wide_number(node, block->number));
    enum err err = spool_read(spool, block, put_log, &native, fault);
    if (!err && (int64_t)native.rows != block->logs)
        err = fault_set(fault, ERR_UNAVAILABLE, "block %lld of the spool has %zu logs, and not %lld",
                        (long long)block->number, native.rows, (long long)block->logs);
    if (!err && native_end(&native, &blocks->body))
        err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    native_release(&native);
    if (!err)
        blocks->number = block->number;
    return err;
}

enum err blocks_send(const struct blocks *blocks, struct http_client *client, const char *url,
                     struct http_reply *ret_reply, struct fault *fault)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, "INSERT INTO " CLICKHOUSE_LOGS " (%s) FORMAT Native", native_columns());
    struct http_statement statement = {
        .url = url, .sql = sql, .body = blocks->body.data, .body_bytes = blocks->body.len};
    return http_run(client, &statement, ret_reply, fault);
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

enum err blocks_sync(struct http_client *client, const struct clickhouse_config *config, const char *url,
                     struct fault *fault)
{
    struct http_reply reply;
    return run(client, config, url, "SYSTEM SYNC REPLICA " CLICKHOUSE_LOGS, &reply, fault);
}

/* ---- is it there? ---- */

enum { FOUND_COLUMNS = 5 };

static enum err compare(const struct rows *rows, const struct spool_block *block, enum blocks_found *ret_found,
                        struct fault *fault)
{
    const int64_t wanted[FOUND_COLUMNS] = {block->logs, block->sums.count, block->sums.bytes_sent,
                                           block->sums.bytes_received, block->sums.errors};
    int64_t found[FOUND_COLUMNS] = {0};
    enum err err = OK;
    for (size_t i = 0; !err && i < FOUND_COLUMNS && rows->count > 0; i++)
        err = rows_i64(rows, 0, i, &found[i], fault);
    if (err)
        return err;
    *ret_found = BLOCKS_OTHER;
    if (found[0] == 0)
        *ret_found = BLOCKS_NONE;
    else if (memcmp(found, wanted, sizeof found) == 0)
        *ret_found = BLOCKS_WHOLE;
    return OK;
}

enum err blocks_find(struct http_client *client, const struct clickhouse_config *config, const char *url,
                     const struct spool_block *block, int64_t node, enum blocks_found *ret_found, struct fault *fault)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql,
             "SELECT count(), sum(count), sum(bytes_sent), sum(bytes_received), sum(error_count) FROM " CLICKHOUSE_LOGS
             " WHERE toYYYYMM(toDate(least(day, 47481))) = %" PRId64 " AND block = %" PRIu64 ROWS_FORMAT,
             block->month, blocks_wide_number(node, block->number));
    enum err err = blocks_sync(client, config, url, fault);
    struct http_reply reply;
    if (!err)
        err = run(client, config, url, sql, &reply, fault);
    struct rows rows;
    if (!err)
        err = rows_parse(reply.body, reply.body_bytes, FOUND_COLUMNS, &rows, fault);
    if (err)
        return err;
    err = compare(&rows, block, ret_found, fault);
    rows_release(&rows);
    return err;
}

/* ---- nodes ---- */

/* *ret_mine: nobody else claims the number. *ret_claimed: this spool does. */
static enum err read_claims(struct http_client *client, const struct clickhouse_config *config, const char *url,
                            const char *id, bool *ret_mine, bool *ret_claimed, struct fault *fault)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql, "SELECT DISTINCT id FROM node WHERE number = %" PRId64 ROWS_FORMAT, config->node);
    struct http_reply reply;
    enum err err = run(client, config, url, "SYSTEM SYNC REPLICA node", &reply, fault);
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
        snprintf(sql, sizeof sql, "INSERT INTO node SELECT toUInt32(%" PRId64 "), '%s'", config->node, id);
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
