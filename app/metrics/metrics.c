/* metrics.c: what the service counts of itself. Knows the table of metrics, where each number is, and how to count
 * without a lock. Knows no file and no text. */
#include "metrics/metrics.h"

#include "process/clock.h"
#include "process/log.h"
#include "metrics/file.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define RETRY_MS 10000
#define SUM METRICS_BUCKETS /* of a histogram's values: the slot behind its buckets */

const struct metric_row metrics_rows[METRICS] = {
#define METRIC_ROW(id, kind, unit, labels, name, help) [id] = {METRIC_##kind, UNIT_##unit, labels, name, help},
    METRICS_LIST(METRIC_ROW)
#undef METRIC_ROW
};

const int metrics_statuses[METRICS_STATUSES] = {200, 204, 304, 400, 401, 403, 404, 405,
                                                406, 412, 413, 415, 422, 500, 503, 0};

static const int64_t time_bounds[] = {100,   250,    500,    1000,   2500,    5000,    10000,   25000,
                                      50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};
static const int64_t batch_bounds[] = {1, 2, 4, 8, 16, 32, 64};
static const int64_t log_bounds[] = {1, 10, 100, 1000, 2000, 5000, 10000, 20000, 50000, 100000};

struct metrics {
    _Atomic(struct metrics_area *) area;
    size_t first[METRICS]; /* where each metric's slots begin */
    size_t slots;
    uint64_t layout;
    atomic_bool shared;
    atomic_llong next_try_ms;
    const char *data_dir;
    enum program program;
    size_t route_count;
    struct metrics_route routes[METRICS_MAX_ROUTES];
};

/* ---- where a number is ---- */

size_t metrics_bounds(enum metric metric, const int64_t **ret_bounds)
{
    switch (metrics_rows[metric].unit) {
    case UNIT_TIME:
        *ret_bounds = time_bounds;
        return sizeof time_bounds / sizeof *time_bounds;
    case UNIT_BATCHES:
        *ret_bounds = batch_bounds;
        return sizeof batch_bounds / sizeof *batch_bounds;
    case UNIT_LOGS:
        *ret_bounds = log_bounds;
        return sizeof log_bounds / sizeof *log_bounds;
    case UNIT_ONE:
        break;
    }
    return 0;
}

size_t metrics_series_count(const struct metrics *metrics, enum metric metric)
{
    switch (metrics_rows[metric].labels) {
    case LABELS_NOTHING:
    case LABELS_BUILD:
        return 1;
    case LABELS_PROGRAM:
        return PROGRAMS;
    case LABELS_REASON:
    case LABELS_FAILURE:
        return PROGRAMS * METRICS_REASONS;
    case LABELS_ROUTE:
        return metrics->route_count + PROGRAMS;
    case LABELS_REQUEST:
        return (metrics->route_count + PROGRAMS) * METRICS_METHODS * METRICS_STATUSES;
    }
    return 0;
}

static size_t slots_per_series(enum metric_kind kind)
{
    return kind == METRIC_MEASURED ? 0 : kind == METRIC_HISTOGRAM ? METRICS_BUCKETS + 1 : 1;
}

enum err metrics_reason(size_t reason)
{
    return (enum err)(reason + 1);
}

size_t metrics_series_reason(enum program program, size_t reason)
{
    return program * METRICS_REASONS + reason;
}

size_t metrics_series_request(size_t route, enum http_method method, size_t status)
{
    return (route * METRICS_METHODS + method) * METRICS_STATUSES + status;
}

static _Atomic uint64_t *slot(const struct metrics *metrics, enum metric metric, size_t series, size_t i)
{
    struct metrics_area *area = atomic_load_explicit(&metrics->area, memory_order_acquire);
    assert(series < metrics_series_count(metrics, metric));
    return &area->slots[metrics->first[metric] + series * slots_per_series(metrics_rows[metric].kind) + i];
}

static void lay_out(struct metrics *metrics)
{
    for (size_t i = 0; i < METRICS; i++) {
        metrics->first[i] = metrics->slots;
        metrics->slots += metrics_series_count(metrics, (enum metric)i) * slots_per_series(metrics_rows[i].kind);
    }
}

