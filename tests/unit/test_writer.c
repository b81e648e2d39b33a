/* test_writer.c: the queue and the writer thread, with an engine that is as slow or as broken as a test wants. */
#include "service/writer.h"
#include "support/runner.h"

#include "time/mono.h"
#include "store/engine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define MANY 40
#define LONG_MS 600000 /* longer than any sender waits */

/* ---- a store ---- */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER; /* a write waits while a test holds it */
static atomic_int begun;                                 /* groups that came to the gate */
static atomic_int groups;
static atomic_int written;
static atomic_int biggest_group;
static atomic_int slices;
static atomic_int slices_wanted;
static atomic_int probes;
static atomic_bool broken;
static atomic_bool may_recover;
static atomic_bool closed;

static void write_items(struct store_writer *store, struct store_item *items, size_t count, int64_t now,
                        struct store_times *ret_times)
{
    (void)store;
    ck_assert_int_gt(now, 0);
    begun++;
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    for (size_t i = 0; i < count; i++) {
        items[i].replayed = items[i].idempotency_key != NULL;
        items[i].result = broken ? fault_set(&items[i].fault, ERR_UNAVAILABLE, "disk full") : OK;
    }
    *ret_times = (struct store_times){.raw_us = 1, .rollup_us = 2, .commit_us = 3};
    groups++;
    written += (int)count;
    if ((int)count > biggest_group)
        biggest_group = (int)count;
}

static enum err maintain(struct store_writer *store, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault)
{
    (void)store;
    (void)now;
    (void)fault;
    ck_assert_int_eq(idempotency_seconds, 77);
    slices++;
    *ret_more = slices < slices_wanted;
    return OK;
}

static enum err health(struct store_writer *store, struct fault *fault)
{
    (void)store;
    if (broken)
        return fault_set(fault, ERR_UNAVAILABLE, "disk full");
    return OK;
}

static void probe(struct store_writer *store)
{
    (void)store;
    probes++;
    if (may_recover)
        broken = false;
}

static void close_store(struct store_writer *store)
{
    (void)store;
    closed = true;
}

static struct store_wake woken_by; /* the callback that a store would call */

static enum err set_wake(struct store_writer *store, const struct store_wake *wake, struct fault *fault)
{
    (void)store;
    (void)fault;
    woken_by = *wake;
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

/* ---- helpers ---- */

static struct writer *writer;
static struct metrics *metrics;
static struct fault fault;
static struct batch batch;
static atomic_int refused; /* how many senders were refused */

static const struct metrics_route route = {.program = PROGRAM_INGEST, .path = "/", .status = 204};

static void start(size_t queue_batches, size_t group_logs, int64_t wait_ms)
{
    metrics = metrics_open("/nonexistent", PROGRAM_INGEST, &route, 1);
    ck_assert_ptr_nonnull(metrics);
    struct writer_options options = {.queue_batches = queue_batches,
                                     .group_logs = group_logs,
                                     .wait_ms = wait_ms,
                                     .idempotency_seconds = 77,
                                     .metrics = metrics};

    batch_init(&batch, NULL);
    batch.log_count = 10; /* the queue looks at nothing else of a batch */
    ck_assert_int_eq(writer_start(&store, &options, &writer, &fault), OK);
}

static void nap(void)
{
    (void)usleep(1000);
}

/* Waits for what must come; a test that waits in vain ends with its limit of time. */
#define UNTIL(condition)                                                                                               \
    do {                                                                                                               \
        nap();                                                                                                         \
    } while (!(condition))

static uint64_t in_queue(void)
{
    return metrics_value(metrics, METRIC_QUEUED, 0);
}

static void stop(void)
{
    writer_stop(writer);
    metrics_close(metrics);
}

static enum err write_one(const char *key, bool *ret_replayed)
{
    struct store_item item = {.batch = &batch, .caller = "worker", .idempotency_key = key};
    struct writer_times times;
    enum err err = writer_write(writer, &item, &times);

