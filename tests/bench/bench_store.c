/* bench_store.c: the store alone, without HTTP and JSON: what a log costs to write, and a report to read.
 * Usage: bench_store DIR MILLION_LOGS BATCH [BATCHES_PER_GROUP [write|beside]]
 * With `write` no reports are read. With `beside` a thread reads what is closed, as in the service: what `maintain`
 * takes is what the batches wait for. */
#include "support/lists.h"
#include "store/store.h"
#include "traffic.h"
#include "time/when.h"
#include "time/zone_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SPAN_DAYS 61
#define BEGIN INT64_C(1772323200) /* 2026-03-01 */

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const struct fault *fault)
{
    fprintf(stderr, "bench_store: %s\n", fault->detail);
    exit(1);
}

static int64_t file_bytes(const char *dir, const char *name)
{
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return stat(path, &st) == 0 ? st.st_size : 0;
}

struct spent {
    struct store_times times;
    int64_t maintain_us, longest_us, longest_close_us;
};

static void write_group(struct store_writer *writer, struct traffic *traffic, uint32_t batch_logs, size_t batches,
                        struct spent *spent)
{
    struct batch *group = calloc(batches, sizeof *group);
    struct store_item *items = calloc(batches, sizeof *items);
    struct store_times times;
    struct fault fault;
    for (size_t i = 0; i < batches; i++) {
        batch_init(&group[i], NULL);
        traffic_batch(traffic, batch_logs, &group[i]);
        items[i] = (struct store_item){.batch = &group[i], .caller = "worker"};
    }
    store_write(writer, items, batches, BEGIN, &times);
    if (items[0].result)
        die(&items[0].fault);
    spent->times.raw_us += times.raw_us;
    spent->times.rollup_us += times.rollup_us;
    spent->times.commit_us += times.commit_us;
    for (bool more = true; more;) {
        int64_t start = now_us();
        if (store_maintain(writer, INT64_MAX / 4, 7 * WHEN_DAY, &more, &fault))
            die(&fault);
        int64_t took = now_us() - start;
        spent->maintain_us += took;
        spent->longest_us = took > spent->longest_us ? took : spent->longest_us;
    }
    for (size_t i = 0; i < batches; i++)
        batch_release(&group[i]);
    free(group);
    free(items);
}

static void print_spent(const char *label, const struct spent *spent, int64_t logs, const char *dir, int64_t all)
{
    double n = (double)logs;
    const struct store_times *t = &spent->times;
    int64_t total = t->raw_us + t->rollup_us + t->commit_us + spent->maintain_us;
    printf("%-10s %7.2f us/log: raw %.2f rollups %.2f commit %.2f maintain %.2f (longest %lld ms); %.0f logs/s; %.1f "
           "bytes/log "
           "(wal %lld MiB)\n",
           label, (double)total / n, (double)t->raw_us / n, (double)t->rollup_us / n, (double)t->commit_us / n,
           (double)spent->maintain_us / n, (long long)spent->longest_us / 1000, n * 1e6 / (double)total,
           (double)file_bytes(dir, "analytics.db") / (double)all, (long long)file_bytes(dir, "analytics.db-wal") >> 20);
    fflush(stdout);
}

static void stay_asleep(void *ctx)
{
    (void)ctx; /* the next group comes by soon */
}

static void write_all(const char *dir, int64_t logs, uint32_t batch_logs, size_t batches, bool is_beside)
{
    struct fault fault;
    struct store_writer *writer = NULL;
    struct traffic *traffic = traffic_open(1, BEGIN, logs / (SPAN_DAYS * 96));
    struct spent spent = {0};
    int64_t done = 0, since = 0, part = logs / 10;
    if (store_writer_open(store_in(dir), &writer, &fault))
        die(&fault);
    if (is_beside && store_writer_set_wake(writer, &(struct store_wake){.wake = stay_asleep}, &fault))
        die(&fault);
    while (done < logs) {
        write_group(writer, traffic, batch_logs, batches, &spent);
        done += (int64_t)batch_logs * (int64_t)batches;
        if (done - since < part)
            continue;
        char label[32];
        snprintf(label, sizeof label, "%.1fM", (double)done / 1e6);
        print_spent(label, &spent, done - since, dir, done);
        spent = (struct spent){0};
        since = done;
    }
    traffic_close(traffic);
    store_writer_close(writer);
}

/* ---- reads ---- */

struct question {
    const char *what;
    int64_t days;
    struct report_filter filter;
};

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static enum dimension find_dimension(const char *name)
{
    static const char *const names[] = {
        [BY_WORKER] = "worker", [BY_IP_OUT] = "ip_out", [BY_ORDER] = "order", [BY_USER] = "user"};
    size_t i = 0;
    while (!names[i] || strcmp(names[i], name) != 0)
        i++;
    return (enum dimension)i;
}

