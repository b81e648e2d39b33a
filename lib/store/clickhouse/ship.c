/* ship.c: the thread that ships the spool. Knows when a block may be sent, and that the same block is the same bytes.
 *
 * A block is in doubt from its first attempt until an answer says what became of it. A server takes a block that it
 * took before for done as long as it remembers the block (schema.h). So a block in doubt is simply sent again, to
 * whatever replica; only where the last attempt may be too long ago, a replica that has caught up is asked first
 * which of the blocks are there. */
#include "store/clickhouse/ship.h"

#include "base/int64.h"
#include "store/clickhouse/ahead.h"
#include "store/clickhouse/blocks.h"
#include "store/clickhouse/doorbell.h"
#include "store/clickhouse/doubt.h"
#include "store/clickhouse/http.h"
#include "store/clickhouse/replicas.h"
#include "store/clickhouse/upkeep.h"
#include "time/moment.h"
#include "time/mono.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/banned.h"

#define TRY_AGAIN_MS 1000
#define SENT_BLOCKS 16 /* whether other replicas have them is asked at once */
/* The servers remember the last 10,000 blocks of all nodes: in a minute they don't take as many. */
#define SURELY_REMEMBERED_MS (INT64_C(60) * 1000)

struct shipper {
    const struct clickhouse_config *config;
    const char *data_dir;
    struct store_wake wake;
    pthread_t thread;
    int bell; /* rung by reports */
    int stir; /* eventfd: the writer's thread has cut, or it is time to stop */
    _Atomic bool stopping;

    /* The thread's alone. */
    struct http_client *client;
    struct spool_reader *spool;
    struct blocks blocks;
    struct ahead ahead;     /* has the next one */
    bool is_known;          /* the node's number is this spool's, and each shard has a replica that is ready */
    bool is_asked;          /* a report waits since all was cut */
    bool block_waits;       /* after the last round */
    int64_t doubtful_until; /* blocks up to this one may have been sent long ago */
    int64_t tried_block;    /* a later one, which was tried first then, and has no answer yet; 0: none */
    struct moment tried_at;
    bool is_in_doubt; /* some replica may have taken the block that is being shipped, and did not say so */
    struct doubt doubts[SERVERS_SHARDS];
    struct replicas replicas;
    struct spool_outcome sent[SENT_BLOCKS]; /* blocks that not all replicas have which may be asked */
    size_t sent_count;
    int64_t sent_ms; /* the last of them; time/mono.h */
    bool is_stuck;   /* something keeps it from shipping, as was told */
    struct upkeep upkeep;
    bool clock_is_told; /* that it is apart from a server's */
    struct spool_audit audit;

    pthread_mutex_t lock; /* of all that follows */
    struct shipper_wishes wishes;
    bool is_cut;
    bool has_full; /* more is not cut yet than a block has room for */
};

/* ---- with the writer's thread ---- */

static void stir(const struct shipper *shipper)
{
    const uint64_t one = 1;
    ssize_t written = write(shipper->stir, &one, sizeof one);
    assert(written == sizeof one);
}

void shipper_collect(struct shipper *shipper, struct shipper_wishes *wishes)
{
    pthread_mutex_lock(&shipper->lock);
    struct shipper_wishes *fresh = &shipper->wishes;
    if (wishes->outcome_count == 0) { /* else the new ones can wait */
        memcpy(wishes->outcomes, fresh->outcomes, fresh->outcome_count * sizeof *fresh->outcomes);
        wishes->outcome_count = fresh->outcome_count;
        fresh->outcome_count = 0;
    }
    if (fresh->has_target)
        wishes->target = fresh->target;
    if (fresh->has_audit)
        wishes->audit = fresh->audit;
    if (fresh->cut)
        wishes->which = fresh->which;
    wishes->has_target |= fresh->has_target;
    wishes->has_audit |= fresh->has_audit;
    wishes->cut |= fresh->cut;
    fresh->has_target = fresh->has_audit = fresh->cut = false;
    pthread_mutex_unlock(&shipper->lock);
}

