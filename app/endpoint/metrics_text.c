/* metrics_text.c: GET /analytics/metrics. Knows the Prometheus text format (prometheus.io, "Exposition formats",
 * version 0.0.4), and where the figures are that nobody counts: files, the file system. */
#include "endpoint/endpoints.h"

#include "config.h"
#include "metrics/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/banned.h"

#define SILENT_SECONDS 30 /* a writer that has not been heard of for longer is not well */
#define UNKNOWN INT64_MIN /* such a figure is left out */

struct scrape {
    const struct metrics *metrics;
    struct buf *out;
    struct store_place place;
    int64_t now; /* Unix seconds */
    int64_t measured[METRICS];
};

/* ---- what is looked up ---- */

static void measure_disk(const char *data_dir, int64_t *ret_free, int64_t *ret_size)
{
    *ret_free = *ret_size = UNKNOWN;
    struct statvfs about;
    if (statvfs(data_dir, &about) != 0)
        return;
    *ret_free = (int64_t)(about.f_bavail * about.f_frsize);
    *ret_size = (int64_t)(about.f_blocks * about.f_frsize);
}

static bool can_read(struct service *service)
{
    struct store_reader *reader = NULL;
    struct fault fault = {0};
    int version = 0;
    enum err err = service_take_reader(service, &reader, &fault);
    if (!err)
        err = store_reader_health(reader, &version, &fault);
    service_give_reader(service, err);
    return !err;
}

static void measure(struct service *service, int64_t measured[METRICS])
{
    struct store_size size = {0};
    store_measure(service->place, &size);
    measured[METRIC_READABLE] = can_read(service);
    measured[METRIC_DATABASE] = size.data;
    measured[METRIC_WAL] = size.write_ahead;
    measure_disk(service->data_dir, &measured[METRIC_DISK_FREE], &measured[METRIC_DISK]);
    measured[METRIC_SPOOL_LOGS] = size.queue.logs;
    measured[METRIC_SPOOL_SINCE] = size.queue.since;
    measured[METRIC_SPOOL_STUCK] = size.queue.is_stuck;
    measured[METRIC_SPOOL_ASIDE] = size.queue.put_aside;
    measured[METRIC_SPOOL_COMPARED] = size.queue.compared_at;
    measured[METRIC_SPOOL_DIFFERENCES] = size.queue.differences;
    measured[METRIC_SHARED] = metrics_is_shared(service->metrics);
    measured[METRIC_BUILD] = 1;
}

/* ---- the text ---- */

static void put_label(struct buf *out, const char *name, const char *value)
{
    bool first = out->len > 0 && out->data[out->len - 1] == '{';
    if (!first)
        buf_putc(out, ',');
    buf_puts(out, name);
    buf_puts(out, "=\"");
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            buf_putc(out, '\\');
        if (*value == '\n')
            buf_puts(out, "\\n");
        else
            buf_putc(out, *value);
    }
    buf_putc(out, '"');
}

static void put_seconds(struct buf *out, int64_t microseconds)
{
    int64_t rest = microseconds % 1000000;
    buf_put_i64(out, microseconds / 1000000);
    if (rest != 0)
        buf_putc(out, '.');
    for (int64_t place = 100000; rest != 0; place /= 10) {
        buf_putc(out, (char)('0' + rest / place));
        rest %= place;
    }
}

static void put_number(struct buf *out, enum metric metric, int64_t value)
{
    if (metrics_rows[metric].unit == UNIT_TIME)
        put_seconds(out, value);
    else
        buf_put_i64(out, value);
}

static const char *program_label(enum program program)
{
    return program == PROGRAM_INGEST ? "ingest" : "query";
}

/* The key, with the name of no parameter: there is one series for all of them. */
static void put_reason(struct buf *out, enum err err)
{
    const char *key = err_key(err);
    const char *hole = strstr(key, "%s");
    char text[96];
    if (!hole)
        snprintf(text, sizeof text, "%s", key);
    else
        snprintf(text, sizeof text, "%.*sparameter%s", (int)(hole - key), key, hole + 2);
    put_label(out, "reason", text);
}

