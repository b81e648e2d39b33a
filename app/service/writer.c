/* writer.c: the queue and the writer thread. Knows groups, waiting and health. Knows no HTTP and no SQL.
 *
 * A job lives on the stack of the thread that waits for it. It is QUEUED (its owner may withdraw it), then TAKEN (the
 * writer has it: the owner waits whatever it takes, because it may be stored), then DONE. All under `lock`. */
#include "service/writer.h"

#include "process/clock.h"
#include "time/mono.h"
#include "process/log.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#include "base/banned.h"

#define TICK_MS 1000 /* upkeep and recovery while nothing comes in */
#define SLOW_GROUP_US 500000
#define STUCK_US INT64_C(30000000) /* a group that takes longer is reported by health */

enum job_state { QUEUED, TAKEN, DONE };

struct job {
    TAILQ_ENTRY(job) link;
    struct store_item *item;
    enum job_state state;
    int64_t queued_us;
    struct writer_times times;
    pthread_cond_t done;
};

TAILQ_HEAD(job_list, job);

struct writer {
    struct writer_options options;
    struct store_writer *store; /* the writer thread's alone */
    struct store_item *items;   /* likewise: the group, as store_write wants it */
    bool more_upkeep;           /* likewise */
    bool upkeep_failing;        /* likewise */
    pthread_t thread;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t work;
    pthread_cond_t left; /* signalled when the last one leaves writer_write */
    struct job_list queue;
    size_t queued;
    size_t inside; /* threads in writer_write */
    bool woken;    /* the store has upkeep to do */
    bool stopping;
    int64_t busy_since_us;   /* 0: not writing */
    struct fault last_fault; /* err OK: healthy */
};

/* ---- waiting ---- */

static void cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    int failed = pthread_condattr_init(&attr);
    failed |= pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    failed |= pthread_cond_init(cond, &attr);
    assert(failed == 0);
    pthread_condattr_destroy(&attr);
}

/* False once the deadline is past. */
static bool wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_us)
{
    struct timespec deadline = {.tv_sec = deadline_us / 1000000, .tv_nsec = (deadline_us % 1000000) * 1000};
    return pthread_cond_timedwait(cond, lock, &deadline) == 0;
}

/* ---- the writer thread ---- */

/* Moves the head of the queue to `group`. Returns its number of logs. */
static size_t take_job(struct writer *writer, struct job_list *group)
{
    struct job *job = TAILQ_FIRST(&writer->queue);
    TAILQ_REMOVE(&writer->queue, job, link);
    TAILQ_INSERT_TAIL(group, job, link);
    writer->queued--;
    job->state = TAKEN;
    return job->item->batch->log_count;
}

/* Everything that waits, up to the bound on logs. Called under the lock. */
static size_t take_group(struct writer *writer, struct job_list *group)
{
    size_t count = 0;
    size_t logs = 0;
    while (!TAILQ_EMPTY(&writer->queue)) {
        if (count > 0 && logs + TAILQ_FIRST(&writer->queue)->item->batch->log_count > writer->options.group_logs)
            break;
        logs += take_job(writer, group);
        count++;
    }
    return count;
}

/* Waits for work, no longer than a tick, and not at all when there is upkeep to go on with. False to stop. */
static bool next_group(struct writer *writer, struct job_list *group, size_t *ret_count)
{
    int64_t deadline_us = mono_us() + TICK_MS * 1000;
    TAILQ_INIT(group);
    pthread_mutex_lock(&writer->lock);
    while (writer->queued == 0 && !writer->stopping && !writer->more_upkeep && !writer->woken) {
        if (!wait_until(&writer->work, &writer->lock, deadline_us))
            break;
    }
    writer->woken = false;
    *ret_count = take_group(writer, group);
    metrics_set(writer->options.metrics, METRIC_QUEUED, 0, writer->queued);
    bool go_on = *ret_count > 0 || !writer->stopping;
    writer->busy_since_us = mono_us();
    pthread_mutex_unlock(&writer->lock);
    return go_on;
}

