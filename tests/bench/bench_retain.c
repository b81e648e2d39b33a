/* bench_retain.c: measures how long pruning delays batches. Fills a large database, then writes a batch after each
 * slice of upkeep: first with nothing to prune, then while old data is pruned. A batch waits for one slice at most, so
 * the lengths of the slices are the delays. Usage: bench_retain DIR MILLION_LOGS RAW_DAYS HOUR_DAYS DAY_DAYS */
#include "store/sqlite/write/upkeep.h"
#include "store/sqlite/write/writer.h"
#include "traffic.h"
#include "time/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SPAN_DAYS 61
#define BEGIN INT64_C(1772323200) /* 2026-03-01 */
#define BATCH_LOGS 200
#define LOAD_LOGS 10000
#define MAX_SAMPLES 4000000

static int64_t read_us(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* The cost of a piece of work: wall time, and processor time, to which other programs and the disk add nothing. */
struct spent {
    int64_t wall_us, cpu_us;
};

static struct spent now(void)
{
    return (struct spent){read_us(CLOCK_MONOTONIC), read_us(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct spent since(struct spent start)
{
    struct spent end = now();
    return (struct spent){end.wall_us - start.wall_us, end.cpu_us - start.cpu_us};
}

static void die(const struct fault *fault)
{
    fprintf(stderr, "bench_retain: %s\n", fault->detail);
    exit(1);
}

/* ---- samples ---- */

struct samples {
    int64_t *wall_us, *cpu_us;
    size_t count;
};

static void note(struct samples *samples, struct spent spent)
{
    if (!samples->wall_us) {
        samples->wall_us = calloc(MAX_SAMPLES, sizeof *samples->wall_us);
        samples->cpu_us = calloc(MAX_SAMPLES, sizeof *samples->cpu_us);
    }
    if (!samples->wall_us || !samples->cpu_us || samples->count == MAX_SAMPLES)
        return;
    samples->wall_us[samples->count] = spent.wall_us;
    samples->cpu_us[samples->count++] = spent.cpu_us;
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void print_times(const char *what, int64_t *us, size_t n)
{
    qsort(us, n, sizeof *us, by_value);
    printf("  %-12s %8zu: p50 %6.2f ms, p99 %6.2f ms, p99.9 %6.2f ms, max %6.2f ms", what, n, (double)us[n / 2] / 1e3,
           (double)us[n * 99 / 100] / 1e3, (double)us[n * 999 / 1000] / 1e3, (double)us[n - 1] / 1e3);
}

static void print_samples(const char *what, struct samples *samples)
{
    if (samples->count == 0)
        return;
    print_times(what, samples->wall_us, samples->count);
    puts("");
    print_times("  processor", samples->cpu_us, samples->count);
    puts("");
    free(samples->wall_us);
    free(samples->cpu_us);
    *samples = (struct samples){0};
}

/* ---- work ---- */

static struct spent write_batch(struct store_writer *writer, struct traffic *traffic, uint32_t logs)
{
    struct batch batch;
    struct store_times times;
    batch_init(&batch, NULL);
    traffic_batch(traffic, logs, &batch);
    struct store_item item = {.batch = &batch, .caller = "worker"};
    struct spent start = now();
    store_write(writer, &item, 1, BEGIN + SPAN_DAYS * WHEN_DAY, &times);
    struct spent took = since(start);
    if (item.result)
        die(&item.fault);
    batch_release(&batch);
    return took;
}

/* Returns whether there is more. */
static bool slice(struct store_writer *writer, struct samples *slices, struct samples *checkpoints)
{
    struct fault fault;
    bool more = false, is_checkpoint = sqlite_checkpoint_is_due(sqlite_writer_of(writer));
    struct spent start = now();
    if (store_maintain(writer, INT64_MAX / 4, 7 * WHEN_DAY, &more, &fault))
        die(&fault);
    note(is_checkpoint ? checkpoints : slices, since(start));
    return more;
}

static void print_state(struct store_writer *writer, const char *dir, const char *when)
{
    char path[4096];
    struct stat st = {0};
    int64_t free_pages = 0;
    struct fault fault;
    snprintf(path, sizeof path, "%s/analytics.db", dir);
    if (stat(path, &st) || db_get_i64(&sqlite_writer_of(writer)->db, "PRAGMA freelist_count", 0, &free_pages, &fault))
        exit(1);
    printf("%s: analytics.db has %lld MiB, %lld MiB of them free\n", when, (long long)st.st_size >> 20,
           (long long)free_pages >> 8);
    fflush(stdout);
}

static void run(struct store_writer *writer, struct traffic *traffic, const char *title, int at_least)
{
    struct samples batches = {0}, slices = {0}, checkpoints = {0};
    struct spent start = now();
    bool more = true;
    for (int i = 0; more || i < at_least; i++) {
        more = slice(writer, &slices, &checkpoints);
        note(&batches, write_batch(writer, traffic, BATCH_LOGS));
    }
    printf("%s, %.1f s:\n", title, (double)since(start).wall_us / 1e6);
    print_samples("batches", &batches);
    print_samples("slices", &slices);
    print_samples("checkpoints", &checkpoints);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct fault fault;
    struct store_writer *writer = NULL;
    if (argc != 6) {
        fprintf(stderr, "usage: bench_retain DIR MILLION_LOGS RAW_DAYS HOUR_DAYS DAY_DAYS\n");
        return 2;
    }
    int64_t logs = (int64_t)(strtod(argv[2], NULL) * 1e6);
    struct store_retention keep = {strtol(argv[3], NULL, 10), strtol(argv[4], NULL, 10), strtol(argv[5], NULL, 10)};
    struct traffic *traffic = traffic_open(1, BEGIN, logs / (SPAN_DAYS * 96));
    struct samples unused = {0};
    if (store_retention_check(&keep, &fault) || store_writer_open(store_in(argv[1]), &writer, &fault))
        die(&fault);
    for (int64_t done = 0; done < logs; done += LOAD_LOGS) {
        (void)write_batch(writer, traffic, LOAD_LOGS);
        while (slice(writer, &unused, &unused))
            ;
    }
    traffic_close(traffic);
    traffic =
        traffic_open(2, BEGIN + SPAN_DAYS * WHEN_DAY, 20000); /* hours pass, but not days: no other horizon is due */
    print_state(writer, argv[1], "before");
    run(writer, traffic, "nothing to prune", 600);
    store_writer_set_retention(writer, &keep);
    run(writer, traffic, "pruning", 1);
    print_state(writer, argv[1], "after");
    traffic_close(traffic);
    store_writer_close(writer);
    return 0;
}
