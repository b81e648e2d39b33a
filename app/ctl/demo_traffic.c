/* demo_traffic.c: made-up traffic. Knows who buys what, when people are awake, and what breaks. Knows no store. */
#include "ctl/demo_traffic.h"

#include "time/when.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define USERS 20
#define ORDERS_PER_USER 4 /* at most */
#define MAX_ORDERS (USERS * ORDERS_PER_USER)
#define FAVOURITES 12
#define WORKERS 6
#define PEERS 24
#define GROWING_USER 7 /* from next to nothing to the greatest */
#define NIGHT_USER 12  /* its jobs run while others sleep */
#define OUTAGE_WORKER 3
#define OUTAGE_SECONDS (7 * WHEN_HOUR / 2)

static const char *const sites[] = {
    "google.com",        "youtube.com",      "amazon.com",
    "wikipedia.org",     "github.com",       "reddit.com",
    "linkedin.com",      "ebay.com",         "bing.com",
    "booking.com",       "apple.com",        "microsoft.com",
    "stackoverflow.com", "netflix.com",      "walmart.com",
    "airbnb.com",        "spotify.com",      "tripadvisor.com",
    "duckduckgo.com",    "yahoo.com",        "etsy.com",
    "target.com",        "bestbuy.com",      "expedia.com",
    "zillow.com",        "imdb.com",         "twitch.tv",
    "vimeo.com",         "soundcloud.com",   "medium.com",
    "wordpress.com",     "shopify.com",      "cloudflare.com",
    "openstreetmap.org", "archive.org",      "mozilla.org",
    "debian.org",        "python.org",       "npmjs.com",
    "docker.com",        "gitlab.com",       "bbc.co.uk",
    "nytimes.com",       "theguardian.com",  "cnn.com",
    "reuters.com",       "weather.com",      "accuweather.com",
    "zalando.de",        "otto.de",          "allegro.pl",
    "rozetka.com.ua",    "olx.ua",           "prom.ua",
    "lemonde.fr",        "elpais.com",       "corriere.it",
    "rakuten.co.jp",     "mercadolibre.com", "aliexpress.com",
};
#define SITES (sizeof sites / sizeof *sites)
static const char *const hosts[] = {"", "www.", "api.", "cdn.", "m."};
#define DOMAINS (SITES * (sizeof hosts / sizeof *hosts))

static const char *const usual_errors[] = {"connect timeout",      "http 429",   "http 403", "connection reset",
                                           "tls handshake failed", "dns failure"};
#define USUAL_ERRORS (sizeof usual_errors / sizeof *usual_errors)

struct order {
    int64_t user_id;
    double weight;
    int appetite; /* concurrent connections at most, on a busy hour */
    uint32_t favourites[FAVOURITES];
};

struct demo_traffic {
    struct demo_plan plan;
    uint64_t random;
    struct order orders[MAX_ORDERS];
    uint32_t order_count;
    double shares[MAX_ORDERS]; /* running sums, of this quarter of an hour */
    double *loads;             /* of each quarter, running sums */
    int64_t quarters, quarter; /* all, and the one being made */
    int64_t made;              /* logs, in all */
    int64_t outage_from, outage_to;
};

/* ---- chance ---- */