/* One line for the whole group; its batches' own lines say no more than that they failed. */
static void log_group(const struct store_item *items, size_t count, const struct store_times *times, int64_t took_us)
{
    const struct store_item *failed = NULL;
    for (size_t i = 0; i < count && !failed; i++) {
        if (items[i].result == ERR_UNAVAILABLE)
            failed = &items[i];
    }
    if (!failed && took_us < SLOW_GROUP_US)
        return;
    struct log_line line;
    log_begin(&line, failed ? LEVEL_ERROR : LEVEL_WARN, failed ? "write_failed" : "write_slow");
    log_i64(&line, "batches", (int64_t)count);
    log_ms(&line, "ms", took_us);
    log_ms(&line, "raw_ms", times->raw_us);
    log_ms(&line, "rollup_ms", times->rollup_us);
    log_ms(&line, "commit_ms", times->commit_us);
    if (failed)
        log_cstr(&line, "detail", failed->fault.detail);
    log_end(&line);
}

/* Counts what the group stored; a failed one stored nothing. */
static void count_group(struct writer *writer, size_t count, const struct store_times *times, int64_t took_us)
{
    struct metrics *metrics = writer->options.metrics;
    uint64_t stored = 0, replayed = 0, logs = 0;
    if (writer->items[0].result == ERR_UNAVAILABLE) {
        metrics_add(metrics, METRIC_FAILED_GROUPS, 0, 1);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bool fresh = !writer->items[i].result && !writer->items[i].replayed;
        stored += fresh;
        logs += fresh ? writer->items[i].batch->log_count : 0;
        replayed += writer->items[i].replayed;
    }
    metrics_add(metrics, METRIC_BATCHES, 0, stored);
    metrics_add(metrics, METRIC_LOGS, 0, logs);
    metrics_add(metrics, METRIC_REPLAYS, 0, replayed);
    metrics_observe(metrics, METRIC_GROUP_BATCHES, 0, (int64_t)count);
    metrics_observe(metrics, METRIC_GROUP_LOGS, 0, (int64_t)logs);
    metrics_observe(metrics, METRIC_GROUP_TIME, 0, took_us);
    metrics_observe(metrics, METRIC_COMMIT, 0, times->commit_us);
    if (stored > 0)
        metrics_set(metrics, METRIC_LAST_BATCH, 0, (uint64_t)(clock_wall_ms() / 1000));
}

/* Hands each result to the thread that waits for it. A job is gone once it is DONE and the lock is free. */
static void finish_group(struct writer *writer, struct job_list *group, const struct store_times *times)
{
    pthread_mutex_lock(&writer->lock);
    const struct store_item *item = writer->items;
    while (!TAILQ_EMPTY(group)) {
        struct job *job = TAILQ_FIRST(group);
        TAILQ_REMOVE(group, job, link);
        *job->item = *item++;
        if (job->item->result == ERR_UNAVAILABLE)
            fault_set(&job->item->fault, ERR_UNAVAILABLE, "its group was not written");
        job->times.store = *times;
        job->state = DONE;
        pthread_cond_signal(&job->done);
    }
    pthread_mutex_unlock(&writer->lock);
}

static void write_group(struct writer *writer, struct job_list *group, size_t count)
{
    int64_t start_us = mono_us();
    size_t i = 0;
    struct job *job;
    TAILQ_FOREACH(job, group, link)
    {
        job->times.queue_us = start_us - job->queued_us;
        metrics_observe(writer->options.metrics, METRIC_QUEUE_WAIT, 0, job->times.queue_us);
        writer->items[i++] = *job->item;
    }
    struct store_times times = {0};
    store_write(writer->store, writer->items, count, clock_wall_ms() / 1000, &times);
    int64_t took_us = mono_us() - start_us;
    log_group(writer->items, count, &times, took_us);
    count_group(writer, count, &times, took_us);
    finish_group(writer, group, &times);
}