void shipper_cut(struct shipper *shipper)
{
    pthread_mutex_lock(&shipper->lock);
    shipper->is_cut = true;
    shipper->has_full = false;
    pthread_mutex_unlock(&shipper->lock);
    stir(shipper);
}

void shipper_fill(struct shipper *shipper)
{
    pthread_mutex_lock(&shipper->lock);
    shipper->has_full = true;
    pthread_mutex_unlock(&shipper->lock);
    stir(shipper);
}

static bool has_full(struct shipper *shipper)
{
    pthread_mutex_lock(&shipper->lock);
    bool has = shipper->has_full;
    pthread_mutex_unlock(&shipper->lock);
    return has;
}

/* No longer than until it is woken. */
static void rest(struct shipper *shipper, int64_t milliseconds)
{
    shipper->is_asked |= doorbell_wait(shipper->bell, shipper->stir, milliseconds);
    uint64_t count;
    ssize_t got = read(shipper->stir, &count, sizeof count);
    (void)got; /* nothing to read: it was the bell, or time */
}

static void wish_target(struct shipper *shipper)
{
    pthread_mutex_lock(&shipper->lock);
    shipper->wishes.has_target = true;
    shipper->wishes.target = shipper->replicas.target;
    pthread_mutex_unlock(&shipper->lock);
    shipper->wake.wake(shipper->wake.ctx);
}

/* Before an outcome: a report that sees a block settled must ask a replica that has it. */
static void tell_news(struct shipper *shipper)
{
    if (shipper->replicas.has_news)
        wish_target(shipper);
    shipper->replicas.has_news = false;
}

static void tell(const struct shipper *shipper, enum store_news news, const char *words)
{
    if (shipper->wake.tell)
        shipper->wake.tell(shipper->wake.ctx, news, words);
}

/* Says what keeps it from shipping, or that nothing does any more; each only once. Other words of the same trouble,
 * such as how long a server did not answer, are no news. */
static void tell_trouble(struct shipper *shipper, const char *trouble)
{
    struct spool_target *target = &shipper->replicas.target;
    bool is_stuck = trouble[0] != '\0';
    if (is_stuck != shipper->is_stuck)
        tell(shipper, is_stuck ? STORE_STUCK : STORE_GOES_ON, trouble);
    shipper->is_stuck = is_stuck;
    if (strncmp(target->trouble, trouble, sizeof target->trouble - 1) == 0 && (is_stuck || !target->trouble[0]))
        return;
    snprintf(target->trouble, sizeof target->trouble, "%s", trouble);
    wish_target(shipper);
}

static void wish_audit(struct shipper *shipper)
{
    pthread_mutex_lock(&shipper->lock);
    shipper->wishes.has_audit = true;
    shipper->wishes.audit = shipper->audit;
    pthread_mutex_unlock(&shipper->lock);
    shipper->wake.wake(shipper->wake.ctx);
}

static void wish_outcome(struct shipper *shipper, const struct spool_outcome *outcome)
{
    bool kept = false;
    while (!kept && !shipper->stopping) {
        pthread_mutex_lock(&shipper->lock);
        kept = shipper->wishes.outcome_count < SHIPPER_OUTCOMES;
        if (kept)
            shipper->wishes.outcomes[shipper->wishes.outcome_count++] = *outcome;
        pthread_mutex_unlock(&shipper->lock);
        shipper->wake.wake(shipper->wake.ctx);
        if (!kept)
            rest(shipper, 10);
    }
}

/* Has what came cut into blocks, and outcomes settled. While a block waits that no server takes, only full ones are
 * cut: else each attempt would make a small one. So it is while full ones come, unless a report asks. */
static void have_it_cut(struct shipper *shipper)
{
    rest(shipper, 0); /* a report may have asked during the last round */
    bool only_full = shipper->block_waits || (!shipper->is_asked && has_full(shipper));
    if (!only_full)
        shipper->is_asked = false;
    pthread_mutex_lock(&shipper->lock);
    shipper->wishes.cut = true;
    shipper->wishes.which = only_full ? SPOOL_CUT_FULL : SPOOL_CUT_ALL;
    shipper->is_cut = false;
    pthread_mutex_unlock(&shipper->lock);
    shipper->wake.wake(shipper->wake.ctx);
    for (bool done = false; !done && !shipper->stopping;) {
        pthread_mutex_lock(&shipper->lock);
        done = shipper->is_cut;
        pthread_mutex_unlock(&shipper->lock);
        if (!done)
            rest(shipper, TRY_AGAIN_MS);
    }
}

