/* blocks.c: one block of the spool and ClickHouse. Knows statements. Does not know when which is due. */
#include "store/clickhouse/blocks.h"

#include "base/int64.h"
#include "store/clickhouse/ask.h"
#include "store/clickhouse/log_block.h"
#include "store/clickhouse/schema.h"
#include "time/mono.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

#define SQL_BYTES 1024
#define THERE_MS 2000
#define LOOK_AGAIN_NS 20000000L
#define LOOK_LEAST_MS 500             /* a look that begins just before the deadline may end after it */
#define KEPT_BYTES ((size_t)32 << 20) /* a body of 50,000 usual logs has 8 MB */

uint64_t blocks_wide_number(int64_t node, int64_t number)
{
    return (uint64_t)node << 40 | (uint64_t)number;
}

void blocks_release(struct blocks *blocks)
{
    native_release(&blocks->logs);
    sum_block_release(&blocks->sums);
    for (int part = 0; part < BLOCKS_PARTS; part++)
        buf_release(&blocks->body[part]);
    blocks->number = 0;
}

static void begin_load(struct blocks *blocks)
{
    if (blocks->body[BLOCKS_LOGS].cap > KEPT_BYTES)
        blocks_release(blocks);
    blocks->number = 0;
    log_block_begin(&blocks->logs);
    sum_block_begin(&blocks->sums);
    for (int part = 0; part < BLOCKS_PARTS; part++) {
        blocks->body[part].max = NATIVE_BODY_BYTES;
        buf_clear(&blocks->body[part]);
    }
}

/* Both parts while the spool is read. */
struct loading {
    struct blocks *blocks;
    uint64_t number;
};

static void put_log(void *ctx, const struct log_text *log)
{
    struct loading *loading = ctx;
    log_block_put(&loading->blocks->logs, loading->number, log);
    sum_block_put(&loading->blocks->sums, log);
}