/* One slice of the store's own work. Trouble is logged when it begins, not each time. */
static void upkeep(struct writer *writer)
{
    struct fault fault = {0};
    bool more = false;
    enum err err =
        store_maintain(writer->store, clock_wall_ms() / 1000, writer->options.idempotency_seconds, &more, &fault);
    if (err && !writer->upkeep_failing)
        log_fault(LEVEL_ERROR, "upkeep_failed", &fault);
    if (err) {
        metrics_add(writer->options.metrics, METRIC_FAILED_UPKEEP, 0, 1);
        metrics_fail(writer->options.metrics, err, clock_wall_ms());
    }
    writer->upkeep_failing = err;
    writer->more_upkeep = !err && more;
}

/* Publishes in the metrics that the writer runs, and whether it is healthy. */
static void give_sign(struct writer *writer, bool healthy)
{
    struct metrics *metrics = writer->options.metrics;
    metrics_set(metrics, METRIC_HEALTHY, 0, healthy);
    metrics_set(metrics, METRIC_HEARTBEAT, 0, (uint64_t)(clock_wall_ms() / 1000));
}

/* Looks at the store's health, lets it recover, and notes it where other threads can read it. */
static void note_health(struct writer *writer, bool idle)
{
    struct fault fault = {0};
    enum err err = store_writer_health(writer->store, &fault);
    if (err && idle) {
        store_writer_probe(writer->store);
        fault = (struct fault){0};
        err = store_writer_health(writer->store, &fault);
    }
    pthread_mutex_lock(&writer->lock);
    fault.err = err;
    writer->last_fault = fault;
    writer->busy_since_us = 0;
    pthread_mutex_unlock(&writer->lock);
    give_sign(writer, !err);
}

static void *writer_main(void *ctx)
{
    struct writer *writer = ctx;
    note_health(writer, false);
    struct job_list group;
    size_t count;
    while (next_group(writer, &group, &count)) {
        if (count > 0)
            write_group(writer, &group, count);
        upkeep(writer);
        note_health(writer, count == 0);
    }
    return NULL;
}

/* ---- start and stop ---- */

static void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    store_writer_close(writer->store); /* until then it may wake the writer */
    pthread_cond_destroy(&writer->work);
    pthread_cond_destroy(&writer->left);
    pthread_mutex_destroy(&writer->lock);
    free(writer->items);
    free(writer);
}

static struct writer *writer_new(struct store_writer *store, const struct writer_options *options)
{
    struct writer *writer = calloc(1, sizeof *writer);
    if (!writer) {
        store_writer_close(store);
        return NULL;
    }
    writer->store = store;
    writer->options = *options;
    writer->items = calloc(options->queue_batches, sizeof *writer->items);
    TAILQ_INIT(&writer->queue);
    int failed = pthread_mutex_init(&writer->lock, NULL);
    assert(failed == 0);
    cond_init(&writer->work);
    cond_init(&writer->left);
    metrics_set(options->metrics, METRIC_QUEUED, 0, 0); /* another process may have ended with some */
    metrics_set(options->metrics, METRIC_IN_FLIGHT, 0, 0);
    metrics_set(options->metrics, METRIC_QUEUE_LIMIT, 0, options->queue_batches);
    if (writer->items)
        return writer;
    writer_free(writer);
    return NULL;
}

static void wake(void *ctx)
{
    struct writer *writer = ctx;
    pthread_mutex_lock(&writer->lock);
    writer->woken = true;
    pthread_cond_signal(&writer->work);
    pthread_mutex_unlock(&writer->lock);
}

/* From the store's own thread. */
static void tell(void *ctx, enum store_news news, const char *words)
{
    (void)ctx;
    static const struct {
        enum log_level level;
        const char *event;
    } lines[] = {
        [STORE_STUCK] = {LEVEL_ERROR, "spool_stuck"},         [STORE_GOES_ON] = {LEVEL_INFO, "spool_goes_on"},
        [STORE_PUT_ASIDE] = {LEVEL_ERROR, "block_put_aside"}, [STORE_DIFFERS] = {LEVEL_ERROR, "replica_differs"},
        [STORE_CLOCK_APART] = {LEVEL_ERROR, "clock_apart"},
    };
    struct log_line line;
    log_begin(&line, lines[news].level, lines[news].event);
    if (words[0])
        log_cstr(&line, "detail", words);
    log_end(&line);
}

