/* load.c: bench_load, the load on a running service: batches of logs, or reads. Prints tab-separated lines, without
 * headings; the driver (./bench) knows the columns. Knows the API. Knows no tables and no ratios.
 *
 * bench_load post OPTIONS: one line: requests, logs, seconds, p50, p90, p99 (µs), answers 503, 429 and others, CPU
 *   seconds of nginx, ingest, query, the rest of the service, this program and everything else on the machine, bytes
 *   written by ingest, peak memory of ingest and of a query process.
 * bench_load get OPTIONS PATH: one line: requests, seconds, p50, p90, p99, bad answers, CPU seconds as above.
 * bench_load cells OPTIONS: for each line "LABEL<tab>KEY<tab>PATH" of standard input, a line: LABEL, requests, seconds,
 *   p50, p90, p99 (µs), bad answers, p50 and p99 of --beside. With one client, PATH and --beside are asked in turns.
 * bench_load memory OPTIONS: one line: peak memory of ingest and of a query process, anonymous memory of a query
 *   process now.
 * SIGTERM ends the measuring early. */
#include "base/buf.h"
#include "client.h"
#include "procs.h"
#include "traffic.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGS_PER_QUARTER 1708 /* 10 million logs in 61 days */
#define MAX_BODY_BYTES (4ull << 30)

struct options {
    int port;
    const char *key;
    const char *beside;
    int clients;
    uint32_t batch;
    double seconds, warm_seconds, rate;
    int64_t count; /* requests at most */
    uint32_t logs; /* made ahead, and sent at most */
    int64_t begin; /* Unix seconds of the first log */
    pid_t service;
    const char *ready; /* a file to be made when measuring begins */
};

/* ---- batches: the text of all logs, one after the other; a body is a run of it ---- */

struct corpus {
    struct buf text;
    size_t *end; /* of each log's text, with the comma behind it */
    uint32_t logs, used;
};

static void corpus_make(struct corpus *corpus, uint32_t logs, int64_t begin)
{
    struct traffic *traffic = traffic_open(1, begin, LOGS_PER_QUARTER);
    buf_init(&corpus->text, MAX_BODY_BYTES);
    corpus->end = calloc(logs, sizeof *corpus->end);
    corpus->logs = logs;
    for (uint32_t i = 0; traffic && corpus->end && i < logs; i++) {
        traffic_put_log(traffic_next(traffic), &corpus->text);
        buf_putc(&corpus->text, ',');
        corpus->end[i] = corpus->text.len;
    }
    if (!traffic || !corpus->end || corpus->text.failed) {
        fprintf(stderr, "bench_load: no memory for %u logs\n", logs);
        exit(1);
    }
    traffic_close(traffic);
}

/* ---- what is sent ---- */

struct load {
    const struct options *options;
    struct corpus corpus;
    const char *path[CLIENT_KINDS];
    const char *key[CLIENT_KINDS];
    int kinds;
    int64_t sent;
    struct proc_use before, after;
};