enum err blocks_load(struct blocks *blocks, struct spool_reader *spool, const struct spool_block *block, int64_t node,
                     struct fault *fault)
{
    if (blocks->number == block->number)
        return OK;
    struct loading loading = {blocks, blocks_wide_number(node, block->number)};
    begin_load(blocks);
    enum err err = spool_read(spool, block, put_log, &loading, fault);
    if (err)
        return err;
    if ((int64_t)blocks->logs.rows != block->logs)
        return fault_set(fault, ERR_UNAVAILABLE, "block %lld of the spool has %zu logs, and not %lld",
                         (long long)block->number, blocks->logs.rows, (long long)block->logs);
    if (native_end(&blocks->logs, &blocks->body[BLOCKS_LOGS]) ||
        sum_block_end(&blocks->sums, loading.number, spool, &blocks->body[BLOCKS_SUMS]))
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    blocks->number = block->number;
    return OK;
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

/* ---- what the other replicas took ---- */

enum { IS_CONNECTED, LAG, IS_NEW, PULLED, WAITING, STATE_COLUMNS };

/* log_pointer is behind the newest entry of the replicas' common log, log_max_index, once the table has pulled all of
 * it into its queue; of a log without an entry both are 0, as they are of one whose only entry was not pulled. Merges
 * in the queue are of what is there. */
#define ASK_STATE                                                                                                      \
    "SELECT NOT is_readonly AND NOT is_session_expired, absolute_delay, log_pointer = 0 AND log_max_index = 0,"        \
    " log_pointer > log_max_index, queue_size - merges_in_queue FROM system.replicas WHERE database = '%s' AND table " \
    "= '%s'" ROWS_FORMAT

enum err blocks_look(struct http_client *client, const struct clickhouse_config *config, const char *url,
                     const char *table, int64_t timeout_ms, struct blocks_state *ret_state, struct fault *fault)
{
    char sql[SQL_BYTES];
    int64_t number[STATE_COLUMNS] = {0};
    struct rows rows;
    snprintf(sql, sizeof sql, ASK_STATE, config->database, table);
    const struct http_statement statement = {.url = url, .sql = sql, .timeout_ms = timeout_ms};
    enum err err = ask_rows(client, &statement, STATE_COLUMNS, &rows, fault);
    if (err)
        return err;
    bool exists = rows.count > 0;
    for (size_t i = 0; !err && exists && i < STATE_COLUMNS; i++)
        err = rows_i64(&rows, 0, i, &number[i], fault);
    rows_release(&rows);
    if (!err)
        *ret_state = (struct blocks_state){.exists = exists,
                                           .is_connected = number[IS_CONNECTED] != 0,
                                           .lag = number[LAG],
                                           .is_new = number[IS_NEW] != 0,
                                           .has_pulled = number[PULLED] != 0,
                                           .waiting = number[WAITING]};
    return err;
}

/* A table's delay counts from 1970 until it has first read what the others took: while ZooKeeper takes the server's
 * dead self for alive, as long as a session lasts. It looks as if it lacked nothing then. */
static bool has_begun(const struct blocks_state *state)
{
    return state->lag < time(NULL) / 2;
}

static enum err require_following(const char *url, const char *table, const struct blocks_state *state,
                                  struct fault *fault)
{
    if (!state->exists)
        return fault_set(fault, ERR_UNAVAILABLE, "%s lacks the table %s", url, table);
    if (!state->is_connected)
        return fault_set(fault, ERR_UNAVAILABLE,
                         "the table %s at %s is read-only: the server has no session with ZooKeeper", table, url);
    if (!has_begun(state))
        return fault_set(fault, ERR_UNAVAILABLE, "%s has started, and does not know yet what other replicas took", url);
    return OK;
}

static enum err sync_new(struct http_client *client, const char *url, const char *table, int64_t timeout_ms,
                         struct fault *fault)
{
    char sql[SQL_BYTES];
    struct http_reply reply;
    snprintf(sql, sizeof sql, "SYSTEM SYNC REPLICA %s", table);
    return http_run(client, &(struct http_statement){.url = url, .sql = sql, .timeout_ms = timeout_ms}, &reply, fault);
}

/* Asks again and again, rather than let the server wait (SYSTEM SYNC REPLICA): it would wait for merges, too, and go on
 * when we have given up. What was pulled when it was asked once has left the queue when it is asked again. */
enum err blocks_sync_table(struct http_client *client, const struct clickhouse_config *config, const char *url,
                           const char *table, int64_t timeout_ms, struct fault *fault)
{
    const int64_t deadline_ms = mono_ms() + timeout_ms;
    bool has_pulled = false;
    for (int64_t left_ms = timeout_ms; left_ms > 0; left_ms = deadline_ms - mono_ms()) {
        struct blocks_state state;
        const int64_t look_ms = max64(left_ms, LOOK_LEAST_MS);
        enum err err = blocks_look(client, config, url, table, look_ms, &state, fault);
        if (!err)
            err = require_following(url, table, &state, fault);
        if (!err && state.is_new)
            return sync_new(client, url, table, look_ms, fault);
        if (err || (has_pulled && state.waiting == 0))
            return err;
        if (has_pulled || !state.has_pulled)
            nanosleep(&(struct timespec){.tv_nsec = LOOK_AGAIN_NS}, NULL);
        has_pulled |= state.has_pulled;
    }
    return fault_set(fault, ERR_UNAVAILABLE, "the table %s at %s has not fetched yet what other replicas took", table,
                     url);
}

enum err blocks_sync(struct http_client *client, const struct clickhouse_config *config, const char *url,
                     int64_t timeout_ms, struct fault *fault)
{
    static const char *const tables[] = {CLICKHOUSE_LOGS, CLICKHOUSE_SUMS, CLICKHOUSE_KEPT};
    enum err err = OK;
    for (size_t i = 0; !err && i < sizeof tables / sizeof *tables; i++)
        err = blocks_sync_table(client, config, url, tables[i], timeout_ms, fault);
    return err;
}

static enum err greet(struct http_client *client, const char *url, struct http_reply *ret_reply)
{
    struct http_statement statement = {.url = url, .database = "system", .sql = "SELECT 1", .timeout_ms = THERE_MS};
    struct fault ignored;
    return http_run(client, &statement, ret_reply, &ignored);
}

bool blocks_is_there(struct http_client *client, const char *url)
{
    struct http_reply reply;
    return !greet(client, url, &reply);
}

bool blocks_is_silent(struct http_client *client, const char *url, bool *ret_hangs)
{
    struct http_reply reply;
    bool is_silent = greet(client, url, &reply) && !reply.answered;
    *ret_hangs = is_silent && reply.timed_out;
    return is_silent;
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
    const struct http_statement statement = {.url = url, .sql = sql, .timeout_ms = config->timeout_ms};
    struct rows rows;
    enum err err = blocks_sync_table(client, config, url, CLICKHOUSE_CLAIMS, config->timeout_ms, fault);
    if (!err)
        err = ask_rows(client, &statement, 1, &rows, fault);
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
                           const char *id, bool *ret_mine, struct fault *fault)
{
    bool claimed = false;
    enum err err = read_claims(client, config, url, id, ret_mine, &claimed, fault);
    if (!err && *ret_mine && !claimed) {
        char sql[SQL_BYTES];
        snprintf(sql, sizeof sql, "INSERT INTO " CLICKHOUSE_CLAIMS " SELECT toUInt32(%" PRId64 "), '%s'", config->node,
                 id);
        struct http_reply reply;
        err = run(client, config, url, sql, &reply, fault);
        if (!err)
            err = read_claims(client, config, url, id, ret_mine, &claimed, fault);
    }
    return err;
}