/* ---- what the slots mean, as one number: FNV-1a (RFC 9923) over all that decides it ---- */

static void mix(uint64_t *hash, const void *data, size_t len)
{
    const unsigned char *bytes = data;
    for (size_t i = 0; i < len; i++)
        *hash = (*hash ^ bytes[i]) * UINT64_C(0x100000001b3);
}

static void mix_text(uint64_t *hash, const char *text)
{
    mix(hash, text, strlen(text) + 1);
}

static uint64_t layout_of(const struct metrics *metrics)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < METRICS; i++) {
        mix_text(&hash, metrics_rows[i].name);
        mix(&hash, &metrics->first[i], sizeof metrics->first[i]);
    }
    for (size_t i = 0; i < metrics->route_count; i++) {
        mix(&hash, &metrics->routes[i].program, sizeof metrics->routes[i].program);
        mix_text(&hash, metrics->routes[i].path);
    }
    for (size_t i = 0; i < METRICS_REASONS; i++)
        mix_text(&hash, err_key(metrics_reason(i)));
    mix(&hash, metrics_statuses, sizeof metrics_statuses);
    mix(&hash, time_bounds, sizeof time_bounds);
    mix(&hash, batch_bounds, sizeof batch_bounds);
    mix(&hash, log_bounds, sizeof log_bounds);
    return hash;
}

/* ---- the shared file, and what is counted without it ---- */

static void log_alone(const char *why)
{
    struct log_line line;
    log_begin(&line, LEVEL_WARN, "metrics_not_shared");
    log_cstr(&line, "detail", why);
    log_end(&line);
}

/* Adds what was counted alone; a gauge that was set is the newer. */
static void bring_along(const struct metrics *metrics, const struct metrics_area *from, struct metrics_area *to)
{
    for (size_t m = 0; m < METRICS; m++) {
        size_t end = m + 1 < METRICS ? metrics->first[m + 1] : metrics->slots;
        for (size_t i = metrics->first[m]; i < end; i++) {
            uint64_t value = atomic_load_explicit(&from->slots[i], memory_order_relaxed);
            if (value != 0 && metrics_rows[m].kind == METRIC_GAUGE)
                atomic_store_explicit(&to->slots[i], value, memory_order_relaxed);
            else if (value != 0)
                atomic_fetch_add_explicit(&to->slots[i], value, memory_order_relaxed);
        }
    }
}

/* Another thread may still count in the old area meanwhile; that little is lost. */
static void share(struct metrics *metrics)
{
    const char *why = "";
    struct metrics_area *shared = metrics_file_map(metrics->data_dir, metrics->layout, metrics->slots, false, &why);
    if (!shared)
        return;
    bring_along(metrics, atomic_load(&metrics->area), shared);
    atomic_store_explicit(&metrics->area, shared, memory_order_release);
    atomic_store(&metrics->shared, true);
}

/* By one thread, every 10 seconds, while the file is not shared. */
static void see_to_sharing(struct metrics *metrics, int64_t now_ms)
{
    long long next = atomic_load_explicit(&metrics->next_try_ms, memory_order_relaxed);

    if (metrics_file_lost()) {
        atomic_store(&metrics->shared, false);
        log_alone("a page of DIR/metrics was lost");
    }
    if (atomic_load_explicit(&metrics->shared, memory_order_relaxed))
        return;
    if ((now_ms >= next || next > now_ms + RETRY_MS) &&
        atomic_compare_exchange_strong(&metrics->next_try_ms, &next, now_ms + RETRY_MS))
        share(metrics);
}

static bool begin(struct metrics *metrics)
{
    const char *why = "";
    struct metrics_area *area = metrics_file_map(metrics->data_dir, metrics->layout, metrics->slots, true, &why);
    atomic_init(&metrics->shared, area != NULL);
    if (!area) {
        log_alone(why);
        area = metrics_file_none(metrics->slots);
    }
    atomic_init(&metrics->area, area);
    return area != NULL;
}

