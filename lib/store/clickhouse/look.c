/* look.c: how the servers are. Knows what each may lack, and what to do about it. Changes nothing. */
#include "store/clickhouse/care.h"

#include "store/clickhouse/blocks.h"
#include "store/clickhouse/http.h"
#include "store/clickhouse/mark.h"
#include "store/clickhouse/rows.h"
#include "store/clickhouse/schema.h"
#include "store/clickhouse/servers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define WORDS_BYTES 768
#define LAG_SECONDS 60     /* of a replica */
#define SESSION_SECONDS 10 /* a table may stay read-only for so long after ZooKeeper's return */

struct looking {
    const struct clickhouse_config *config;
    const struct clickhouse_look *look;
    struct http_client *client;
    const char *url;
    bool *is_away; /* it did not answer the last question */
};

static void find(const struct looking *looking, enum clickhouse_level level, const char *advice, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));
static void find(const struct looking *looking, enum clickhouse_level level, const char *advice, const char *format,
                 ...)
{
    char words[WORDS_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    looking->look->tell(looking->look->ctx, &(struct clickhouse_finding){level, words, advice});
}

/* One row of the server's. */
static enum err ask(const struct looking *looking, const char *sql, size_t columns, struct rows *ret_rows,
                    struct fault *fault)
{
    /* The settings' database need not be there. */
    struct http_statement statement = {.url = looking->url, .database = "system", .sql = sql};
    struct http_reply reply;
    enum err err = http_run(looking->client, &statement, &reply, fault);
    *looking->is_away = err && !reply.answered;
    return err ? err : rows_parse(reply.body, reply.body_bytes, columns, ret_rows, fault);
}

/* Its numbers; *ret_found is false where there is no row. */
static enum err ask_numbers(const struct looking *looking, const char *sql, size_t columns, int64_t *ret_numbers,
                            bool *ret_found, struct fault *fault)
{
    struct rows rows;
    enum err err = ask(looking, sql, columns, &rows, fault);
    if (err)
        return err;
    *ret_found = rows.count > 0;
    for (size_t i = 0; !err && *ret_found && i < columns; i++)
        err = rows_i64(&rows, 0, i, &ret_numbers[i], fault);
    rows_release(&rows);
    return err;
}

/* What to do where the first question failed. `refused`: if the server answered. */
static const char *first_advice(const struct looking *looking, const char *refused)
{
    return *looking->is_away
               ? "check clickhouse_urls, and that the server runs; under systemd, also that the drop-in is"
                 " there and permits its address (docs/scaling.md, \"Under systemd\")"
               : refused;
}

/* ---- as the user who writes ---- */

static void look_at_clock(const struct looking *looking)
{
    struct fault fault;
    int64_t now = 0;
    if (blocks_clock(looking->client, looking->url, &now, &fault))
        return;
    int64_t apart = now - looking->look->now;
    if (llabs(apart) > BLOCKS_CLOCK_APART)
        find(looking, CLICKHOUSE_TROUBLE, "set the clock of the one that is wrong",
             "the clock of %s is %lld s from the one here", looking->url, (long long)apart);
}

enum { READONLY, EXPIRED, DELAY, TOTAL, ACTIVE, REPLICA_COLUMNS };

static void find_replica(const struct looking *looking, const int64_t *replica)
{
    if (replica[READONLY] || replica[EXPIRED])
        find(looking, CLICKHOUSE_TROUBLE, "see that ZooKeeper or Keeper runs and has room; its log says more",
             "the table " CLICKHOUSE_LOGS " at %s is read-only: the server has no session with ZooKeeper",
             looking->url);
    else if (replica[DELAY] > LAG_SECONDS)
        find(looking, CLICKHOUSE_WARNING, "see system.replication_queue there",
             "%s lags %lld s behind the other replicas", looking->url, (long long)replica[DELAY]);
    else if (replica[ACTIVE] < replica[TOTAL])
        find(looking, CLICKHOUSE_WARNING, "start the others, or SYSTEM DROP REPLICA for those that are gone for good",
             "%lld of %lld replicas of %s's shard are active", (long long)replica[ACTIVE], (long long)replica[TOTAL],
             looking->url);
    else if (replica[TOTAL] < 2)
        find(looking, CLICKHOUSE_WARNING, "add a second replica",
             "%s is its shard's only replica: what it loses in a power failure is lost", looking->url);
    else
        find(looking, CLICKHOUSE_FINE, NULL, "%s takes logs: %lld replicas, %lld s behind", looking->url,
             (long long)replica[TOTAL], (long long)replica[DELAY]);
}

static void look_at_replica(const struct looking *looking)
{
    char sql[512];
    int64_t replica[REPLICA_COLUMNS] = {0};
    struct fault fault;
    bool found = false;
    snprintf(sql, sizeof sql,
             "SELECT is_readonly, is_session_expired, absolute_delay, total_replicas, active_replicas FROM"
             " system.replicas WHERE database = '%s' AND table = '" CLICKHOUSE_LOGS "'" ROWS_FORMAT,
             looking->config->database);
    if (ask_numbers(looking, sql, REPLICA_COLUMNS, replica, &found, &fault))
        find(looking, CLICKHOUSE_TROUBLE, "let this user read system.replicas", "%s", fault.detail);
    else if (found)
        find_replica(looking, replica);
}

static void look_at_session_check(const struct looking *looking)
{
    struct fault fault;
    bool found = false;
    int64_t seconds = 0;
    if (ask_numbers(looking,
                    "SELECT toInt64(value) FROM system.merge_tree_settings"
                    " WHERE name = 'zookeeper_session_expiration_check_period'" ROWS_FORMAT,
                    1, &seconds, &found, &fault) ||
        !found || seconds <= SESSION_SECONDS)
        return;
    find(looking, CLICKHOUSE_WARNING, "set zookeeper_session_expiration_check_period to 1 in <merge_tree>",
         "tables at %s may stay read-only for %lld s after ZooKeeper has come back", looking->url, (long long)seconds);
}

static bool has_tables(const struct looking *looking)
{
    char sql[256];
    struct fault fault;
    bool found = false;
    int64_t tables = 1;
    snprintf(sql, sizeof sql,
             "SELECT count() FROM system.tables WHERE database = '%s' AND name = 'schema_version'" ROWS_FORMAT,
             looking->config->database);
    return ask_numbers(looking, sql, 1, &tables, &found, &fault) || tables > 0;
}

/* False: nothing else can be told of it. Missing tables are no fault: a reload of a newer version asks before it makes
 * them. */
static bool look_at_schema(const struct looking *looking)
{
    struct fault fault;
    bool has_some = has_tables(looking), is_made = false;
    enum err err = OK;
    if (has_some)
        err = schema_is_made(looking->client, looking->config, looking->url, &is_made, &fault);
    if (!err && !is_made) {
        find(looking, CLICKHOUSE_WARNING, "analytics-ingest makes them when it starts", "there are %s at %s",
             has_some ? "not all tables yet" : "no tables yet", looking->url);
        return false;
    }
    if (!err && !schema_check(looking->client, looking->config, looking->url, &fault))
        return true;
    find(looking, CLICKHOUSE_TROUBLE, "docs/scaling.md says what each server needs", "%s", fault.detail);
    return false;
}

static void look_as_writer(const struct looking *looking)
{
    struct rows rows;
    struct fault fault;
    if (ask(looking, "SELECT version()" ROWS_FORMAT, 1, &rows, &fault)) {
        find(looking, CLICKHOUSE_TROUBLE,
             first_advice(looking, "check clickhouse_urls, clickhouse_user and clickhouse_password_file"), "%s",
             fault.detail);
        return;
    }
    rows_release(&rows);
    look_at_clock(looking);
    look_at_session_check(looking);
    if (look_at_schema(looking))
        look_at_replica(looking);
}

/* ---- as the user of reports ---- */

static void look_as_reports(const struct looking *looking)
{
    struct fault fault;
    bool found = false, has_mark = false;
    int64_t readonly = 0;
    if (ask_numbers(looking, "SELECT toInt64(value) FROM system.settings WHERE name = 'readonly'" ROWS_FORMAT, 1,
                    &readonly, &found, &fault))
        find(looking, CLICKHOUSE_TROUBLE,
             first_advice(looking, "check clickhouse_reports_user and clickhouse_reports_password_file"), "%s",
             fault.detail);
    else if (readonly == 1)
        find(looking, CLICKHOUSE_TROUBLE, "set readonly = 2 in its profile: reports send settings with their questions",
             "%s is readonly = 1 at %s", looking->config->reports_user, looking->url);
    else if (readonly == 0)
        find(looking, CLICKHOUSE_WARNING, "set readonly = 2 in its profile", "%s may change data at %s",
             looking->config->reports_user, looking->url);
    else if (mark_find(looking->client, looking->url, "0", 0, 1, &has_mark, &fault)) /* of no spool */
        find(looking, CLICKHOUSE_TROUBLE, "let this user read all tables of the database", "%s", fault.detail);
    else
        find(looking, CLICKHOUSE_FINE, NULL, "%s answers %s, which may only read", looking->url,
             looking->config->reports_user);
}

/* ---- all of them ---- */

static void look_as(const struct clickhouse_config *config, const struct clickhouse_look *look,
                    const struct servers *servers, enum http_user user)
{
    bool is_away = false;
    struct looking looking = {.config = config, .look = look, .is_away = &is_away};
    struct fault fault;
    if (http_client_open(config, user, &looking.client, &fault)) {
        find(&looking, CLICKHOUSE_TROUBLE, "give the file to the service's user, mode 0400", "%s", fault.detail);
        return;
    }
    for (size_t shard = 0; shard < servers->shard_count; shard++)
        for (size_t i = 0; i < servers->shards[shard].replica_count; i++) {
            looking.url = servers->shards[shard].urls[i];
            if (user == HTTP_WRITER)
                look_as_writer(&looking);
            else
                look_as_reports(&looking);
        }
    http_client_close(looking.client);
}

void clickhouse_look(const struct clickhouse_config *config, const struct clickhouse_look *look)
{
    struct servers servers;
    struct looking looking = {.config = config, .look = look};
    struct fault fault;
    if (servers_parse(config->urls, &servers, &fault)) {
        find(&looking, CLICKHOUSE_TROUBLE, "mend the settings", "%s", fault.detail);
        return;
    }
    if (look->as_writer)
        look_as(config, look, &servers, HTTP_WRITER);
    if (look->as_reports)
        look_as(config, look, &servers, HTTP_REPORTS);
}