/* Behind the routes of the table stands, for each program, what is none. */
static void put_route(const struct scrape *scrape, size_t route)
{
    size_t count = 0;
    const struct metrics_route *routes = metrics_routes(scrape->metrics, &count);
    enum program program = route < count ? routes[route].program : (enum program)(route - count);
    put_label(scrape->out, "program", program_label(program));
    put_label(scrape->out, "route", route < count ? routes[route].path : "other");
}

static void put_request(const struct scrape *scrape, size_t series)
{
    enum http_method method = (enum http_method)(series / METRICS_STATUSES % METRICS_METHODS);
    put_route(scrape, series / METRICS_STATUSES / METRICS_METHODS);
    put_label(scrape->out, "method", http_method_name(method));
    int status = metrics_statuses[series % METRICS_STATUSES];
    char code[12] = "other";
    if (status != 0)
        snprintf(code, sizeof code, "%d", status);
    put_label(scrape->out, "code", code);
}

static void put_build(const struct scrape *scrape)
{
    char schema[12];
    snprintf(schema, sizeof schema, "%d", store_schema_version(scrape->place));
    put_label(scrape->out, "version", PACKAGE_VERSION);
    put_label(scrape->out, "schema", schema);
}

static void put_labels(const struct scrape *scrape, enum metric metric, size_t series)
{
    switch (metrics_rows[metric].labels) {
    case LABELS_NOTHING:
        return;
    case LABELS_PROGRAM:
        put_label(scrape->out, "program", program_label((enum program)series));
        return;
    case LABELS_REASON:
    case LABELS_FAILURE:
        put_label(scrape->out, "program", program_label((enum program)(series / METRICS_REASONS)));
        put_reason(scrape->out, metrics_reason(series % METRICS_REASONS));
        return;
    case LABELS_ROUTE:
        put_route(scrape, series);
        return;
    case LABELS_REQUEST:
        put_request(scrape, series);
        return;
    case LABELS_BUILD:
        put_build(scrape);
        return;
    }
}

/* The name and the labels; `bound` is one more of them, unless it is NULL. */
static void begin_sample(const struct scrape *scrape, enum metric metric, const char *suffix, size_t series,
                         const char *bound)
{
    struct buf *out = scrape->out;
    buf_puts(out, metrics_rows[metric].name);
    buf_puts(out, suffix);
    buf_putc(out, '{');
    size_t len = out->len;
    put_labels(scrape, metric, series);
    if (bound)
        put_label(out, "le", bound);
    if (out->len == len && len > 0)
        out->len--; /* no braces around nothing */
    else
        buf_putc(out, '}');
    buf_putc(out, ' ');
}

/* ---- samples ---- */

/* A status of a route is shown once it has occurred. Two are shown from the start, so that a rate of them exists. */
static bool is_shown(const struct scrape *scrape, size_t series)
{
    size_t count = 0;
    const struct metrics_route *routes = metrics_routes(scrape->metrics, &count);
    size_t route = series / METRICS_STATUSES / METRICS_METHODS;
    int status = metrics_statuses[series % METRICS_STATUSES];
    if (metrics_value(scrape->metrics, METRIC_REQUESTS, series) > 0)
        return true;
    return route < count && series / METRICS_STATUSES % METRICS_METHODS == routes[route].method &&
           (status == routes[route].status || status == 503);
}

static bool is_left_out(const struct scrape *scrape, enum metric metric, size_t series)
{
    if (metrics_rows[metric].labels == LABELS_REQUEST)
        return !is_shown(scrape, series);
    if (metrics_rows[metric].labels == LABELS_FAILURE)
        return err_status(metrics_reason(series % METRICS_REASONS)) < 500;
    return metrics_rows[metric].kind == METRIC_MEASURED && scrape->measured[metric] == UNKNOWN;
}

