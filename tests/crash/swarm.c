/* swarm.c: the threads of senders and readers. A thread notes a broken promise; the test's own thread fails with it. */
#include "swarm.h"

#include "support/check.h"
#include <curl/curl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 64
#define RETRY_MS 20

enum outcome { ACKNOWLEDGED, REPLAYED, REFUSED, UNANSWERED, CROSSED, WRONG };

static struct swarm_options options;
static pthread_t threads[MAX_THREADS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for the variables that follow */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct swarm_figures figures;
static int next_number, tokens, under_way;
static bool stopping;
static char broken_promise[512];

static void __attribute__((format(printf, 1, 2))) note_broken(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&lock);
    if (!*broken_promise)
        vsnprintf(broken_promise, sizeof broken_promise, format, args);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    va_end(args);
}

/* Fails the test if a promise was broken, and shows the end of the service's log. */
static void tell_broken(void)
{
    pthread_mutex_lock(&lock);
    bool broken = *broken_promise;
    pthread_mutex_unlock(&lock);
    if (!broken)
        return;
    char *log = stack_log(options.stack);
    size_t len = strlen(log);
    ck_abort_msg("%s; the log ends:\n%s", broken_promise, log + (len > 2000 ? len - 2000 : 0));
}

/* ---- one request ---- */

static bool has_header(const struct reply *reply, const char *name, const char *value)
{
    char *found = reply_header(reply, name);
    bool has = found && !strcmp(found, value);
    free(found);
    return has;
}

static enum outcome judge(const struct reply *reply, long good)
{
    if (reply->cut)
        return reply->reused && reply->status == 0 ? CROSSED : UNANSWERED;
    if (reply->status == good && has_header(reply, "idempotency-replayed", "true"))
        return REPLAYED;
    if (reply->status == good)
        return ACKNOWLEDGED;
    return reply->status == 503 && has_header(reply, "retry-after", "1") ? REFUSED : WRONG;
}

static void count_request(enum outcome outcome, const char *why, int64_t since_ms)
{
    int took_ms = (int)(stack_now_ms() - since_ms);
    pthread_mutex_lock(&lock);
    figures.requests++;
    figures.refused += outcome == REFUSED;
    figures.unanswered += outcome == UNANSWERED;
    figures.crossed += outcome == CROSSED;
    figures.why = outcome == UNANSWERED ? why : figures.why;
    if (outcome < REFUSED && took_ms > figures.worst_ms)
        figures.worst_ms = took_ms;
    pthread_mutex_unlock(&lock);
}

static enum outcome send_request(const struct request_spec *spec, long good, struct reply *ret_reply)
{
    int64_t since_ms = stack_now_ms();
    *ret_reply = stack_send(options.stack, spec);
    enum outcome outcome = judge(ret_reply, good);
    count_request(outcome, ret_reply->cut, since_ms);
    if (outcome == WRONG)
        note_broken("%s: answer %ld %s", spec->path, ret_reply->status, ret_reply->body);
    return outcome;
}

/* ---- senders ---- */

static enum outcome send_batch(const struct numbered *batch, CURL *connection)
{
    char key[64];
    struct reply reply;
    snprintf(key, sizeof key, "Idempotency-Key: %s", batch->key);
    const char *headers[] = {"Content-Type: application/json", *batch->key ? key : NULL, NULL};
    enum outcome outcome = send_request(&(struct request_spec){.path = "/analytics/ingest",
                                                               .key = options.stack->worker_key,
                                                               .headers = headers,
                                                               .body = batch->json,
                                                               .body_len = batch->len,
                                                               .connection = connection},
                                        204, &reply);
    reply_release(&reply);
    return outcome;
}

static bool is_acknowledged(enum outcome outcome)
{
    return outcome == ACKNOWLEDGED || outcome == REPLAYED;
}

/* A batch is answered as repeated only if an earlier attempt has stored it. (On a connection that is used again,
 * libcurl
 * may have made that attempt by itself.) */
static void judge_repetition(const struct numbered *batch, enum outcome outcome, bool first, bool acknowledged)
{
    if (outcome == REPLAYED && first && !acknowledged && !options.keep_alive)
        note_broken("batch %s: sent once, and said to be a repetition", batch->key);
    if (outcome == ACKNOWLEDGED && acknowledged)
        note_broken("batch %s: acknowledged twice as if it were new", batch->key);
    if (!is_acknowledged(outcome))
        note_broken("batch %s: no acknowledgement in %d ms", batch->key, HANG_MS);
}

/* Sends a batch until it is acknowledged. */
static enum outcome insist(const struct numbered *batch, CURL *connection, bool acknowledged)
{
    int64_t until_ms = stack_now_ms() + HANG_MS;
    enum outcome outcome = send_batch(batch, connection);
    bool first = true;
    while (!is_acknowledged(outcome) && outcome != WRONG && stack_now_ms() < until_ms) {
        stack_nap(RETRY_MS);
        outcome = send_batch(batch, connection);
        first = false;
    }
    judge_repetition(batch, outcome, first, acknowledged);
    return outcome;
}