/* splitmix64 (public domain, Vigna): the next 64 bits. */
static uint64_t draw(struct demo_traffic *traffic)
{
    uint64_t z = traffic->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double fraction(struct demo_traffic *traffic)
{
    return (double)(draw(traffic) >> 11) / 9007199254740992.0;
}

static uint32_t below(struct demo_traffic *traffic, uint32_t n)
{
    return (uint32_t)(draw(traffic) % n);
}

/* 0 … n-1, small numbers much more often. */
static uint32_t long_tail(struct demo_traffic *traffic, uint32_t n)
{
    uint32_t rank = (uint32_t)pow(n + 1.0, fraction(traffic)) - 1;
    return rank < n ? rank : n - 1;
}

static bool happens(struct demo_traffic *traffic, double probability)
{
    return fraction(traffic) < probability;
}

/* ---- who, and when ---- */

static void make_orders(struct demo_traffic *traffic)
{
    for (int64_t user = 1; user <= USERS; user++) {
        uint32_t orders = 1 + below(traffic, ORDERS_PER_USER);
        for (uint32_t i = 0; i < orders; i++) {
            struct order *order = &traffic->orders[traffic->order_count++];
            order->user_id = user;
            order->weight = pow((double)user, -0.7) / orders * (0.5 + fraction(traffic));
            order->appetite = 4 + (int)below(traffic, 60);
            for (int f = 0; f < FAVOURITES; f++)
                order->favourites[f] = long_tail(traffic, DOMAINS);
        }
    }
}

/* How awake the world is, 0.2 … 1: least at 03:30 UTC, most at 15:30. */
static double daylight(int64_t at)
{
    double hour = (double)(at % WHEN_DAY) / WHEN_HOUR;
    return 0.6 - 0.4 * cos((hour - 3.5) * 3.14159265358979 / 12);
}

static bool is_weekend(int64_t at)
{
    int64_t weekday = (at / WHEN_DAY + 3) % 7; /* 1970-01-01 was a Thursday; 0 is Monday */
    return weekday >= 5;
}

/* How far through the range, 0 … 1. */
static double progress_at(const struct demo_traffic *traffic, int64_t at)
{
    return (double)(at - traffic->plan.from) / (double)(traffic->plan.until - traffic->plan.from);
}

static double load_at(struct demo_traffic *traffic, int64_t at)
{
    double load = daylight(at) * (is_weekend(at) ? 0.65 : 1) * (1 + 0.5 * progress_at(traffic, at));
    return load * (0.9 + 0.2 * fraction(traffic));
}

static double share_at(const struct demo_traffic *traffic, const struct order *order, int64_t at)
{
    double progress = progress_at(traffic, at);
    if (order->user_id == GROWING_USER)
        return order->weight * (0.1 + 12 * progress * progress);
    if (order->user_id == NIGHT_USER)
        return order->weight * (daylight(at) < 0.35 ? 12 : 0.2);
    return order->weight;
}

static int64_t time_of(const struct demo_traffic *traffic, int64_t quarter)
{
    return traffic->plan.from + quarter * WHEN_QUARTER;
}

static void begin_quarter(struct demo_traffic *traffic)
{
    double sum = 0;
    for (uint32_t i = 0; i < traffic->order_count; i++) {
        sum += share_at(traffic, &traffic->orders[i], time_of(traffic, traffic->quarter));
        traffic->shares[i] = sum;
    }
}

static const struct order *pick_order(struct demo_traffic *traffic, uint32_t *ret_index)
{
    double at = fraction(traffic) * traffic->shares[traffic->order_count - 1];
    uint32_t i = 0;
    while (i + 1 < traffic->order_count && traffic->shares[i] <= at)
        i++;
    *ret_index = i;
    return &traffic->orders[i];
}

/* ---- start and end ---- */

static bool make_loads(struct demo_traffic *traffic)
{
    traffic->quarters = (traffic->plan.until - traffic->plan.from) / WHEN_QUARTER;
    traffic->loads = calloc((size_t)traffic->quarters, sizeof *traffic->loads);
    double sum = 0;
    for (int64_t q = 0; traffic->loads && q < traffic->quarters; q++) {
        sum += load_at(traffic, time_of(traffic, q));
        traffic->loads[q] = sum;
    }
    return traffic->loads != NULL;
}

/* At a busy time of the day two thirds through, or, in a short range, there. */
static void plan_outage(struct demo_traffic *traffic)
{
    int64_t length = traffic->plan.until - traffic->plan.from;
    int64_t from = traffic->plan.from + length * 2 / 3;
    if (length > 3 * WHEN_DAY)
        from = when_floor(from, WHEN_DAY) + 13 * WHEN_HOUR;
    traffic->outage_from = when_floor(from, WHEN_QUARTER);
    traffic->outage_to = traffic->outage_from + (OUTAGE_SECONDS < length / 8 ? OUTAGE_SECONDS : length / 8);
}

struct demo_traffic *demo_open(const struct demo_plan *plan)
{
    struct demo_traffic *traffic = calloc(1, sizeof *traffic);
    if (!traffic)
        return NULL;
    traffic->plan = *plan;
    traffic->random = plan->seed;
    make_orders(traffic);
    plan_outage(traffic);
    if (make_loads(traffic)) {
        begin_quarter(traffic);
        return traffic;
    }
    free(traffic);
    return NULL;
}

void demo_close(struct demo_traffic *traffic)
{
    if (!traffic)
        return;
    free(traffic->loads);
    free(traffic);
}

/* ---- one log ---- */

struct texts {
    const char *text[NAME_FIELDS];
    char domain[64], peer[32], worker[32];
};

static const char *pick_error(struct demo_traffic *traffic, int64_t at, uint32_t worker)
{
    if (worker == OUTAGE_WORKER && at >= traffic->outage_from && at < traffic->outage_to && happens(traffic, 0.7))
        return "upstream unreachable";
    /* Bursts: for a quarter of an hour, now and then, a worker is turned away. */
    bool burst = (uint64_t)(at / WHEN_QUARTER) * 2654435761u % 97 == worker;
    return happens(traffic, burst ? 0.35 : 0.015) ? usual_errors[long_tail(traffic, USUAL_ERRORS)] : "";
}

static const char *pick_protocol(struct demo_traffic *traffic, const struct order *order, uint16_t *ret_port)
{
    *ret_port = 443;
    if (order->user_id % 5 == 0 && happens(traffic, 0.8))
        return "SOCKS5";
    if (!happens(traffic, 0.12))
        return "HTTPS";
    *ret_port = happens(traffic, 0.8) ? 80 : 8080;
    return "HTTP";
}

static uint32_t pick_domain(struct demo_traffic *traffic, const struct order *order)
{
    if (happens(traffic, 0.7))
        return order->favourites[long_tail(traffic, FAVOURITES)];
    return long_tail(traffic, DOMAINS);
}

/* A worker runs the peers of its own. Addresses are of the blocks for documentation (RFC 5737, RFC 3849). */
static void choose_texts(struct demo_traffic *traffic, const struct order *order, uint32_t domain,
                         struct log_record *log, struct texts *texts)
{
    uint32_t peer = below(traffic, PEERS), worker = peer % WORKERS + 1;
    snprintf(texts->domain, sizeof texts->domain, "%s%s", hosts[domain / SITES], sites[domain % SITES]);
    snprintf(texts->peer, sizeof texts->peer, "peer-%03u", peer + 1);
    snprintf(texts->worker, sizeof texts->worker, "worker-%02u", worker);
    texts->text[NAME_DOMAIN] = texts->domain;
    texts->text[NAME_PEER] = texts->peer;
    texts->text[NAME_WORKER] = texts->worker;
    texts->text[NAME_ERROR] = pick_error(traffic, log->ts, worker);
    texts->text[NAME_PROTOCOL] = pick_protocol(traffic, order, &log->port);
    log->ip_from = (struct ip){4, {198, 51, 100, (uint8_t)(order->user_id * 10 + below(traffic, 3))}};
    if (peer % 4 != 0)
        log->ip_out = (struct ip){4, {203, 0, 113, (uint8_t)(peer + 10)}};
    else
        log->ip_out = (struct ip){16, {0x20, 0x01, 0x0d, 0xb8, [14] = 1, [15] = (uint8_t)(peer + 1)}};
}

/* Busy hours have more connections at a time; some sites send films, most send pages. */
static void choose_counters(struct demo_traffic *traffic, const struct order *order, uint32_t domain, bool failed,
                            struct log_record *log)
{
    double load = daylight(log->ts);
    int64_t page = 2000 + (int64_t)(domain % SITES * 7919 % 60000) * (domain % 11 == 1 ? 40 : 1);
    log->count = 1 + long_tail(traffic, 20 + (uint32_t)(load * 100));
    log->bytes_sent = log->count * (400 + below(traffic, 1800));
    log->bytes_received = log->count * (page / 2 + (int64_t)(fraction(traffic) * (double)page));
    log->duration_ms = log->count * (80 + (int64_t)long_tail(traffic, 2500));
    log->max_concurrency = 1 + (int64_t)(fraction(traffic) * load * order->appetite);
    if (log->max_concurrency > log->count)
        log->max_concurrency = log->count;
    if (!failed)
        return;
    log->error_count = 1 + (int64_t)(fraction(traffic) * (double)log->count);
    if (log->error_count > log->count)
        log->error_count = log->count;
    log->bytes_received /= 1 + log->error_count;
}

static enum err add_log(struct demo_traffic *traffic, struct batch *batch)
{
    struct log_record log = {.ts = time_of(traffic, traffic->quarter)};
    uint32_t index;
    const struct order *order = pick_order(traffic, &index);
    uint32_t domain = pick_domain(traffic, order);
    log.user_id = order->user_id;
    log.order_id = index + 1;
    struct texts texts;
    choose_texts(traffic, order, domain, &log, &texts);
    choose_counters(traffic, order, domain, *texts.text[NAME_ERROR] != '\0', &log);
    enum err err = OK;
    for (int i = 0; !err && i < NAME_FIELDS; i++)
        err = batch_intern(batch, slice_of(texts.text[i]), &log.name[i]);
    return err ? err : batch_add(batch, &log);
}

/* So many logs stand before the end of this quarter. */
static int64_t logs_until(const struct demo_traffic *traffic, int64_t quarter)
{
    if (quarter + 1 >= traffic->quarters)
        return traffic->plan.logs;
    double share = traffic->loads[quarter] / traffic->loads[traffic->quarters - 1];
    return (int64_t)((double)traffic->plan.logs * share);
}

enum err demo_next(struct demo_traffic *traffic, uint32_t count, struct batch *batch)
{
    enum err err = OK;
    while (!err && count > 0 && traffic->made < traffic->plan.logs) {
        if (traffic->made >= logs_until(traffic, traffic->quarter)) {
            traffic->quarter++;
            begin_quarter(traffic);
            continue;
        }
        err = add_log(traffic, batch);
        traffic->made++;
        count--;
    }
    return err;
}