/* ---- one block ---- */

static bool is_forgotten_perhaps(const struct shipper *shipper, int64_t number)
{
    if (number <= shipper->doubtful_until)
        return true;
    return number == shipper->tried_block && moment_age_ms(&shipper->tried_at) > SURELY_REMEMBERED_MS;
}

static void note_try(struct shipper *shipper, int64_t number)
{
    if (number <= shipper->doubtful_until || shipper->tried_block == number)
        return;
    shipper->tried_block = number;
    shipper->tried_at = moment_now();
}

/* Sends a part of it to the replicas, beginning with the current one, until one takes or refuses it. */
static enum err send_round(struct shipper *shipper, const struct spool_block *block, enum blocks_part part,
                           size_t *ret_replica, struct http_reply *ret_reply, struct fault *fault)
{
    struct replicas *replicas = &shipper->replicas;
    size_t shard = (size_t)block->shard;
    enum err err = OK;
    for (size_t i = 0; i < replicas_count(replicas, shard) && !shipper->stopping; i++) {
        *ret_replica = replicas_nth(replicas, shard, i);
        err = replicas_get_ready(replicas, shard, *ret_replica, fault);
        if (err)
            continue;
        note_try(shipper, block->number);
        err = blocks_send(&shipper->blocks, part, shipper->client, replicas_url(replicas, shard, *ret_replica),
                          ret_reply, fault);
        shipper->is_in_doubt |= err != OK;
        if (!err || (ret_reply->outcome == HTTP_REFUSED && blocks_is_content(ret_reply->code)))
            return err;
    }
    return err ? err : fault_set(fault, ERR_UNAVAILABLE, "stopped");
}

/* Reports go on at the replica that took the block, once it has what the other one took before: also this block, where
 * that is in doubt. A server takes for done what another replica took, before it has fetched it. */
static void follow(struct shipper *shipper, size_t shard, size_t replica)
{
    if (shipper->replicas.target.replica[shard] != replica || shipper->is_in_doubt)
        replicas_turn_to(&shipper->replicas, shard, replica);
}

/* OK also when it is refused for what it holds, as `outcome` tells. */
static enum err send_part(struct shipper *shipper, const struct spool_block *block, enum blocks_part part,
                          struct spool_outcome *outcome, struct fault *fault)
{
    struct http_reply reply = {0};
    size_t replica = 0;
    enum err err = send_round(shipper, block, part, &replica, &reply, fault);
    if (!err) {
        follow(shipper, (size_t)block->shard, replica);
        return OK;
    }
    if (reply.outcome != HTTP_REFUSED || !blocks_is_content(reply.code))
        return err;
    outcome->state = SPOOL_ASIDE;
    snprintf(outcome->detail, sizeof outcome->detail, "%s", fault->detail);
    return OK;
}

/* Asks a replica that has everything that any took, whichever that is: the current one may be away. */
static enum err ask_round(struct shipper *shipper, const struct spool_block *block, struct fault *fault)
{
    struct replicas *replicas = &shipper->replicas;
    size_t shard = (size_t)block->shard;
    struct doubt_question question = {.client = shipper->client,
                                      .config = shipper->config,
                                      .spool = shipper->spool,
                                      .block = block,
                                      .until = shipper->doubtful_until};
    enum err err = OK;
    for (size_t i = 0; i < replicas_count(replicas, shard) && !shipper->stopping; i++) {
        question.replica = replicas_nth(replicas, shard, i);
        question.url = replicas_url(replicas, shard, question.replica);
        err = replicas_get_ready(replicas, shard, question.replica, fault);
        if (!err)
            err = doubt_ask(&shipper->doubts[shard], &question, fault);
        if (!err)
            return OK;
    }
    return err ? err : fault_set(fault, ERR_UNAVAILABLE, "stopped");
}

