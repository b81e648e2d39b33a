/* traffic.c: believable proxy traffic. Knows distributions. Knows no store and no network. */
#include "traffic.h"

#include "time/when.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TARGETS 300

struct order {
    int64_t user_id;
    uint32_t target_count;
    uint32_t targets[MAX_TARGETS]; /* domains, the favourite first */
};

struct traffic {
    uint64_t rng;
    int64_t ts;
    int64_t logs_per_quarter;
    int64_t left_in_quarter;
    double order_weight[TRAFFIC_ORDERS]; /* running sums */
    struct order orders[TRAFFIC_ORDERS];
    struct traffic_log log;
    char domain[64];
    char peer[32];
    char worker[32];
};

/* splitmix64 (public domain, Vigna): the next 64 bits. */
static uint64_t next(struct traffic *traffic)
{
    uint64_t z = traffic->rng += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double uniform(struct traffic *traffic)
{
    return (double)(next(traffic) >> 11) / 9007199254740992.0;
}

/* 0 … n-1, small numbers much more often: the rank of a long-tailed list. */
static uint32_t long_tail(struct traffic *traffic, uint32_t n)
{
    return (uint32_t)(pow((double)n + 1, uniform(traffic))) - 1;
}

static void make_orders(struct traffic *traffic)
{
    double sum = 0;
    for (uint32_t i = 0; i < TRAFFIC_ORDERS; i++) {
        struct order *order = &traffic->orders[i];
        order->user_id = 1 + long_tail(traffic, TRAFFIC_USERS);
        order->target_count = 3 + (uint32_t)(next(traffic) % (MAX_TARGETS - 2));
        for (uint32_t j = 0; j < order->target_count; j++)
            order->targets[j] = long_tail(traffic, TRAFFIC_DOMAINS);
        sum += pow(i + 1, -0.6);
        traffic->order_weight[i] = sum;
    }
}

struct traffic *traffic_open(uint64_t seed, int64_t begin, int64_t logs_per_quarter)
{
    struct traffic *traffic = calloc(1, sizeof *traffic);
    if (!traffic)
        return NULL;
    traffic->rng = seed;
    traffic->ts = begin - begin % WHEN_QUARTER;
    traffic->logs_per_quarter = traffic->left_in_quarter = logs_per_quarter;
    make_orders(traffic);
    return traffic;
}

void traffic_close(struct traffic *traffic)
{
    free(traffic);
}

static uint32_t pick_order(struct traffic *traffic)
{
    double at = uniform(traffic) * traffic->order_weight[TRAFFIC_ORDERS - 1];
    uint32_t low = 0, high = TRAFFIC_ORDERS - 1;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (traffic->order_weight[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void name_texts(struct traffic *traffic, uint32_t domain, bool failed)
{
    static const char *const errors[] = {"connection_timeout", "connection_refused", "dns_failure", "tls_handshake",
                                         "upstream_reset"};
    static const char *const tops[] = {"com", "net", "org", "io"};
    snprintf(traffic->domain, sizeof traffic->domain, "%s%u.%s", domain % 3 ? "site" : "www.shop", domain,
             tops[domain % 4]);
    snprintf(traffic->peer, sizeof traffic->peer, "peer-%03u", (unsigned)(next(traffic) % 40));
    snprintf(traffic->worker, sizeof traffic->worker, "worker-%02u", (unsigned)(next(traffic) % 8));
    traffic->log.text[NAME_DOMAIN] = traffic->domain;
    traffic->log.text[NAME_ERROR] = failed ? errors[long_tail(traffic, 5)] : "";
    traffic->log.text[NAME_PROTOCOL] = next(traffic) % 10 ? "HTTPS" : "SOCKS5";
    traffic->log.text[NAME_PEER] = traffic->peer;
    traffic->log.text[NAME_WORKER] = traffic->worker;
}

static struct ip random_ip(struct traffic *traffic, uint8_t first)
{
    uint64_t bits = next(traffic);
    return (struct ip){.len = 4, .bytes = {first, 100, (uint8_t)(bits & 3), (uint8_t)(bits >> 8)}};
}

const struct traffic_log *traffic_next(struct traffic *traffic)
{
    if (traffic->left_in_quarter-- <= 0) {
        traffic->ts += WHEN_QUARTER;
        traffic->left_in_quarter = traffic->logs_per_quarter - 1;
    }
    uint32_t order = pick_order(traffic);
    const struct order *o = &traffic->orders[order];
    int64_t count = 1 + long_tail(traffic, 200);
    bool failed = next(traffic) % 20 == 0;
    name_texts(traffic, o->targets[long_tail(traffic, o->target_count)], failed);
    traffic->log.record = (struct log_record){.ts = traffic->ts,
                                              .user_id = o->user_id,
                                              .order_id = order + 1,
                                              .count = count,
                                              .bytes_sent = count * (300 + (int64_t)(next(traffic) % 2000)),
                                              .bytes_received = count * (1000 + (int64_t)(next(traffic) % 60000)),
                                              .error_count = failed ? 1 + count / 10 : 0,
                                              .duration_ms = (int64_t)(next(traffic) % 30000),
                                              .max_concurrency = 1 + (int64_t)long_tail(traffic, 50),
                                              .port = next(traffic) % 10 ? 443 : 80,
                                              .ip_out = random_ip(traffic, 185),
                                              .ip_from = random_ip(traffic, 78)};
    return &traffic->log;
}

enum err traffic_batch(struct traffic *traffic, uint32_t count, struct batch *batch)
{
    enum err err = OK;
    for (uint32_t i = 0; !err && i < count; i++) {
        const struct traffic_log *log = traffic_next(traffic);
        struct log_record record = log->record;
        for (int field = 0; !err && field < NAME_FIELDS; field++)
            err = batch_intern(batch, slice_of(log->text[field]), &record.name[field]);
        if (!err)
            err = batch_add(batch, &record);
    }
    return err;
}

void traffic_put_log(const struct traffic_log *log, struct buf *body)
{
    char ts[WHEN_TEXT_BYTES], ip_out[46], ip_from[46];
    const struct log_record *r = &log->record;
    when_format(r->ts, ts);
    ip_format(&r->ip_out, ip_out);
    ip_format(&r->ip_from, ip_from);
    buf_printf(body,
               "{\"ts\":\"%s\",\"user_id\":%lld,\"order_id\":%lld,\"port\":%u,\"protocol\":\"%s\",\"ip_out\":\"%s\","
               "\"ip_from\":\"%s\",\"peer_id\":\"%s\",\"worker\":\"%s\",\"domain\":\"%s\",\"error\":\"%s\",",
               ts, (long long)r->user_id, (long long)r->order_id, r->port, log->text[NAME_PROTOCOL], ip_out, ip_from,
               log->text[NAME_PEER], log->text[NAME_WORKER], log->text[NAME_DOMAIN], log->text[NAME_ERROR]);
    buf_printf(body,
               "\"count\":%lld,\"bytes_sent\":%lld,\"bytes_received\":%lld,\"error_count\":%lld,\"duration_ms\":%lld,"
               "\"max_concurrency\":%lld}",
               (long long)r->count, (long long)r->bytes_sent, (long long)r->bytes_received, (long long)r->error_count,
               (long long)r->duration_ms, (long long)r->max_concurrency);
}

void traffic_body(struct traffic *traffic, uint32_t count, struct buf *body)
{
    buf_puts(body, "{\"logs\":[");
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_putc(body, ',');
        traffic_put_log(traffic_next(traffic), body);
    }
    buf_puts(body, "]}");
}
