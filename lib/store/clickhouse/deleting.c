/* deleting.c: how logs and sums go from ClickHouse. Knows horizons, partitions and mutations. Does not know who wants
 * what deleted. */
#include "store/clickhouse/deleting.h"

#include "base/int64.h"
#include "store/clickhouse/ask.h"
#include "store/clickhouse/blocks.h"
#include "store/clickhouse/kept.h"
#include "store/clickhouse/schema.h"
#include "time/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

#define SQL_BYTES 1024
#define STATEMENT_BYTES ((size_t)64 << 10)
#define MUTATION_BYTES 64
#define LOOK_AGAIN_NS 100000000L

static const char *const tables[] = {CLICKHOUSE_LOGS, CLICKHOUSE_SUMS};
enum { TABLES = sizeof tables / sizeof *tables };

const char *deleting_url(const struct deleting *deleting, size_t shard)
{
    size_t replica = deleting->replica[shard];
    return deleting->servers->shards[shard]
        .urls[replica < deleting->servers->shards[shard].replica_count ? replica : 0];
}

static enum err run(const struct deleting *deleting, const char *url, const char *sql, struct fault *fault)
{
    struct http_reply reply;
    return http_run(deleting->client, &(struct http_statement){.url = url, .sql = sql}, &reply, fault);
}

static enum err ask(const struct deleting *deleting, const char *url, const char *sql, struct rows *ret_rows,
                    struct fault *fault)
{
    return ask_rows(deleting->client, &(struct http_statement){.url = url, .sql = sql}, 1, ret_rows, fault);
}

static enum err ask_one(const struct deleting *deleting, const char *url, const char *sql, int64_t *ret_number,
                        struct fault *fault)
{
    return ask_number(deleting->client, &(struct http_statement){.url = url, .sql = sql}, ret_number, fault);
}

/* ---- the horizon ---- */

/* The day of the newest log of all shards; 0: there is none. */
static enum err find_newest(const struct deleting *deleting, int64_t *ret_day, struct fault *fault)
{
    enum err err = OK;
    *ret_day = 0;
    for (size_t shard = 0; !err && shard < deleting->servers->shard_count; shard++) {
        int64_t day = 0;
        err = ask_one(deleting, deleting_url(deleting, shard),
                      "SELECT toInt64(max(day)) FROM " CLICKHOUSE_SUMS " WHERE kind = 1" ROWS_FORMAT, &day, fault);
        *ret_day = max64(*ret_day, day);
    }
    return err;
}

enum err deleting_find(const struct deleting *deleting, int64_t days, int64_t now, int64_t *ret_from, int64_t *ret_due,
                       struct fault *fault)
{
    int64_t newest = 0;
    enum err err = find_newest(deleting, &newest, fault);
    struct kept_state kept = {0};
    if (!err)
        err = kept_read(deleting->client, deleting_url(deleting, 0), 0, &kept, fault);
    if (err)
        return err;
    *ret_from = kept.from_day;
    *ret_due = max64(min64(newest, now / WHEN_DAY) - days, kept.from_day);
    kept_release(&kept);
    return OK;
}

enum err deleting_move(const struct deleting *deleting, int64_t days, int64_t now, int64_t *ret_day,
                       struct fault *fault)
{
    int64_t from = 0, due = 0;
    enum err err = deleting_find(deleting, days, now, &from, &due, fault);
    if (!err && due > from)
        err = kept_note(deleting->client, deleting_url(deleting, 0), KEPT_FROM, &due, 1, now, fault);
    if (!err)
        *ret_day = due;
    return err;
}

/* ---- partitions ---- */

/* Old versions have one replica of a table lead, and cannot tell it of a partition with any other user than "default".
 * With newer ones all do. */
static enum err find_leader(const struct deleting *deleting, size_t shard, const char *table, const char **ret_url,
                            struct fault *fault)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql,
             "SELECT toInt64(is_leader) FROM system.replicas WHERE database = '%s' AND table = '%s'" ROWS_FORMAT,
             deleting->config->database, table);
    for (size_t i = 0; i < deleting->servers->shards[shard].replica_count; i++) {
        const char *url = deleting->servers->shards[shard].urls[i];
        int64_t leads = 0;
        if (!ask_one(deleting, url, sql, &leads, fault) && leads) {
            *ret_url = url;
            return OK;
        }
    }
    return fault_set(fault, ERR_UNAVAILABLE, "no replica of shard %zu leads the table %s now", shard + 1, table);
}