/* Is a part of it there? If the servers still remember the block, it is simply sent again: that tells whether they have
 * it, even where an earlier INSERT is still under way. Otherwise a replica's answer decides. */
static enum err find_part(struct shipper *shipper, const struct spool_block *block, enum blocks_part part,
                          enum doubt_answer *ret_answer, struct fault *fault)
{
    size_t shard = (size_t)block->shard, replica = 0;
    enum err err = OK;
    *ret_answer = DOUBT_NOT_THERE;
    if (!is_forgotten_perhaps(shipper, block->number))
        return OK;
    struct doubt *doubt = &shipper->doubts[shard];
    *ret_answer = doubt_look_up(doubt, block->number, part, SURELY_REMEMBERED_MS, &replica);
    if (*ret_answer == DOUBT_UNASKED) {
        err = ask_round(shipper, block, fault);
        if (!err)
            *ret_answer = doubt_look_up(doubt, block->number, part, SURELY_REMEMBERED_MS, &replica);
    }
    if (!err && *ret_answer == DOUBT_THERE)
        follow(shipper, shard, replica);
    return err;
}

static enum err ship_part(struct shipper *shipper, const struct spool_block *block, enum blocks_part part,
                          struct spool_outcome *outcome, struct fault *fault)
{
    enum doubt_answer answer;
    enum err err = find_part(shipper, block, part, &answer, fault);
    if (err)
        return err;
    switch (answer) {
    case DOUBT_THERE:
        break;
    case DOUBT_NOT_THERE:
        return send_part(shipper, block, part, outcome, fault);
    case DOUBT_OTHER:
        outcome->state = SPOOL_ASIDE;
        snprintf(outcome->detail, sizeof outcome->detail, "%s", "a part of it is in ClickHouse, or more than it has");
        break;
    case DOUBT_UNASKED:
        return fault_set(fault, ERR_UNAVAILABLE, "the answer about block %lld came too late", (long long)block->number);
    }
    return OK;
}

/* What was sent counts as shipped once all replicas have it which may be asked. */
static enum err settle_sent(struct shipper *shipper, struct fault *fault)
{
    struct replicas *replicas = &shipper->replicas;
    bool waits = false;
    if (!shipper->sent_count)
        return OK;
    enum err err = replicas_spread(replicas, mono_ms() - shipper->sent_ms, &waits, fault);
    while (!err && waits && !shipper->stopping) {
        int64_t left = shipper->sent_ms + REPLICAS_LAG_MS - mono_ms();
        if (left > 0)
            rest(shipper, left);
        else
            err = replicas_spread(replicas, mono_ms() - shipper->sent_ms, &waits, fault);
    }
    if (err || shipper->stopping) /* then not all were asked */
        return err;
    tell_news(shipper);
    for (size_t i = 0; i < shipper->sent_count; i++)
        wish_outcome(shipper, &shipper->sent[i]);
    shipper->sent_count = 0;
    return OK;
}

/* Ships a block, or finds that it is there. Its sums go only once its logs are there. */
static enum err ship_block(struct shipper *shipper, const struct spool_block *block, struct fault *fault)
{
    if (block->shard < 0 || (size_t)block->shard >= shipper->replicas.servers.shard_count)
        return fault_set(fault, ERR_UNAVAILABLE, "block %lld is for shard %lld, and clickhouse_urls has %zu",
                         (long long)block->number, (long long)block->shard + 1, shipper->replicas.servers.shard_count);
    struct spool_outcome outcome = {.number = block->number, .state = SPOOL_TAKEN};
    shipper->is_in_doubt = block->number == shipper->tried_block || is_forgotten_perhaps(shipper, block->number);
    enum err err = blocks_load(&shipper->blocks, shipper->spool, block, shipper->config->node, fault);
    if (!err)
        err = ship_part(shipper, block, BLOCKS_LOGS, &outcome, fault);
    if (!err && outcome.state == SPOOL_TAKEN)
        err = ship_part(shipper, block, BLOCKS_SUMS, &outcome, fault);
    if (err)
        return err;
    if (shipper->tried_block == block->number)
        shipper->tried_block = 0;
    shipper->is_in_doubt = false;
    if (shipper->doubtful_until < block->number)
        shipper->doubtful_until = block->number; /* should the outcome get lost */
    if (outcome.state == SPOOL_ASIDE)
        tell(shipper, STORE_PUT_ASIDE, outcome.detail);
    shipper->sent[shipper->sent_count++] = outcome;
    shipper->sent_ms = mono_ms();
    bool is_due = !shipper->config->cluster[0] || shipper->sent_count == SENT_BLOCKS;
    return is_due ? settle_sent(shipper, fault) : OK;
}