struct metrics *metrics_open(const char *data_dir, enum program program, const struct metrics_route *routes,
                             size_t route_count)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);
    assert(route_count <= METRICS_MAX_ROUTES);
    if (!metrics)
        return NULL;
    metrics->data_dir = data_dir;
    metrics->program = program;
    metrics->route_count = route_count;
    memcpy(metrics->routes, routes, route_count * sizeof *routes);
    lay_out(metrics);
    metrics->layout = layout_of(metrics);
    atomic_init(&metrics->next_try_ms, clock_wall_ms() + RETRY_MS);
    if (!begin(metrics)) {
        free(metrics);
        return NULL;
    }
    metrics_add(metrics, METRIC_STARTS, program, 1);
    return metrics;
}

void metrics_close(struct metrics *metrics)
{
    free(metrics);
}

/* ---- counting ---- */

void metrics_add(struct metrics *metrics, enum metric metric, size_t series, uint64_t more)
{
    if (metrics)
        atomic_fetch_add_explicit(slot(metrics, metric, series, 0), more, memory_order_relaxed);
}

void metrics_set(struct metrics *metrics, enum metric metric, size_t series, uint64_t value)
{
    if (metrics)
        atomic_store_explicit(slot(metrics, metric, series, 0), value, memory_order_relaxed);
}

void metrics_observe(struct metrics *metrics, enum metric metric, size_t series, int64_t value)
{
    if (!metrics)
        return;
    const int64_t *bounds = NULL;
    size_t count = metrics_bounds(metric, &bounds);
    size_t i = 0;
    while (i < count && value > bounds[i])
        i++;
    atomic_fetch_add_explicit(slot(metrics, metric, series, i), 1, memory_order_relaxed);
    atomic_fetch_add_explicit(slot(metrics, metric, series, SUM), (uint64_t)value, memory_order_relaxed);
}

static size_t reason_of(enum err err)
{
    return (size_t)err - 1; /* OK is none */
}

static size_t status_of(int status)
{
    size_t i = 0;
    while (i < METRICS_STATUSES - 1 && metrics_statuses[i] != status)
        i++;
    return i;
}

void metrics_fail(struct metrics *metrics, enum err err, int64_t now_ms)
{
    if (metrics && err)
        metrics_set(metrics, METRIC_LAST_ERROR, metrics_series_reason(metrics->program, reason_of(err)),
                    (uint64_t)(now_ms / 1000));
}

void metrics_request(struct metrics *metrics, const struct metrics_request *request)
{
    if (!metrics)
        return;
    see_to_sharing(metrics, request->now_ms);
    size_t route = request->route;
    if (route == METRICS_NO_ROUTE)
        route = metrics->route_count + metrics->program;
    metrics_add(metrics, METRIC_REQUESTS, metrics_series_request(route, request->method, status_of(request->status)),
                1);
    metrics_observe(metrics, METRIC_REQUEST_TIME, route, request->took_us);
    if (!request->err)
        return;
    metrics_add(metrics, METRIC_REFUSALS, metrics_series_reason(metrics->program, reason_of(request->err)), 1);
    if (request->status >= 500)
        metrics_fail(metrics, request->err, request->now_ms);
}

/* ---- reading ---- */

bool metrics_is_shared(const struct metrics *metrics)
{
    return atomic_load(&metrics->shared);
}

const struct metrics_route *metrics_routes(const struct metrics *metrics, size_t *ret_count)
{
    *ret_count = metrics->route_count;
    return metrics->routes;
}

uint64_t metrics_value(const struct metrics *metrics, enum metric metric, size_t series)
{
    return atomic_load_explicit(slot(metrics, metric, series, 0), memory_order_relaxed);
}

uint64_t metrics_bucket(const struct metrics *metrics, enum metric metric, size_t series, size_t i)
{
    return atomic_load_explicit(slot(metrics, metric, series, i), memory_order_relaxed);
}

uint64_t metrics_sum(const struct metrics *metrics, enum metric metric, size_t series)
{
    return atomic_load_explicit(slot(metrics, metric, series, SUM), memory_order_relaxed);
}
