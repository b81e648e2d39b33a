/* test_writer_stress.c: many threads in writer_write at once, with a store that is slow and fails at random: full
 * queues, timeouts, health, and a stop while the queue is full. The promise: OK means stored once; anything else means
 * not stored, then and later; a batch is not read any more once its owner has the answer. Runs under ThreadSanitizer
 * and AddressSanitizer in ./check.
 *
 * Planted to see it fail: a withdrawn job left in the queue (segmentation fault; AddressSanitizer:
 * heap-use-after-free), a withdrawal that the count of the queue leaves out ("full == refused_full"), no lock in
 * finish_group, in writer_health, and no wait in writer_stop for those inside (ThreadSanitizer: data race,
 * heap-use-after-free), the gauge of those inside left as it was when one leaves ("METRIC_IN_FLIGHT, 0) == 1"), a
 * failed group counted as written ("METRIC_GROUP_BATCHES, 0) == 499, sum == 414"). */
#include "service/writer.h"
#include "support/runner.h"

#include "process/clock.h"
#include "store/engine.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define THREADS 12
#define POSTS 150
#define STOPS 25

/* ---- a store ---- */

#define LAST (THREADS * POSTS)
static atomic_int stored[LAST + 1]; /* how often each batch was stored */
static atomic_int groups;
static atomic_bool closed;
static atomic_bool chaos; /* slow and failing at random */
static sem_t entered;     /* posted by a write that begins while a test holds the gate */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static unsigned seed = 1; /* the writer thread's */

static unsigned chance(unsigned one_in)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 16) % one_in;
}

/* The user_id of a batch's log is the number of the batch. */
static void take_item(struct store_item *item, bool fails)
{
    ck_assert_uint_eq(item->batch->log_count, 1);
    int64_t number = item->batch->logs[0].user_id;
    if (!fails)
        stored[number]++;
    item->result = fails ? fault_set(&item->fault, ERR_UNAVAILABLE, "disk full") : OK;
}

static void write_items(struct store_writer *store, struct store_item *items, size_t count, int64_t now,
                        struct store_times *ret_times)
{
    bool fails = chaos && chance(5) == 0;
    (void)store;
    (void)now;
    ck_assert(!closed);
    (void)sem_post(&entered);
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    if (chaos)
        (void)usleep(chance(4) * 1000);
    for (size_t i = 0; i < count; i++)
        take_item(&items[i], fails);
    *ret_times = (struct store_times){.raw_us = 1};
    groups++;
}

static enum err maintain(struct store_writer *store, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault)
{
    (void)store;
    (void)now;
    (void)idempotency_seconds;
    *ret_more = chance(2) == 0;
    if (chaos && chance(10) == 0)
        return fault_set(fault, ERR_UNAVAILABLE, "disk full");
    return OK;
}

static enum err health(struct store_writer *store, struct fault *fault)
{
    (void)store;
    return chaos && chance(10) == 0 ? fault_set(fault, ERR_UNAVAILABLE, "disk full") : OK;
}

static void probe(struct store_writer *store)
{
    (void)store;
}

static void close_store(struct store_writer *store)
{
    (void)store;
    ck_assert(!closed);
    closed = true;
}

static enum err set_wake(struct store_writer *store, const struct store_wake *wake, struct fault *fault)
{
    (void)store;
    (void)wake;
    (void)fault;
    return OK;
}

static const struct store_writer_ops ops = {.close = close_store,
                                            .write = write_items,
                                            .maintain = maintain,
                                            .set_wake = set_wake,
                                            .health = health,
                                            .probe = probe};
static const struct store_engine engine = {.name = "test", .writer = &ops};
static struct store_writer store = {.engine = &engine};

/* ---- those who post ---- */

static struct writer *writer;
static struct metrics *metrics;
static enum err results[LAST + 1];
static atomic_int full, waited, failed;

static void start(size_t queue_batches, size_t group_logs, int64_t wait_ms)
{
    static const struct metrics_route route = {PROGRAM_INGEST, "/analytics/ingest", HTTP_POST, 204};
    if (!metrics)
        metrics = metrics_open("/nonexistent", PROGRAM_INGEST, &route, 1);
    struct writer_options options = {.queue_batches = queue_batches,
                                     .group_logs = group_logs,
                                     .wait_ms = wait_ms,
                                     .idempotency_seconds = 77,
                                     .metrics = metrics};
    struct fault fault = {0};
    closed = false;
    ck_assert_int_eq(writer_start(&store, &options, &writer, &fault), OK);
}

static void count_refusal(const struct fault *fault)
{
    full += strstr(fault->detail, "queue is full") != NULL;
    waited += strstr(fault->detail, "waited") != NULL;
    failed += strstr(fault->detail, "not written") != NULL;
}

/* Each post has a batch of its own, which is freed as soon as the answer is there. */
static enum err post(int number)
{
    struct batch *batch = malloc(sizeof *batch);
    struct log_record log = {.user_id = number};
    struct writer_times times;
    batch_init(batch, NULL);
    ck_assert_int_eq(batch_add(batch, &log), OK);
    struct store_item item = {.batch = batch, .caller = "worker"};
    enum err err = writer_write(writer, &item, &times);
    ck_assert_int_eq(err, item.result);
    if (err != OK)
        count_refusal(&item.fault);
    batch_release(batch);
    memset(batch, 0xff, sizeof *batch);
    free(batch);
    results[number] = err;
    return err;
}