/* ---- all that waits ---- */

static enum err get_known(struct shipper *shipper, struct fault *fault)
{
    struct spool_position position;
    enum err err = spool_position(shipper->spool, &position, fault);
    if (err)
        return err;
    replicas_begin(&shipper->replicas, &position.target, position.id);
    shipper->doubtful_until = position.newest_block;
    err = replicas_get_shards_ready(&shipper->replicas, fault);
    if (!err)
        err = replicas_claim_node(&shipper->replicas, fault);
    shipper->is_known = !err;
    return err;
}

/* Tells the news also where there is trouble: then reports are to wait. */
static enum err look_after(struct shipper *shipper, struct fault *fault)
{
    enum err err = replicas_look_after(&shipper->replicas, fault);
    tell_news(shipper);
    return err;
}

/* The next block that waits, and the one behind it is loaded meanwhile. */
static enum err next_block(struct shipper *shipper, int64_t after, bool *ret_found, struct spool_block *ret_block,
                           struct fault *fault)
{
    struct spool_block behind;
    bool has_behind = false;
    enum err err = spool_next(shipper->spool, after, ret_found, ret_block, fault);
    if (err || !*ret_found)
        return err;
    ahead_take(&shipper->ahead, ret_block->number, &shipper->blocks);
    err = spool_next(shipper->spool, ret_block->number, &has_behind, &behind, fault);
    if (!err && has_behind)
        ahead_begin(&shipper->ahead, &behind);
    return err;
}

static enum err ship_all(struct shipper *shipper, struct fault *fault)
{
    bool waited = shipper->block_waits; /* the trouble, if there is any, was that block's */
    shipper->block_waits = true;
    int64_t after = shipper->sent_count ? shipper->sent[shipper->sent_count - 1].number : 0;
    enum err err = shipper->is_known ? OK : get_known(shipper, fault);
    if (!err)
        err = settle_sent(shipper, fault);
    while (!err && !shipper->stopping) {
        struct spool_block block;
        err = next_block(shipper, after, &shipper->block_waits, &block, fault);
        if (err || !shipper->block_waits)
            break;
        err = ship_block(shipper, &block, fault);
        after = block.number;
        if (!err && waited)
            tell_trouble(shipper, ""); /* although more may wait */
    }
    if (!err && !shipper->stopping)
        err = settle_sent(shipper, fault);
    return err || shipper->stopping ? err : look_after(shipper, fault);
}

/* Once, until it is right again. Audits and retention compare times of both. */
static void tell_clock(struct shipper *shipper)
{
    char words[256];
    int64_t apart = shipper->upkeep.clock_apart;
    bool is_apart = llabs(apart) > BLOCKS_CLOCK_APART;
    snprintf(words, sizeof words, "the clock of %s is %lld s from the one here: set the one that is wrong",
             replicas_url(&shipper->replicas, 0, shipper->replicas.target.replica[0]), (long long)apart);
    if (is_apart && !shipper->clock_is_told)
        tell(shipper, STORE_CLOCK_APART, words);
    shipper->clock_is_told = is_apart;
}

/* What is due now and then; trouble with it keeps nothing from being shipped. */
static void keep_up(struct shipper *shipper)
{
    struct deleting deleting = {.client = shipper->client,
                                .config = shipper->config,
                                .servers = &shipper->replicas.servers,
                                .replica = shipper->replicas.target.replica};
    int64_t differences = shipper->audit.differences;
    bool audited = false;
    struct fault ignored;
    upkeep_run(&shipper->upkeep, &deleting, shipper->spool, shipper->doubtful_until, &shipper->audit, &audited,
               &ignored);
    if (shipper->audit.differences > differences)
        tell(shipper, STORE_DIFFERS, shipper->audit.words);
    if (!audited)
        return;
    tell_clock(shipper);
    wish_audit(shipper);
}