static enum outcome send_number(int number, CURL *connection)
{
    struct numbered batch;
    enum outcome outcome;
    int64_t manner = numbered_dice(options.seed, number, 1, 8);
    numbered_make(&batch, options.ledger, number);
    bool once = !*batch.key || manner == 0;
    outcome = once ? send_batch(&batch, connection) : insist(&batch, connection, false);
    if (*batch.key && manner == 1 && is_acknowledged(outcome))
        outcome = insist(&batch, connection, true);
    numbered_release(&batch);
    return outcome;
}

static void keep_books(int number, enum outcome outcome)
{
    options.ledger->fate[number] = is_acknowledged(outcome) ? WHOLE : EITHER;
    pthread_mutex_lock(&lock);
    figures.acknowledged += is_acknowledged(outcome);
    figures.replayed += outcome == REPLAYED;
    figures.unknown += !is_acknowledged(outcome);
    under_way--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Called under the lock. */
static int begin_number(void)
{
    under_way++;
    options.ledger->count = next_number + 1;
    return next_number++;
}

/* The number of the next batch to send; -1 to stop. */
static int take_number(void)
{
    int number = -1;
    pthread_mutex_lock(&lock);
    while (!stopping && tokens == 0)
        pthread_cond_wait(&changed, &lock);
    if (!stopping) {
        tokens--;
        number = begin_number();
    }
    pthread_mutex_unlock(&lock);
    return number;
}

static void *sender_main(void *unused)
{
    CURL *connection = options.keep_alive ? curl_easy_init() : NULL;
    (void)unused;
    for (int number; (number = take_number()) >= 0; stack_nap(options.pause_ms))
        keep_books(number, send_number(number, connection));
    curl_easy_cleanup(connection);
    return NULL;
}

/* ---- readers ---- */

#define READ "/analytics/requests?from=2027-12-20&to=2028-02-19&granularity=month"

static int64_t sum_counts(const struct reply *reply)
{
    static const char name[] = "\"total_count\":\"";
    int64_t sum = 0;
    for (const char *at = reply->body; (at = strstr(at, name)); at++)
        sum += strtoll(at + strlen(name), NULL, 10);
    return sum;
}

static bool is_stopping(void)
{
    pthread_mutex_lock(&lock);
    bool stop = stopping;
    pthread_mutex_unlock(&lock);
    return stop;
}

static void note_read(int64_t now, int64_t *seen)
{
    if (now < *seen)
        note_broken("a reader saw a count of %lld, and then %lld", (long long)*seen, (long long)now);
    *seen = now;
    pthread_mutex_lock(&lock);
    figures.reads++;
    pthread_mutex_unlock(&lock);
}

static void *reader_main(void *unused)
{
    CURL *connection = options.keep_alive ? curl_easy_init() : NULL;
    int64_t seen = 0, answered_ms = stack_now_ms();
    (void)unused;
    for (; !is_stopping(); stack_nap(RETRY_MS)) {
        struct reply reply;
        struct request_spec spec = {.path = READ, .key = options.stack->admin_key, .connection = connection};
        if (send_request(&spec, 200, &reply) == ACKNOWLEDGED) {
            note_read(sum_counts(&reply), &seen);
            answered_ms = stack_now_ms();
        }
        if (stack_now_ms() - answered_ms > HANG_MS)
            note_broken("a reader had no answer for %d ms", HANG_MS);
        reply_release(&reply);
    }
    curl_easy_cleanup(connection);
    return NULL;
}

/* ---- the test's side ---- */

void swarm_start(const struct swarm_options *wanted)
{
    options = *wanted;
    ck_assert_int_le(options.senders + options.readers, MAX_THREADS);
    figures = (struct swarm_figures){0};
    next_number = options.ledger->count;
    tokens = under_way = 0;
    stopping = false;
    *broken_promise = '\0';
    for (int i = 0; i < options.senders + options.readers; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, i < options.senders ? sender_main : reader_main, NULL), 0);
}

void swarm_release(int batches)
{
    pthread_mutex_lock(&lock);
    tokens += batches;
    ck_assert_int_le(next_number + tokens, LEDGER_BATCHES);
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

/* Has no time limit of its own: insist() has one. */
void swarm_drain(void)
{
    pthread_mutex_lock(&lock);
    while ((tokens > 0 || under_way > 0) && !*broken_promise)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    tell_broken();
}

/* The next number whose batch has a key. The others are skipped. */
static int take_keyed_number(struct numbered *ret_batch)
{
    for (;;) {
        pthread_mutex_lock(&lock);
        int number = begin_number();
        pthread_mutex_unlock(&lock);
        ck_assert_int_lt(number, LEDGER_BATCHES);
        numbered_make(ret_batch, options.ledger, number);
        if (*ret_batch->key)
            return number;
        numbered_release(ret_batch);
        pthread_mutex_lock(&lock);
        under_way--;
        pthread_mutex_unlock(&lock);
    }
}

void swarm_send_one(void)
{
    struct numbered batch;
    int number = take_keyed_number(&batch);
    keep_books(number, insist(&batch, NULL, false));
    numbered_release(&batch);
    tell_broken();
}

struct swarm_figures swarm_stop(void)
{
    swarm_drain();
    pthread_mutex_lock(&lock);
    stopping = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < options.senders + options.readers; i++)
        pthread_join(threads[i], NULL);
    tell_broken();
    return figures;
}