static void *post_many(void *ctx)
{
    int first = *(const int *)ctx;
    for (int i = 0; i < POSTS; i++)
        (void)post(first + i);
    return NULL;
}

static atomic_bool asking;

static void *ask_health(void *ctx)
{
    (void)ctx;
    while (asking) {
        struct fault fault = {0};
        enum err err = writer_health(writer, &fault);
        ck_assert_int_eq(err, fault.err);
        (void)usleep(200);
    }
    return NULL;
}

static void check_metrics(void)
{
    uint64_t sum = 0;
    for (int i = 0; i <= LAST; i++)
        sum += (uint64_t)stored[i];
    ck_assert_uint_eq(metrics_value(metrics, METRIC_BATCHES, 0), sum);
    ck_assert_uint_eq(metrics_value(metrics, METRIC_LOGS, 0), sum);
    ck_assert_uint_eq(metrics_sum(metrics, METRIC_GROUP_BATCHES, 0), sum);
    ck_assert_uint_eq(metrics_value(metrics, METRIC_QUEUED, 0), 0);
    ck_assert_uint_eq(metrics_value(metrics, METRIC_IN_FLIGHT, 0), 0);
    ck_assert_uint_eq(metrics_value(metrics, METRIC_HEALTHY, 0), 0); /* it has stopped */
}

static void check_ledger(int count)
{
    int ok = 0;
    for (int i = 0; i < count; i++) {
        ck_assert_msg(stored[i] == (results[i] == OK), "batch %d: stored %d times, answered %d", i, (int)stored[i],
                      (int)results[i]);
        ok += results[i] == OK;
    }
    ck_assert_int_gt(ok, 0);
    printf("%d batches: %d stored in %d groups, %d met a full queue, %d waited too long, %d failed in the store\n",
           count, ok, (int)groups, (int)full, (int)waited, (int)failed);
    ck_assert_int_eq(ok + full + waited + failed, count);
}

/* The queue and its count are empty again: one more batch finds room. */
static void check_still_writes(void)
{
    int refusals = 0, refused_full = full, refused_late = waited;
    chaos = false;
    while (post(LAST) != OK && refusals < 1000) /* a busy machine may let it wait too long */
        refusals++;
    ck_assert_int_eq(full, refused_full);
    ck_assert_int_eq(results[LAST], OK);
    ck_assert_int_eq(stored[LAST], 1);
    waited = refused_late;
}

START_TEST(everything_at_once)
{
    static const struct {
        size_t queue;
        size_t group_logs;
        int64_t wait_ms;
    } rounds[] = {{4, 3, 3}, {100, 1, 4}, {6, 100, 1000}};
    pthread_t ids[THREADS], asker;
    int firsts[THREADS];
    chaos = true;
    start(rounds[_i].queue, rounds[_i].group_logs, rounds[_i].wait_ms);
    asking = true;
    ck_assert_int_eq(pthread_create(&asker, NULL, ask_health, NULL), 0);
    for (int i = 0; i < THREADS; i++) {
        firsts[i] = i * POSTS;
        ck_assert_int_eq(pthread_create(&ids[i], NULL, post_many, &firsts[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(ids[i], NULL);
    asking = false;
    (void)pthread_join(asker, NULL);
    check_still_writes();
    writer_stop(writer);
    ck_assert(closed);
    check_ledger(LAST); /* after the stop, so a batch that was stored late is seen */
    check_metrics();
}
END_TEST

static sem_t refused;

static void *post_one(void *ctx)
{
    if (post(*(const int *)ctx) != OK)
        (void)sem_post(&refused);
    return NULL;
}

static void *stop_it(void *ctx)
{
    (void)ctx;
    writer_stop(writer);
    return NULL;
}

/* One batch in the store, a full queue behind it, and one more: its refusal proves that all others are inside. Then the
 * writer is told to stop, and the store goes on. The outcome does not depend on how fast a thread is. */
static void stop_while_full(void)
{
    pthread_t ids[THREADS], stopper;
    int numbers[THREADS];
    start(THREADS - 2, 1, 600000);
    (void)pthread_mutex_lock(&gate);
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        stored[i] = 0;
        ck_assert_int_eq(pthread_create(&ids[i], NULL, post_one, &numbers[i]), 0);
        while (i == 0 && sem_wait(&entered) != 0)
            continue;
    }
    while (sem_wait(&refused) != 0)
        continue;
    ck_assert_int_eq(pthread_create(&stopper, NULL, stop_it, NULL), 0);
    (void)usleep(chance(3) * 1000);
    (void)pthread_mutex_unlock(&gate);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(ids[i], NULL);
    (void)pthread_join(stopper, NULL);
    ck_assert(closed);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(stored[i], results[i] == OK);
    while (sem_trywait(&entered) == 0)
        continue;
}

START_TEST(stops_with_a_full_queue)
{
    for (int i = 0; i < STOPS; i++)
        stop_while_full();
    ck_assert_int_eq(full, STOPS);
    printf("%d stops, each with %d batches in the queue and one in the store\n", STOPS, THREADS - 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("writer_stress");
    TCase *tcase = suite_case(suite, "writer_stress");
    (void)sem_init(&entered, 0, 0);
    (void)sem_init(&refused, 0, 0);
    tcase_add_loop_test(tcase, everything_at_once, 0, 3);
    tcase_add_test(tcase, stops_with_a_full_queue);
    return suite_run(suite);
}