/* Until the next block is due, or full, or a report asks, or something is wrong. */
static void rest_between(struct shipper *shipper)
{
    int64_t until = mono_ms() + shipper->config->ship_interval_ms, left = shipper->config->ship_interval_ms;
    struct fault ignored; /* the next round tells it */
    for (; left > 0 && !shipper->is_asked && !has_full(shipper) && !shipper->stopping; left = until - mono_ms()) {
        rest(shipper, min64(left, REPLICAS_LOOK_MS));
        if (look_after(shipper, &ignored))
            return;
    }
}

/* One round, and the rest after it, unless small blocks are to be cut now that nothing waits any more. */
static void work_once(struct shipper *shipper)
{
    bool waited = shipper->block_waits;
    struct fault fault = {0};
    have_it_cut(shipper);
    enum err err = ship_all(shipper, &fault);
    if (shipper->stopping)
        return;
    tell_trouble(shipper, err ? fault.detail : "");
    if (!err)
        keep_up(shipper);
    if (err)
        rest(shipper, TRY_AGAIN_MS);
    else if (!waited)
        rest_between(shipper);
}

static void *work(void *ctx)
{
    struct shipper *shipper = ctx;
    while (!shipper->stopping)
        work_once(shipper);
    return NULL;
}

/* ---- start and stop ---- */

static void release(struct shipper *shipper)
{
    http_client_close(shipper->client);
    spool_reader_close(shipper->spool);
    ahead_close(&shipper->ahead);
    blocks_release(&shipper->blocks);
    for (size_t shard = 0; shard < SERVERS_SHARDS; shard++)
        doubt_release(&shipper->doubts[shard]);
    if (shipper->bell >= 0)
        close(shipper->bell);
    if (shipper->stir >= 0)
        close(shipper->stir);
    pthread_mutex_destroy(&shipper->lock);
    free(shipper);
}

static enum err prepare(struct shipper *shipper, struct fault *fault)
{
    struct replicas *replicas = &shipper->replicas;
    enum err err = servers_parse(shipper->config->urls, &replicas->servers, fault);
    if (!err)
        err = http_client_open(shipper->config, HTTP_WRITER, &shipper->client, fault);
    replicas->client = shipper->client;
    replicas->config = shipper->config;
    replicas->stopping = &shipper->stopping;
    if (!err)
        err = spool_reader_open(shipper->data_dir, &shipper->spool, fault);
    if (!err)
        err = ahead_open(shipper->data_dir, shipper->config->node, &shipper->ahead, fault);
    if (!err)
        err = doorbell_listen(shipper->data_dir, &shipper->bell, fault);
    shipper->stir = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!err && shipper->stir < 0)
        err = fault_set(fault, ERR_UNAVAILABLE, "can't make an eventfd: %s", strerror(errno));
    return err;
}

enum err shipper_start(const struct clickhouse_config *config, const char *data_dir, int64_t keep_days,
                       const struct store_wake *wake, struct shipper **ret_shipper, struct fault *fault)
{
    struct shipper *shipper = calloc(1, sizeof *shipper);
    if (!shipper)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    shipper->config = config;
    shipper->data_dir = data_dir;
    shipper->wake = *wake;
    shipper->upkeep.keep_days = keep_days;
    shipper->bell = shipper->stir = -1;
    int failed = pthread_mutex_init(&shipper->lock, NULL);
    assert(!failed);
    enum err err = prepare(shipper, fault);
    if (!err && pthread_create(&shipper->thread, NULL, work, shipper))
        err = fault_set(fault, ERR_UNAVAILABLE, "can't start a thread");
    if (err)
        release(shipper);
    else
        *ret_shipper = shipper;
    return err;
}

void shipper_stop(struct shipper *shipper)
{
    if (!shipper)
        return;
    shipper->stopping = true;
    stir(shipper);
    pthread_join(shipper->thread, NULL);
    release(shipper);
}