/* A writer that was killed does not say that it is unwell. */
static bool is_healthy(const struct scrape *scrape)
{
    int64_t heard = (int64_t)metrics_value(scrape->metrics, METRIC_HEARTBEAT, 0);
    return metrics_value(scrape->metrics, METRIC_HEALTHY, 0) != 0 && scrape->now - heard <= SILENT_SECONDS;
}

static int64_t value_of(const struct scrape *scrape, enum metric metric, size_t series)
{
    if (metrics_rows[metric].kind == METRIC_MEASURED)
        return scrape->measured[metric];
    if (metric == METRIC_HEALTHY)
        return is_healthy(scrape);
    return (int64_t)metrics_value(scrape->metrics, metric, series);
}

static void put_value(const struct scrape *scrape, enum metric metric, size_t series)
{
    if (is_left_out(scrape, metric, series))
        return;
    begin_sample(scrape, metric, "", series, NULL);
    put_number(scrape->out, metric, value_of(scrape, metric, series));
    buf_putc(scrape->out, '\n');
}

/* A bound as text, which is the value of a label. */
static void write_bound(enum metric metric, int64_t bound, char ret_text[24])
{
    struct buf text;
    buf_init(&text, 24);
    put_number(&text, metric, bound);
    snprintf(ret_text, 24, "%s", text.failed ? "" : buf_cstr(&text));
    buf_release(&text);
}

/* The count is the last bucket's, whatever is counted meanwhile. */
static void put_histogram(const struct scrape *scrape, enum metric metric, size_t series)
{
    const int64_t *bounds = NULL;
    size_t count = metrics_bounds(metric, &bounds);
    uint64_t seen = 0;
    for (size_t i = 0; i <= count; i++) {
        char bound[24] = "+Inf";
        if (i < count)
            write_bound(metric, bounds[i], bound);
        seen += metrics_bucket(scrape->metrics, metric, series, i);
        begin_sample(scrape, metric, "_bucket", series, bound);
        buf_put_i64(scrape->out, (int64_t)seen);
        buf_putc(scrape->out, '\n');
    }
    begin_sample(scrape, metric, "_sum", series, NULL);
    put_number(scrape->out, metric, (int64_t)metrics_sum(scrape->metrics, metric, series));
    buf_putc(scrape->out, '\n');
    begin_sample(scrape, metric, "_count", series, NULL);
    buf_put_i64(scrape->out, (int64_t)seen);
    buf_putc(scrape->out, '\n');
}

static void put_metric(const struct scrape *scrape, enum metric metric)
{
    static const char *const types[] = {[METRIC_COUNTER] = "counter",
                                        [METRIC_GAUGE] = "gauge",
                                        [METRIC_MEASURED] = "gauge",
                                        [METRIC_HISTOGRAM] = "histogram"};
    const struct metric_row *row = &metrics_rows[metric];
    size_t series = metrics_series_count(scrape->metrics, metric);
    buf_printf(scrape->out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name, types[row->kind]);
    for (size_t i = 0; i < series; i++) {
        if (row->kind == METRIC_HISTOGRAM)
            put_histogram(scrape, metric, i);
        else
            put_value(scrape, metric, i);
    }
}

enum err metrics_get(struct service *service, const struct request *request, const struct params *params,
                     struct response *response, struct fault *fault)
{
    (void)params;
    if (!service->metrics)
        return fault_set(fault, ERR_UNAVAILABLE, "no memory to count");
    struct scrape scrape = {
        .metrics = service->metrics, .out = &response->body, .place = service->place, .now = request->now_ms / 1000};
    measure(service, scrape.measured);
    response->content_type = "text/plain; version=0.0.4; charset=utf-8";
    response_header(response, "Cache-Control", "no-store");
    for (size_t i = 0; i < METRICS; i++)
        put_metric(&scrape, (enum metric)i);
    return OK;
}