static enum err drop_partitions(const struct deleting *deleting, size_t shard, const char *table, int64_t day,
                                struct fault *fault)
{
    const char *url = NULL;
    enum err err = find_leader(deleting, shard, table, &url, fault);
    if (err)
        return err;
    char sql[SQL_BYTES];
    struct rows rows;
    snprintf(sql, sizeof sql,
             "SELECT DISTINCT partition FROM system.parts WHERE database = '%s' AND table = '%s' AND active AND"
             " toUInt32(partition) < toYYYYMM(toDate(least(%" PRId64 ", 47481)))" ROWS_FORMAT,
             deleting->config->database, table, day);
    err = ask(deleting, url, sql, &rows, fault);
    if (err)
        return err;
    for (size_t i = 0; !err && i < rows.count; i++) {
        const char *partition = NULL;
        err = rows_text(&rows, i, 0, &partition, fault);
        if (err)
            break;
        snprintf(sql, sizeof sql, "ALTER TABLE %s DROP PARTITION %.*s", table, (int)strspn(partition, "0123456789"),
                 partition);
        err = run(deleting, url, sql, fault);
    }
    rows_release(&rows);
    return err;
}

enum err deleting_drop(const struct deleting *deleting, int64_t day, struct fault *fault)
{
    enum err err = OK;
    for (size_t shard = 0; shard < deleting->servers->shard_count; shard++)
        for (int i = 0; !err && i < TABLES; i++)
            err = drop_partitions(deleting, shard, tables[i], day, fault);
    return err;
}

/* ---- mutations ---- */

/* The newest mutation of a table that a server knows; "": none. */
static enum err find_mutation(const struct deleting *deleting, const char *url, const char *table,
                              char ret_mutation[MUTATION_BYTES], struct fault *fault)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql,
             "SELECT max(mutation_id) FROM system.mutations WHERE database = '%s' AND table = '%s'" ROWS_FORMAT,
             deleting->config->database, table);
    struct rows rows;
    enum err err = ask(deleting, url, sql, &rows, fault);
    if (err)
        return err;
    const char *mutation = "";
    if (rows.count > 0)
        err = rows_text(&rows, 0, 0, &mutation, fault);
    if (!err)
        snprintf(ret_mutation, MUTATION_BYTES, "%.*s", (int)strspn(mutation, "0123456789"), mutation);
    rows_release(&rows);
    return err;
}

static enum err nap(const struct watch *watch, struct fault *fault)
{
    nanosleep(&(struct timespec){.tv_nsec = LOOK_AGAIN_NS}, NULL);
    return watch_is_stopped(watch) ? fault_stopped(fault) : OK;
}

/* A server learns of its own mutation a moment after it was asked for it. */
static enum err begin_mutation(const struct deleting *deleting, const char *url, const char *table, const char *sql,
                               const struct watch *watch, char ret_mutation[MUTATION_BYTES], struct fault *fault)
{
    char before[MUTATION_BYTES];
    enum err err = find_mutation(deleting, url, table, before, fault);
    if (!err)
        err = run(deleting, url, sql, fault);
    snprintf(ret_mutation, MUTATION_BYTES, "%s", before);
    while (!err && strcmp(ret_mutation, before) == 0) {
        err = nap(watch, fault);
        if (!err)
            err = find_mutation(deleting, url, table, ret_mutation, fault);
    }
    return err;
}

/* A replica that is away does it when it is back: until then it answers nobody. */
static enum err await_mutation(const struct deleting *deleting, const char *url, const char *table,
                               const char *mutation, const struct watch *watch, struct fault *fault)
{
    char sql[SQL_BYTES];
    snprintf(sql, sizeof sql,
             "SELECT count() FROM system.mutations WHERE database = '%s' AND table = '%s' AND mutation_id = '%s' AND"
             " is_done" ROWS_FORMAT,
             deleting->config->database, table, mutation);
    int64_t done = 0;
    bool hangs = false;
    enum err err = OK;
    while (!err && !done && !blocks_is_silent(deleting->client, url, &hangs)) {
        err = ask_one(deleting, url, sql, &done, fault);
        if (!err && !done)
            err = nap(watch, fault);
    }
    return err;
}

static enum err delete_of_shard(const struct deleting *deleting, size_t shard, const char *table, const char *sql,
                                const struct watch *watch, struct fault *fault)
{
    char mutation[MUTATION_BYTES];
    enum err err = begin_mutation(deleting, deleting_url(deleting, shard), table, sql, watch, mutation, fault);
    for (size_t i = 0; !err && i < deleting->servers->shards[shard].replica_count; i++)
        err = await_mutation(deleting, deleting->servers->shards[shard].urls[i], table, mutation, watch, fault);
    return err;
}

enum err deleting_rows(const struct deleting *deleting, const char *table, const char *where, const struct watch *watch,
                       struct fault *fault)
{
    struct buf sql;
    buf_init(&sql, STATEMENT_BYTES);
    buf_puts(&sql, "ALTER TABLE ");
    buf_puts(&sql, table);
    buf_puts(&sql, " DELETE WHERE ");
    buf_puts(&sql, where);
    const char *text = buf_cstr(&sql);
    enum err err = text ? OK : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    for (size_t shard = 0; !err && shard < deleting->servers->shard_count; shard++)
        err = delete_of_shard(deleting, shard, table, text, watch, fault);
    buf_release(&sql);
    return err;
}