enum err writer_start(struct store_writer *store, const struct writer_options *options, struct writer **ret_writer,
                      struct fault *fault)
{
    struct writer *writer = writer_new(store, options);
    if (!writer)
        return fault_set(fault, ERR_UNAVAILABLE, "no memory for the writer");
    if (store_writer_set_wake(store, &(struct store_wake){writer, wake, tell}, fault)) {
        writer_free(writer);
        return fault->err;
    }
    if (pthread_create(&writer->thread, NULL, writer_main, writer) != 0) {
        writer_free(writer);
        return fault_set(fault, ERR_UNAVAILABLE, "the writer thread can't be started");
    }
    *ret_writer = writer;
    return OK;
}

void writer_stop(struct writer *writer)
{
    if (!writer)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->stopping = true;
    pthread_cond_signal(&writer->work);
    while (writer->inside > 0)
        pthread_cond_wait(&writer->left, &writer->lock);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    metrics_set(writer->options.metrics, METRIC_HEALTHY, 0, 0);
    writer_free(writer);
}

/* ---- the other threads ---- */

/* Waits for the job; withdraws it when its turn does not come in time. Called under the lock. */
static void await(struct writer *writer, struct job *job)
{
    int64_t deadline_us = job->queued_us + writer->options.wait_ms * 1000;
    while (job->state == QUEUED) {
        if (wait_until(&job->done, &writer->lock, deadline_us) || job->state != QUEUED)
            continue;
        TAILQ_REMOVE(&writer->queue, job, link);
        writer->queued--;
        metrics_set(writer->options.metrics, METRIC_QUEUED, 0, writer->queued);
        job->state = DONE;
        job->item->result = fault_set(&job->item->fault, ERR_UNAVAILABLE, "waited %lld ms for the writer",
                                      (long long)writer->options.wait_ms);
    }
    while (job->state == TAKEN)
        pthread_cond_wait(&job->done, &writer->lock);
}

/* Called under the lock. */
static enum err enqueue(struct writer *writer, struct job *job)
{
    if (writer->stopping)
        return fault_set(&job->item->fault, ERR_UNAVAILABLE, "the writer is stopping");
    if (writer->queued >= writer->options.queue_batches)
        return fault_set(&job->item->fault, ERR_UNAVAILABLE, "the queue is full: %zu batches wait", writer->queued);
    TAILQ_INSERT_TAIL(&writer->queue, job, link);
    writer->queued++;
    metrics_set(writer->options.metrics, METRIC_QUEUED, 0, writer->queued);
    pthread_cond_signal(&writer->work);
    return OK;
}

enum err writer_write(struct writer *writer, struct store_item *item, struct writer_times *ret_times)
{
    struct job job = {.item = item, .state = QUEUED, .queued_us = mono_us()};
    cond_init(&job.done);
    pthread_mutex_lock(&writer->lock);
    writer->inside++;
    metrics_set(writer->options.metrics, METRIC_IN_FLIGHT, 0, writer->inside);
    item->result = enqueue(writer, &job);
    if (!item->result)
        await(writer, &job);
    if (--writer->inside == 0)
        pthread_cond_signal(&writer->left);
    metrics_set(writer->options.metrics, METRIC_IN_FLIGHT, 0, writer->inside);
    pthread_mutex_unlock(&writer->lock);
    pthread_cond_destroy(&job.done);
    *ret_times = job.times;
    return item->result;
}

enum err writer_health(struct writer *writer, struct fault *fault)
{
    pthread_mutex_lock(&writer->lock);
    bool stuck = writer->busy_since_us != 0 && mono_us() - writer->busy_since_us > STUCK_US;
    *fault = writer->last_fault;
    pthread_mutex_unlock(&writer->lock);
    if (!fault->err && stuck)
        return fault_set(fault, ERR_UNAVAILABLE, "one write takes longer than %d s", (int)(STUCK_US / 1000000));
    return fault->err;
}
