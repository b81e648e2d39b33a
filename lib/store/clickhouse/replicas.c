/* replicas.c: whom reports ask. Knows when a replica may be asked. Does not know what was sent to which. */
#include "store/clickhouse/replicas.h"

#include "store/clickhouse/blocks.h"
#include "store/clickhouse/mark.h"
#include "store/clickhouse/schema.h"
#include "time/mono.h"

#include <stdio.h>

#include "base/banned.h"

#define LOOK_MS 2000
#define GET_READY_EACH_MS 10000
#define SYNC_MS 3000 /* one that takes longer is tried again, after the others */

const char *replicas_url(const struct replicas *replicas, size_t shard, size_t replica)
{
    return replicas->servers.shards[shard].urls[replica];
}

size_t replicas_count(const struct replicas *replicas, size_t shard)
{
    return replicas->servers.shards[shard].replica_count;
}

size_t replicas_nth(const struct replicas *replicas, size_t shard, size_t n)
{
    return (replicas->target.replica[shard] + n) % replicas_count(replicas, shard);
}

void replicas_begin(struct replicas *replicas, const struct spool_target *target, const char *id)
{
    replicas->target = *target;
    snprintf(replicas->id, sizeof replicas->id, "%s", id);
    for (size_t shard = 0; shard < replicas->servers.shard_count; shard++) {
        replicas->marks[shard] = 0;
        if (target->replica[shard] >= replicas_count(replicas, shard))
            replicas->target.replica[shard] = 0;
    }
    replicas->marks[0] = target->mark;
}

/* ---- at the start ---- */

enum err replicas_get_ready(struct replicas *replicas, size_t shard, size_t replica, struct fault *fault)
{
    bool *is_ready = &replicas->is_ready[shard][replica];
    if (*is_ready)
        return OK;
    enum err err = schema_make(replicas->client, replicas->config, replicas_url(replicas, shard, replica), fault);
    *is_ready = !err;
    return err;
}

static enum err get_shard_ready(struct replicas *replicas, size_t shard, struct fault *fault)
{
    size_t ready = 0;
    struct fault away = {0};
    for (size_t i = 0; i < replicas_count(replicas, shard); i++) {
        enum err err = replicas_get_ready(replicas, shard, i, &away);
        if (err && blocks_is_there(replicas->client, replicas_url(replicas, shard, i))) {
            *fault = away;
            return err;
        }
        ready += !err;
    }
    return ready ? OK : fault_set(fault, ERR_UNAVAILABLE, "%s", away.detail);
}

enum err replicas_get_shards_ready(struct replicas *replicas, struct fault *fault)
{
    enum err err = OK;
    for (size_t shard = 0; !err && shard < replicas->servers.shard_count; shard++)
        err = get_shard_ready(replicas, shard, fault);
    return err;
}

/* At the first replica that has caught up. */
enum err replicas_claim_node(struct replicas *replicas, struct fault *fault)
{
    bool is_mine = false;
    enum err err = ERR_UNAVAILABLE;
    for (size_t i = 0; err && i < replicas_count(replicas, 0); i++) {
        size_t replica = replicas_nth(replicas, 0, i);
        err = replicas_get_ready(replicas, 0, replica, fault);
        if (!err)
            err = blocks_claim_node(replicas->client, replicas->config, replicas_url(replicas, 0, replica),
                                    replicas->id, &is_mine, fault);
    }
    if (!err && !is_mine)
        err = fault_set(fault, ERR_UNAVAILABLE,
                        "another data folder ships to this ClickHouse as node %lld: give each machine its own"
                        " clickhouse_node",
                        (long long)replicas->config->node);
    return err;
}

/* ---- what was sent ---- */

/* One that Distributed tables ask. OK also where the replica is not asked for it: it lacks the table, or lags. */
static enum err spread_table(struct replicas *replicas, const char *url, const char *table, int64_t age_ms,
                             bool *ret_waits, struct fault *fault)
{
    struct blocks_state state;
    struct fault ignored;
    enum err err = blocks_sync_table(replicas->client, replicas->config, url, table, SYNC_MS, fault);
    if (!err)
        return OK;
    if (blocks_look(replicas->client, replicas->config, url, table, LOOK_MS, &state, &ignored))
        return err;
    *ret_waits = age_ms < REPLICAS_LAG_MS;
    return *ret_waits || !state.exists || state.lag >= REPLICAS_LAG_MS / 1000 ? OK : err;
}

/* Asked first, since other questions wait for longer. */
static bool is_away(struct replicas *replicas, const char *url, int64_t age_ms, bool *ret_waits)
{
    bool hangs = false;
    if (!blocks_is_silent(replicas->client, url, &hangs))
        return false;
    *ret_waits = hangs && age_ms < REPLICAS_LAG_MS;
    return true;
}

static enum err spread_to(struct replicas *replicas, size_t shard, size_t replica, int64_t age_ms, bool *ret_waits,
                          struct fault *fault)
{
    const char *url = replicas_url(replicas, shard, replica);
    if (is_away(replicas, url, age_ms, ret_waits))
        return OK;
    enum err err = spread_table(replicas, url, CLICKHOUSE_LOGS, age_ms, ret_waits, fault);
    if (!err && !*ret_waits)
        err = spread_table(replicas, url, CLICKHOUSE_SUMS, age_ms, ret_waits, fault);
    return err && is_away(replicas, url, age_ms, ret_waits) ? OK : err;
}

