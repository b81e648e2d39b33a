/* bench_parse.c: the speed of JSON parsing on one core: json-c (the yardstick) and our reader, over the same bodies.
 * Usage: bench_parse BATCH [SECONDS]. Prints the logs/s of json-c and of our reader, measured in turns. */
#include "client.h"
#include "format/json_logs.h"
#include "traffic.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BEGIN INT64_C(1772323200) /* 2026-03-01 */
#define LOGS 200000
#define PIECE_BYTES (64u << 10)
#define TURNS 4

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_parse: %s\n", what);
    exit(1);
}

static void with_json_c(const struct buf *body)
{
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *object = json_tokener_parse_ex(tokener, body->data, (int)body->len);
    if (!object)
        die("json-c refuses the body");
    json_object_put(object);
    json_tokener_free(tokener);
}

static void with_ours(const struct buf *body)
{
    struct batch batch;
    struct fault fault;
    batch_init(&batch, NULL);
    struct json_logs *reader = json_logs_open(&batch);
    for (size_t at = 0; at < body->len; at += PIECE_BYTES) {
        size_t len = body->len - at < PIECE_BYTES ? body->len - at : PIECE_BYTES;
        if (json_logs_feed(reader, body->data + at, len, &fault))
            die(fault.detail);
    }
    if (json_logs_finish(reader, &fault))
        die(fault.detail);
    json_logs_close(reader);
    batch_release(&batch);
}

/* Logs a second of processor time. */
static double rate(void (*parse)(const struct buf *body), const struct buf *bodies, size_t count, uint32_t batch,
                   double seconds)
{
    int64_t logs = 0, until = clock_us() + (int64_t)(seconds * 1e6);
    double start = cpu_s();
    for (size_t i = 0; clock_us() < until; i++) {
        parse(&bodies[i % count]);
        logs += batch;
    }
    return (double)logs / (cpu_s() - start);
}

int main(int argc, char **argv)
{
    long batch = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 2, json_c = 0, ours = 0;
    if (batch < 1 || batch > 50000) {
        fprintf(stderr, "usage: bench_parse BATCH [SECONDS]\n");
        return 2;
    }
    size_t count = (size_t)(LOGS / batch + 1);
    struct buf *bodies = calloc(count, sizeof *bodies);
    struct traffic *traffic = traffic_open(1, BEGIN, 1708);
    if (!bodies || !traffic)
        die("no memory");
    for (size_t i = 0; i < count; i++) {
        buf_init(&bodies[i], SIZE_MAX / 2);
        traffic_body(traffic, (uint32_t)batch, &bodies[i]);
    }
    for (int turn = 0; turn < TURNS; turn++) {
        json_c += rate(with_json_c, bodies, count, (uint32_t)batch, seconds / TURNS / 2) / TURNS;
        ours += rate(with_ours, bodies, count, (uint32_t)batch, seconds / TURNS / 2) / TURNS;
    }
    printf("%.0f\t%.0f\n", json_c, ours);
    for (size_t i = 0; i < count; i++)
        buf_release(&bodies[i]);
    free(bodies);
    traffic_close(traffic);
    return 0;
}