static void ask(struct store_reader *reader, const char *report, const struct report_filter *filter)
{
    struct fault fault;
    enum err err = OK;
    if (!strcmp(report, "chart")) {
        struct chart chart = {0};
        err = store_chart(reader, filter, granularity_for(filter->from, filter->to), false, &chart, &fault);
        chart_release(&chart);
    } else if (!strcmp(report, "domains")) {
        struct list list = {0};
        err = list_domains(reader, filter, ORDER_BYTES, 0, 30, &list, &fault);
        list_release(&list);
    } else if (!strcmp(report, "websites")) {
        struct list list = {0};
        err = list_domains(reader, filter, ORDER_COUNT, 50, 25, &list, &fault);
        list_release(&list);
    } else if (!strcmp(report, "summary")) {
        struct totals totals;
        err = store_summary(reader, filter, &totals, &fault);
    } else if (!strncmp(report, "by ", 3)) {
        struct list breakdown = {0};
        err = list_read(reader, filter,
                        &(struct list_ask){.by = find_dimension(report + 3), .order = ORDER_BYTES, .limit = 30},
                        &breakdown, &fault);
        list_release(&breakdown);
    } else {
        struct list list = {0};
        err = list_errors(reader, filter, 50, &list, &fault);
        list_release(&list);
    }
    if (err)
        die(&fault);
}

#define RUNS 15
#define SLOW_US 300000 /* a question that takes as long is asked once */

static void time_question(struct store_reader *reader, const char *report, const char *who, int64_t days,
                          const struct report_filter *filter)
{
    int64_t took[RUNS] = {0}, first;
    int runs = 0;
    for (; runs < RUNS && took[0] < SLOW_US; runs++) {
        int64_t start = now_us();
        ask(reader, report, filter);
        took[runs] = now_us() - start;
    }
    first = took[0];
    qsort(took, (size_t)runs, sizeof *took, by_value);
    printf("%-9s %-22s %3lld %-5s p50 %8.3f ms, first %8.3f ms\n", report, who, (long long)days,
           days == 1 ? "day:" : "days:", (double)took[runs / 2] / 1e3, (double)first / 1e3);
}

static void read_all(const char *dir)
{
    static const char *const reports[] = {"chart",     "domains",   "errors",   "websites", "summary",
                                          "by worker", "by ip_out", "by order", "by user"};
    static const int64_t days[] = {1, 7, 61};
    static const struct {
        const char *who;
        struct report_filter filter;
    } rows[] = {
        {"everyone", {0}},
        {"heaviest user", {.user_id = 1}},
        {"typical user", {.user_id = 40}},
        {"everyone, domain", {.has_domain = true, .domain = {"www.shop0.com", 13}}},
        {"heaviest, domain", {.user_id = 1, .has_domain = true, .domain = {"www.shop0.com", 13}}},
        {"everyone, order", {.order_id = 1}},
    };
    struct store_reader *reader = NULL;
    struct fault fault;
    if (store_reader_open(store_in(dir), &reader, &fault))
        die(&fault);
    for (size_t r = 0; r < sizeof reports / sizeof *reports; r++)
        for (size_t d = 0; d < 3; d++)
            for (size_t w = 0; w < sizeof rows / sizeof *rows; w++) {
                struct report_filter filter = rows[w].filter;
                filter.to = BEGIN + SPAN_DAYS * (int64_t)WHEN_DAY - 3 * WHEN_HOUR - 7;
                filter.from = filter.to - days[d] * WHEN_DAY;
                time_question(reader, reports[r], rows[w].who, days[d], &filter);
            }
    store_reader_close(reader);
}

/* Charts of 61 days by day in several time zones: the days of UTC are rolled up, those of other zones are not. */
static void read_zones(const char *dir)
{
    static const char *const zones[] = {"UTC", "Europe/Kyiv", "Asia/Kolkata", "Asia/Kathmandu"};
    static const struct {
        const char *who;
        struct report_filter filter;
    } rows[] = {
        {"everyone", {.sums_only = true}},
        {"heaviest user", {.user_id = 1, .sums_only = true}},
        {"everyone, order", {.order_id = 1, .sums_only = true}},
        {"everyone, domain", {.has_domain = true, .domain = {"www.shop0.com", 13}, .sums_only = true}},
        {"heaviest, domain", {.user_id = 1, .has_domain = true, .domain = {"www.shop0.com", 13}, .sums_only = true}},
        {"everyone, concurrency", {0}},
        {"heaviest, concurrency", {.user_id = 1}},
    };
    static struct zone zone;
    struct store_reader *reader = NULL;
    struct fault fault;
    if (store_reader_open(store_in(dir), &reader, &fault))
        die(&fault);
    for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
        int64_t start = now_us();
        for (int i = 0; i < 1000; i++)
            if (zone_load((struct slice){zones[z], strlen(zones[z])}, &zone, &fault))
                die(&fault);
        printf("%s: read in %.1f us\n", zones[z], (double)(now_us() - start) / 1e3);
        for (size_t w = 0; w < sizeof rows / sizeof *rows; w++) {
            struct report_filter filter = rows[w].filter;
            filter.zone = &zone;
            filter.to = zone_first(&zone, BEGIN + SPAN_DAYS * (int64_t)WHEN_DAY);
            filter.from = zone_first(&zone, BEGIN);
            time_question(reader, "chart", rows[w].who, SPAN_DAYS, &filter);
        }
    }
    store_reader_close(reader);
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: bench_store DIR MILLION_LOGS BATCH [BATCHES_PER_GROUP [write|beside]]\n");
        return 2;
    }
    double millions = strtod(argv[2], NULL);
    long batch = strtol(argv[3], NULL, 10), batches = argc > 4 ? strtol(argv[4], NULL, 10) : 1;
    if (millions > 0)
        write_all(argv[1], (int64_t)(millions * 1e6), (uint32_t)batch, (size_t)batches,
                  argc > 5 && !strcmp(argv[5], "beside"));
    if (argc < 6) {
        read_all(argv[1]);
        read_zones(argv[1]);
    }
    return 0;
}