    *ret_replayed = item.replayed;
    return err;
}

static void *sender(void *ctx)
{
    bool replayed;
    enum err err = write_one(NULL, &replayed);

    *(enum err *)ctx = err;
    refused += err != OK;
    return NULL;
}

static void send_many(pthread_t *ids, enum err *results, int count)
{
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(pthread_create(&ids[i], NULL, sender, &results[i]), 0);
}

static int count_of(const enum err *results, int count, enum err wanted)
{
    int found = 0;

    for (int i = 0; i < count; i++)
        found += results[i] == wanted;
    return found;
}

static void join(const pthread_t *ids, int count)
{
    for (int i = 0; i < count; i++)
        (void)pthread_join(ids[i], NULL);
}

/* ---- tests ---- */

START_TEST(one_batch)
{
    bool replayed = true;

    start(4, 100, LONG_MS);
    ck_assert_int_eq(write_one(NULL, &replayed), OK);
    ck_assert(!replayed);
    ck_assert_int_eq(write_one("k", &replayed), OK);
    ck_assert(replayed);
    stop();
    ck_assert_int_eq(written, 2);
    ck_assert(closed);
}
END_TEST

/* The writer waits at the gate with the first batch; `count` more wait in the queue. */
static void fill_queue(pthread_t *ids, enum err *results, int count)
{
    (void)pthread_mutex_lock(&gate);
    send_many(ids, results, 1);
    UNTIL(begun == 1);
    send_many(ids + 1, results + 1, count);
    UNTIL(in_queue() == (uint64_t)count);
}

/* 39 batches of 10 logs wait behind the first: groups of up to 100 logs are 4 more groups. */
START_TEST(groups_what_waits)
{
    pthread_t ids[MANY];
    enum err results[MANY];

    start(MANY, 100, LONG_MS);
    fill_queue(ids, results, MANY - 1);
    (void)pthread_mutex_unlock(&gate);
    join(ids, MANY);
    ck_assert_int_eq(count_of(results, MANY, OK), MANY);
    ck_assert_int_eq(written, MANY);
    ck_assert_int_eq(biggest_group, 10);
    ck_assert_int_eq(groups, 5);
    stop();
}
END_TEST

/* A batch that is larger than the limit of a group is a group of its own. */
START_TEST(takes_a_big_batch)
{
    bool replayed;

    start(4, 5, LONG_MS);
    ck_assert_int_eq(write_one(NULL, &replayed), OK);
    ck_assert_int_eq(written, 1);
    stop();
}
END_TEST

/* One batch is in the store, two are in the queue; the others are refused at once, while the writer still waits. */
START_TEST(refuses_when_full)
{
    pthread_t ids[MANY];
    enum err results[MANY];

    start(2, 10, LONG_MS);
    fill_queue(ids, results, 2);
    send_many(ids + 3, results + 3, MANY - 3);
    UNTIL(refused == MANY - 3);
    (void)pthread_mutex_unlock(&gate);
    join(ids, MANY);
    ck_assert_int_eq(count_of(results, MANY, OK), 3);
    ck_assert_int_eq(count_of(results, MANY, ERR_UNAVAILABLE), MANY - 3);
    ck_assert_int_eq(written, 3);
    stop();
}
END_TEST

/* A batch that waits too long is withdrawn; the sender of one that is being written waits on. */
START_TEST(withdraws_what_waits_too_long)
{
    pthread_t id;
    enum err first = ERR_INTERNAL;
    bool replayed;
    int64_t start_us;

    start(4, 100, 200);
    (void)pthread_mutex_lock(&gate);
    while (begun == 0) { /* on a slow machine, the first sender may be withdrawn after 200 ms: then another one comes */
        int before = refused;
        ck_assert_int_eq(pthread_create(&id, NULL, sender, &first), 0);
        UNTIL(begun == 1 || refused > before);
        if (begun == 0)
            join(&id, 1);
    }
    start_us = mono_us();
    ck_assert_int_eq(write_one(NULL, &replayed), ERR_UNAVAILABLE);
    ck_assert_int_ge(mono_us() - start_us, 190000);
    (void)pthread_mutex_unlock(&gate);
    join(&id, 1);
    ck_assert_int_eq(first, OK);
    stop();
    ck_assert_int_eq(written, 1);
}
END_TEST

static void *stopper(void *ctx)
{
    (void)ctx;
    writer_stop(writer);
    return NULL;
}

/* The reason why a batch is refused. */
static const char *refusal(struct store_item *item)
{
    struct writer_times times;
    *item = (struct store_item){.batch = &batch, .caller = "worker"};
    ck_assert_int_eq(writer_write(writer, item, &times), ERR_UNAVAILABLE);
    return item->fault.detail;
}

START_TEST(stop_writes_what_is_queued)
{
    pthread_t ids[MANY];
    pthread_t stop_id;
    enum err results[MANY];
    struct store_item item;

    start(MANY - 1, 100, LONG_MS);
    fill_queue(ids, results, MANY - 1);
    ck_assert_int_eq(pthread_create(&stop_id, NULL, stopper, NULL), 0);
    UNTIL(!strcmp(refusal(&item), "the writer is stopping"));
    ck_assert(!closed);
    (void)pthread_mutex_unlock(&gate);
    join(ids, MANY);
    join(&stop_id, 1);
    ck_assert_int_eq(count_of(results, MANY, OK), MANY);
    ck_assert(closed);
}
END_TEST

/* A failure shows in health, and the idle writer tries again by itself. */
START_TEST(recovers)
{
    bool replayed;

    start(4, 100, LONG_MS);
    UNTIL(writer_health(writer, &fault) == OK);
    broken = true;
    ck_assert_int_eq(write_one(NULL, &replayed), ERR_UNAVAILABLE);
    UNTIL(writer_health(writer, &fault) == ERR_UNAVAILABLE);
    ck_assert_str_eq(fault.detail, "disk full");
    may_recover = true;
    UNTIL(writer_health(writer, &fault) == OK);
    ck_assert_int_ge(probes, 1);
    stop();
}
END_TEST

/* Between batches, the writer's thread does upkeep when the store asks for it. */
START_TEST(a_store_wakes_the_writer)
{
    start(4, 100, LONG_MS);
    for (int i = 1; i <= 5; i++) {
        int before = slices;
        woken_by.wake(woken_by.ctx);
        UNTIL(slices > before);
    }
    stop();
}
END_TEST

/* Upkeep goes on, slice after slice, without a batch and without waiting for ticks, which would take hours. */
START_TEST(upkeep_goes_on)
{
    slices_wanted = 20000;
    start(4, 100, LONG_MS);
    UNTIL(slices >= slices_wanted);
    stop();
}
END_TEST

START_TEST(stop_takes_null)
{
    writer_stop(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("writer");
    TCase *tcase = suite_case(suite, "writer");

    tcase_add_test(tcase, refuses_when_full);
    tcase_add_test(tcase, withdraws_what_waits_too_long);
    tcase_add_test(tcase, stop_writes_what_is_queued);
    tcase_add_test(tcase, recovers);
    tcase_add_test(tcase, takes_a_big_batch);
    tcase_add_test(tcase, groups_what_waits);
    tcase_add_test(tcase, a_store_wakes_the_writer);
    tcase_add_test(tcase, upkeep_goes_on);
    tcase_add_test(tcase, one_batch);
    tcase_add_test(tcase, stop_takes_null);
    return suite_run(suite);
}