enum err replicas_spread(struct replicas *replicas, int64_t age_ms, bool *ret_waits, struct fault *fault)
{
    enum err err = OK;
    *ret_waits = false;
    if (!replicas->config->cluster[0])
        return OK;
    for (size_t shard = 0; shard < replicas->servers.shard_count; shard++)
        for (size_t i = 0; !err && !*ret_waits && !*replicas->stopping && i < replicas_count(replicas, shard); i++)
            err = spread_to(replicas, shard, i, age_ms, ret_waits, fault);
    return err;
}

/* ---- whom reports ask ---- */

void replicas_turn_to(struct replicas *replicas, size_t shard, size_t replica)
{
    struct spool_target *target = &replicas->target;
    replicas->has_news |= target->mark != 0 || target->replica[shard] != replica;
    target->replica[shard] = (unsigned char)replica;
    target->mark = replicas->marks[shard] = 0;
}

/* It has everything, and a mark that says so. It is asked again behind the mark: that is lost where the server started
 * meanwhile, and so may logs be. */
static enum err catch_up_at(struct replicas *replicas, const char *url, int64_t mark, struct fault *fault)
{
    enum err err = blocks_sync(replicas->client, replicas->config, url, SYNC_MS, fault);
    if (!err)
        err = mark_leave(replicas->client, url, replicas->id, mark, fault);
    return err ? err : blocks_sync(replicas->client, replicas->config, url, SYNC_MS, fault);
}

/* A server whose disk was replaced gets its tables again. */
static void note_missing(struct replicas *replicas, size_t shard, size_t replica)
{
    struct blocks_state state;
    struct fault ignored;
    if (!blocks_look(replicas->client, replicas->config, replicas_url(replicas, shard, replica), CLICKHOUSE_LOGS,
                     LOOK_MS, &state, &ignored) &&
        !state.exists)
        replicas->is_ready[shard][replica] = false;
}

static enum err catch_up_shard(struct replicas *replicas, size_t shard, struct fault *fault)
{
    enum err err = fault_set(fault, ERR_UNAVAILABLE, "stopped");
    for (size_t i = 0; err && !*replicas->stopping && i < replicas_count(replicas, shard); i++) {
        size_t replica = replicas_nth(replicas, shard, i);
        int64_t mark = mark_new();
        err = replicas_get_ready(replicas, shard, replica, fault);
        if (!err)
            err = catch_up_at(replicas, replicas_url(replicas, shard, replica), mark, fault);
        if (err) {
            note_missing(replicas, shard, replica);
            continue;
        }
        replicas_turn_to(replicas, shard, replica);
        replicas->marks[shard] = mark;
    }
    return err;
}

/* All of them have everything, or reports wait. */
static enum err catch_up(struct replicas *replicas, struct fault *fault)
{
    enum err err = OK;
    for (size_t shard = 0; !err && shard < replicas->servers.shard_count; shard++)
        if (!replicas->marks[shard])
            err = catch_up_shard(replicas, shard, fault);
    if (err || replicas->target.mark)
        return err;
    replicas->target.mark = replicas->marks[0];
    replicas->has_news = true;
    return OK;
}

/* It has not started again since it had everything. Of one that is only slow that is not known: reports ask it, too. */
static bool is_as_before(struct replicas *replicas, size_t shard)
{
    const char *url = replicas_url(replicas, shard, replicas->target.replica[shard]);
    bool has_mark = false;
    struct fault ignored;
    if (!replicas->marks[shard])
        return false;
    enum err err = mark_find(replicas->client, url, replicas->id, LOOK_MS, replicas->marks[shard], &has_mark, &ignored);
    return err == ERR_QUERY_TIMEOUT ? blocks_is_there(replicas->client, url) : !err && has_mark;
}

static bool answers(struct replicas *replicas, size_t shard, size_t replica)
{
    struct fault ignored;
    return blocks_is_there(replicas->client, replicas_url(replicas, shard, replica)) &&
           !replicas_get_ready(replicas, shard, replica, &ignored);
}

/* Where none answers, the current one stays. */
static void look(struct replicas *replicas)
{
    for (size_t shard = 0; shard < replicas->servers.shard_count; shard++) {
        size_t count = replicas_count(replicas, shard), silent = 0;
        if (is_as_before(replicas, shard))
            continue;
        while (silent < count && !answers(replicas, shard, replicas_nth(replicas, shard, silent)))
            silent++;
        replicas_turn_to(replicas, shard, replicas_nth(replicas, shard, silent));
    }
}

/* Those that were away when the shipper began. */
static void get_others_ready(struct replicas *replicas)
{
    struct fault ignored;
    for (size_t shard = 0; shard < replicas->servers.shard_count; shard++)
        for (size_t i = 0; i < replicas_count(replicas, shard); i++)
            if (!replicas->is_ready[shard][i] && blocks_is_there(replicas->client, replicas_url(replicas, shard, i)))
                replicas_get_ready(replicas, shard, i, &ignored);
}

enum err replicas_look_after(struct replicas *replicas, struct fault *fault)
{
    if (mono_ms() >= replicas->get_ready_at_ms) {
        get_others_ready(replicas);
        replicas->get_ready_at_ms = mono_ms() + GET_READY_EACH_MS;
    }
    if (mono_ms() >= replicas->look_at_ms) {
        look(replicas);
        replicas->look_at_ms = mono_ms() + REPLICAS_LOOK_MS;
    }
    return catch_up(replicas, fault);
}