static bool next_batch(void *ctx, char *head, size_t head_size, struct outgoing *ret_out)
{
    static char begin[] = "{\"logs\":[", end[] = "]}";
    struct load *load = ctx;
    struct corpus *corpus = &load->corpus;
    uint32_t batch = load->options->batch;
    if (corpus->logs - corpus->used < batch)
        return false;
    size_t from = corpus->used ? corpus->end[corpus->used - 1] : 0;
    corpus->used += batch;
    size_t len = corpus->end[corpus->used - 1] - from - 1;
    int head_len = snprintf(head, head_size,
                            "POST /analytics/ingest HTTP/1.1\r\nHost: bench\r\nx-api-key: %s\r\n"
                            "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                            load->options->key, len + sizeof begin - 1 + sizeof end - 1);
    *ret_out = (struct outgoing){.part = {{head, (size_t)head_len},
                                          {begin, sizeof begin - 1},
                                          {corpus->text.data + from, len},
                                          {end, sizeof end - 1}},
                                 .parts = 4,
                                 .weight = batch};
    return true;
}

#define HOURS_APART 96

/* Writes the path. {hour} becomes one hour of four days after the other, so a request repeats after 96 others. */
static void write_path(const char *path, int64_t n, char *to, size_t size)
{
    static const char mark[] = "{hour}";
    const char *at = strstr(path, mark);
    int hour = (int)(n % HOURS_APART);
    if (at)
        snprintf(to, size, "%.*s%02dT%02d%s", (int)(at - path), path, 1 + hour / 24, hour % 24, at + sizeof mark - 1);
    else
        snprintf(to, size, "%s", path);
}

static bool next_read(void *ctx, char *head, size_t head_size, struct outgoing *ret_out)
{
    struct load *load = ctx;
    char path[512];
    int kind = (int)(load->sent % load->kinds);
    write_path(load->path[kind], load->sent++ / load->kinds, path, sizeof path);
    int head_len =
        snprintf(head, head_size, "GET %s HTTP/1.1\r\nHost: bench\r\nx-api-key: %s\r\n\r\n", path, load->key[kind]);
    *ret_out = (struct outgoing){.part = {{head, (size_t)head_len}}, .parts = 1, .kind = kind, .weight = 1};
    return true;
}

static void note_begin(void *ctx)
{
    struct load *load = ctx;
    FILE *ready = load->options->ready ? fopen(load->options->ready, "w") : NULL;
    if (ready)
        fclose(ready);
    procs_read(load->options->service, &load->before);
}

static void note_end(void *ctx)
{
    struct load *load = ctx;
    procs_read(load->options->service, &load->after);
}

static struct plan plan_for(struct load *load)
{
    const struct options *options = load->options;
    return (struct plan){.port = options->port,
                         .clients = options->clients,
                         .expected_status = options->batch ? 204 : 200,
                         .warm_us = (int64_t)(options->warm_seconds * 1e6),
                         .measure_us = (int64_t)(options->seconds * 1e6),
                         .max_requests = options->count,
                         .rate = options->rate,
                         .next = options->batch ? next_batch : next_read,
                         .begin = note_begin,
                         .end = note_end,
                         .ctx = load};
}

/* ---- what is printed ---- */

static void print_quantiles(const struct samples *samples)
{
    printf("\t%.0f\t%.0f\t%.0f", samples_quantile(samples, 0.5), samples_quantile(samples, 0.9),
           samples_quantile(samples, 0.99));
}

static void print_cpu(const struct load *load)
{
    double service = 0, own = load->after.own_cpu_s - load->before.own_cpu_s;
    for (enum proc_group group = 0; group < PROC_GROUPS; group++) {
        double cpu_s = load->after.cpu_s[group] - load->before.cpu_s[group];
        service += cpu_s;
        printf("\t%.3f", cpu_s);
    }
    printf("\t%.3f\t%.3f", own, load->after.machine_cpu_s - load->before.machine_cpu_s - service - own);
}

static int post(const struct options *options)
{
    struct load load = {.options = options};
    struct measured measured;
    corpus_make(&load.corpus, options->logs, options->begin);
    struct plan plan = plan_for(&load);
    client_run(&plan, &measured);
    printf("%zu\t%lld\t%.3f", measured.latency[0].count, (long long)measured.weight, measured.seconds);
    print_quantiles(&measured.latency[0]);
    printf("\t%lld\t%lld\t%lld", (long long)measured.refused_503, (long long)measured.refused_429,
           (long long)measured.failed);
    print_cpu(&load);
    printf("\t%lld\t%lld\t%lld\n",
           (long long)(load.after.written_bytes[PROC_INGEST] - load.before.written_bytes[PROC_INGEST]),
           (long long)load.after.peak_rss_bytes[PROC_INGEST], (long long)load.after.peak_rss_bytes[PROC_QUERY]);
    measured_release(&measured);
    buf_release(&load.corpus.text);
    free(load.corpus.end);
    return 0;
}

static int64_t bad_answers(const struct measured *measured)
{
    return measured->refused_503 + measured->refused_429 + measured->failed;
}

static int get(const struct options *options, const char *path)
{
    struct load load = {.options = options, .path = {path}, .key = {options->key}, .kinds = 1};
    struct measured measured;
    struct plan plan = plan_for(&load);
    client_run(&plan, &measured);
    printf("%zu\t%.3f", measured.latency[0].count, measured.seconds);
    print_quantiles(&measured.latency[0]);
    printf("\t%lld", (long long)bad_answers(&measured));
    print_cpu(&load);
    putchar('\n');
    measured_release(&measured);
    return 0;
}

static void one_cell(const struct options *options, const char *label, const char *key, const char *path)
{
    struct load load = {.options = options, .path = {path, options->beside}, .key = {key, key}};
    struct measured measured;
    load.kinds = options->beside && options->clients == 1 ? 2 : 1;
    struct plan plan = plan_for(&load);
    client_run(&plan, &measured);
    printf("%s\t%zu\t%.3f", label, measured.latency[0].count, measured.seconds);
    print_quantiles(&measured.latency[0]);
    printf("\t%lld\t%.0f\t%.0f\n", (long long)bad_answers(&measured), samples_quantile(&measured.latency[1], 0.5),
           samples_quantile(&measured.latency[1], 0.99));
    measured_release(&measured);
}

static int cells(const struct options *options)
{
    char line[4096];
    while (fgets(line, sizeof line, stdin)) {
        char *save = NULL;
        const char *label = strtok_r(line, "\t\n", &save), *key = strtok_r(NULL, "\t\n", &save),
                   *path = strtok_r(NULL, "\t\n", &save);
        if (!label || !key || !path) {
            fprintf(stderr, "bench_load: not a cell: %s\n", line);
            return 2;
        }
        one_cell(options, label, key, path);
    }
    return 0;
}

static int memory(const struct options *options)
{
    struct proc_use use;
    procs_read(options->service, &use);
    printf("%lld\t%lld\t%lld\n", (long long)use.peak_rss_bytes[PROC_INGEST], (long long)use.peak_rss_bytes[PROC_QUERY],
           (long long)use.private_bytes[PROC_QUERY]);
    return 0;
}

/* ---- the command line ---- */

static void read_option(struct options *options, int letter, const char *value)
{
    long long number = strtoll(value, NULL, 10);
    switch (letter) {
    case 'p':
        options->port = (int)number;
        break;
    case 'k':
        options->key = value;
        break;
    case 'e':
        options->beside = value;
        break;
    case 'c':
        options->clients = (int)number;
        break;
    case 'b':
        options->batch = (uint32_t)number;
        break;
    case 's':
        options->seconds = strtod(value, NULL);
        break;
    case 'w':
        options->warm_seconds = strtod(value, NULL);
        break;
    case 'r':
        options->rate = strtod(value, NULL);
        break;
    case 'n':
        options->count = number;
        break;
    case 'l':
        options->logs = (uint32_t)number;
        break;
    case 'f':
        options->begin = number;
        break;
    case 'S':
        options->service = (pid_t)number;
        break;
    case 'R':
        options->ready = value;
        break;
    default:
        exit(2);
    }
}

static int usage(void)
{
    fputs("usage: bench_load post|get|cells|memory [--port N] [--key KEY] [--clients N] [--seconds S] [--warm S] "
          "[--rate N] "
          "[--count N]\n"
          "       [--service PID] [--batch N --logs N --begin SECONDS] [--beside PATH] [--ready FILE] [PATH]\n",
          stderr);
    return 2;
}

static void stop(int number)
{
    (void)number;
    client_stop = 1;
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'},   {"key", required_argument, NULL, 'k'},
        {"beside", required_argument, NULL, 'e'}, {"clients", required_argument, NULL, 'c'},
        {"batch", required_argument, NULL, 'b'},  {"seconds", required_argument, NULL, 's'},
        {"warm", required_argument, NULL, 'w'},   {"rate", required_argument, NULL, 'r'},
        {"count", required_argument, NULL, 'n'},  {"logs", required_argument, NULL, 'l'},
        {"begin", required_argument, NULL, 'f'},  {"service", required_argument, NULL, 'S'},
        {"ready", required_argument, NULL, 'R'},  {NULL, 0, NULL, 0},
    };
    struct options options = {.port = 8080, .key = "", .clients = 1, .seconds = 1};
    signal(SIGTERM, stop);
    for (int letter; (letter = getopt_long(argc, argv, "", names, NULL)) != -1;)
        read_option(&options, letter, optarg);
    const char *what = optind < argc ? argv[optind] : "";
    if (options.clients < 1 || options.clients > 1024 || options.seconds > 600)
        return usage();
    if (!strcmp(what, "post") && options.batch > 0)
        return post(&options);
    if (!strcmp(what, "get") && optind + 1 < argc)
        return get(&options, argv[optind + 1]);
    if (!strcmp(what, "cells"))
        return cells(&options);
    if (!strcmp(what, "memory"))
        return memory(&options);
    return usage();
}
