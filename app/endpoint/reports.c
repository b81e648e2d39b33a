/* reports.c: the read endpoints. Knows each answer's columns and their order (docs/api.md). Knows no SQL, no socket;
 * parameters come parsed, and the filter is already the caller's own. */
#include "endpoint/endpoints.h"

#include "http/accept.h"
#include "time/mono.h"
#include "report/report.h"
#include "endpoint/table.h"
#include "time/when.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define ROWS(array) (sizeof(array) / sizeof *(array))
#define FLUSH_BYTES (256u << 10) /* what an answer holds at most before it is sent on */

/* ---- around every answer ---- */

static bool wants_csv(const struct request *request, const struct params *params)
{
    if (params->format == FORMAT_BY_ACCEPT)
        return accept_prefers_csv(request->accept);
    return params->format == FORMAT_CSV;
}

/* attachment; filename="traffic_2026-03-01_2026-03-31.csv": the report and the first and the last day of the range. */
static void put_file_name(struct response *response, const struct request *request, const struct report_filter *filter)
{
    char first[WHEN_TEXT_BYTES], last[WHEN_TEXT_BYTES], value[128];
    const char *report = strrchr(request->route, '/') + 1; /* a row of the table of routes */

    when_format(zone_clock(filter->zone, filter->from), first);
    when_format(zone_clock(filter->zone, filter->to > filter->from ? filter->to - 1 : filter->to), last);
    snprintf(value, sizeof value, "attachment; filename=\"%s_%.10s_%.10s.csv\"", report, first, last);
    response_header(response, "Content-Disposition", value);
}

/* The headers of an answer that begins now. */
static void begin_answer(struct response *response, const struct request *request, const struct params *params,
                         struct table_writer *writer, const struct table *table)
{
    bool is_csv = wants_csv(request, params);
    response_header(response, "Cache-Control", "private, no-cache");
    response_header(response, "Vary", "Accept");
    response->content_type = is_csv ? "text/csv; charset=utf-8; header=present" : "application/json";
    if (is_csv)
        put_file_name(response, request, &params->filter);
    table_begin(writer, table, is_csv, &response->body);
}

/* The store, for as long as one question takes. Give it back with the outcome. */
struct asking {
    struct store_reader *reader;
    int64_t start_us;
};

static enum err begin_asking(struct service *service, struct asking *asking, struct fault *fault)
{
    *asking = (struct asking){.start_us = mono_us()};
    return service_take_reader(service, &asking->reader, fault);
}

static void end_asking(struct service *service, const struct asking *asking, enum err err, struct response *response)
{
    service_give_reader(service, err);
    response_span(response, "store_ms", mono_us() - asking->start_us);
}

#define DURATION_COLUMNS 2 /* the last of a vendor's report: only those who ask for them see them */

static size_t vendor_columns(size_t all, const struct params *params)
{
    return params->durations ? all : all - DURATION_COLUMNS;
}

/* ---- charts ---- */

static const struct column traffic_columns[] = {
    {"bucket", TABLE_BUCKET},
    {"total_bytes_sent", TABLE_SENT},
    {"total_bytes_received", TABLE_RECEIVED},
    {"bytes_total", TABLE_BYTES},
    {"total_count", TABLE_COUNT},
    {"total_duration_ms", TABLE_DURATION},
    {"avg_duration_ms", TABLE_AVG_DURATION},
};
static const struct column requests_columns[] = {
    {"bucket", TABLE_BUCKET},
    {"total_count", TABLE_COUNT},
    {"total_errors", TABLE_ERRORS},
    {"total_duration_ms", TABLE_DURATION},
    {"avg_duration_ms", TABLE_AVG_DURATION},
};
static const struct column concurrency_columns[] = {
    {"bucket", TABLE_BUCKET},
    {"max_concurrency", TABLE_CONCURRENCY},
    {"total_count", TABLE_COUNT},
    {"total_duration_ms", TABLE_DURATION},
    {"avg_duration_ms", TABLE_AVG_DURATION},
};

/* `columns`: which measures. */
static enum err answer_chart(struct service *service, const struct request *request, const struct params *params,
                             const struct column *columns, size_t column_count, struct response *response,
                             struct fault *fault)
{
    struct chart chart = {0};
    struct asking asking;
    enum err err = begin_asking(service, &asking, fault);
    if (!err)
        err = store_chart(asking.reader, &params->filter, params->granularity, params->fill_zero, &chart, fault);
    end_asking(service, &asking, err, response);
    if (err)
        return err;
    struct table table = {.columns = columns, .column_count = vendor_columns(column_count, params)};
    struct table_writer writer;
    begin_answer(response, request, params, &writer, &table);
    for (size_t i = 0; i < chart.count; i++)
        table_put_row(&writer, &(struct table_row){.bucket = chart.points[i].bucket, .totals = chart.points[i].totals});
    table_end(&writer, NULL, NULL, 0);
    chart_release(&chart);
    return OK;
}

enum err reports_traffic(struct service *service, const struct request *request, const struct params *params,
                         struct response *response, struct fault *fault)
{
    return answer_chart(service, request, params, traffic_columns, ROWS(traffic_columns), response, fault);
}

enum err reports_requests(struct service *service, const struct request *request, const struct params *params,
                          struct response *response, struct fault *fault)
{
    return answer_chart(service, request, params, requests_columns, ROWS(requests_columns), response, fault);
}

enum err reports_concurrency(struct service *service, const struct request *request, const struct params *params,
                             struct response *response, struct fault *fault)
{
    return answer_chart(service, request, params, concurrency_columns, ROWS(concurrency_columns), response, fault);
}

/* ---- summary ---- */

static const struct column summary_columns[] = {
    {"total_count", TABLE_COUNT},          {"total_errors", TABLE_ERRORS},
    {"total_bytes_sent", TABLE_SENT},      {"total_bytes_received", TABLE_RECEIVED},
    {"bytes_total", TABLE_BYTES},          {"max_concurrency", TABLE_CONCURRENCY},
    {"total_duration_ms", TABLE_DURATION}, {"avg_duration_ms", TABLE_AVG_DURATION},
    {"first_seen", TABLE_FIRST},           {"last_seen", TABLE_LAST},
};

enum err reports_summary(struct service *service, const struct request *request, const struct params *params,
                         struct response *response, struct fault *fault)
{
    struct table table = {.columns = summary_columns,
                          .column_count = ROWS(summary_columns),
                          .zone = params->filter.zone,
                          .is_one_row = true};
    struct table_row row = {.name = NULL};
    struct asking asking;
    enum err err = begin_asking(service, &asking, fault);
    if (!err)
        err = store_summary(asking.reader, &params->filter, &row.totals, fault);
    end_asking(service, &asking, err, response);
    if (err)
        return err;
    struct table_writer writer;
    begin_answer(response, request, params, &writer, &table);
    table_put_row(&writer, &row);
    table_end(&writer, NULL, NULL, 0);
    return OK;
}

/* ---- lists ---- */

static const struct column domains_columns[] = {
    {"domain", TABLE_NAME},
    {"total_count", TABLE_COUNT},
    {"bytes_total", TABLE_BYTES},
    {"total_bytes_sent", TABLE_SENT},
    {"total_bytes_received", TABLE_RECEIVED},
    {"total_errors", TABLE_ERRORS},
    {"total_duration_ms", TABLE_DURATION},
    {"avg_duration_ms", TABLE_AVG_DURATION},
};
static const struct column websites_columns[] = {
    {"domain", TABLE_NAME},
    {"total_count", TABLE_COUNT},
    {"bytes_total", TABLE_BYTES},
    {"first_visit", TABLE_FIRST},
    {"last_visit", TABLE_LAST},
    {"total_duration_ms", TABLE_DURATION},
    {"avg_duration_ms", TABLE_AVG_DURATION},
};

static const struct column errors_columns[] = {
    {"error", TABLE_NAME},
    {"total_errors", TABLE_ERRORS},
    {"first_seen", TABLE_FIRST},
    {"last_seen", TABLE_LAST},
    {"sample_domains", TABLE_SAMPLES},
    {"total_duration_ms", TABLE_DURATION},
    {"avg_duration_ms", TABLE_AVG_DURATION},
};

static const struct column breakdown_columns[] = {
    {"value", TABLE_NAME},
    {"total_count", TABLE_COUNT},
    {"total_errors", TABLE_ERRORS},
    {"bytes_total", TABLE_BYTES},
    {"total_bytes_sent", TABLE_SENT},
    {"total_bytes_received", TABLE_RECEIVED},
    {"max_concurrency", TABLE_CONCURRENCY},
    {"total_duration_ms", TABLE_DURATION},
    {"avg_duration_ms", TABLE_AVG_DURATION},
    {"first_seen", TABLE_FIRST},
    {"last_seen", TABLE_LAST},
};
#define TIME_COLUMNS 2 /* the last: only domains have them, because the sums of other values do not know times */

/* The members beside the rows. */
enum beside { NOTHING, PAGES, OTHER_AND_PAGES };

/* A list on its way out. */
struct listing {
    const struct request *request;
    const struct params *params;
    struct response *response;
    struct table table;
    struct table_writer writer;
    enum beside beside;
    uint64_t limit; /* LIST_ALL in place of what is given */
    uint64_t total;
};

/* CSV of everything, unless a part is asked for. JSON and its readers hold an answer as a whole. */
static uint64_t limit_of(const struct request *request, const struct params *params)
{
    bool is_all = wants_csv(request, params) && !params->has_limit && !params->has_page;
    return is_all ? LIST_ALL : (uint64_t)params->limit;
}

static uint64_t page_count(const struct listing *listing)
{
    return listing->total / listing->limit + (listing->total % listing->limit > 0);
}

static void put_count(struct response *response, const char *name, uint64_t count)
{
    char value[32];
    snprintf(value, sizeof value, "%llu", (unsigned long long)count);
    response_header(response, name, value);
}

static enum err begin_list(void *ctx, uint64_t total, struct fault *fault)
{
    struct listing *listing = ctx;
    (void)fault;
    listing->total = total;
    begin_answer(listing->response, listing->request, listing->params, &listing->writer, &listing->table);
    if (!listing->writer.is_csv)
        return OK;
    put_count(listing->response, "X-Total-Count", total);
    if (listing->limit != LIST_ALL)
        put_count(listing->response, "X-Total-Pages", page_count(listing));
    return OK;
}

static enum err put_list_row(void *ctx, const struct list_row *row, struct fault *fault)
{
    struct listing *listing = ctx;
    table_put_row(&listing->writer, &(struct table_row){.name = row->name,
                                                        .totals = row->totals,
                                                        .samples = row->samples,
                                                        .sample_count = row->sample_count});
    if (listing->response->body.len < FLUSH_BYTES || response_flush(listing->response))
        return OK;
    return fault_set(fault, ERR_UNAVAILABLE, "the connection broke in the middle of the answer");
}

static void end_list(struct listing *listing, const struct totals *other)
{
    const struct table_number numbers[] = {
        {"page", listing->params->page},
        {"limit", listing->params->limit},
        {"total", (int64_t)listing->total},
        {"totalPages", listing->limit == LIST_ALL ? 1 : (int64_t)page_count(listing)},
    };
    table_end(&listing->writer, listing->beside == OTHER_AND_PAGES ? other : NULL, numbers,
              listing->beside == NOTHING ? 0 : ROWS(numbers));
}

/* `ask`: which list, in which order. */
static enum err answer_list(struct service *service, struct listing *listing, struct list_ask ask, struct fault *fault)
{
    const struct params *params = listing->params;
    const struct list_sink sink = {begin_list, put_list_row, listing};
    listing->table.zone = params->filter.zone;
    listing->limit = ask.limit = limit_of(listing->request, params);
    ask.containing = params->q;
    ask.offset = (uint64_t)(params->page - 1) * (uint64_t)params->limit;
    struct asking asking;
    enum err err = begin_asking(service, &asking, fault);
    struct totals other;
    if (!err)
        err = store_list(asking.reader, &params->filter, &ask, &sink, &other, fault);
    end_asking(service, &asking, err, listing->response);
    if (!err)
        end_list(listing, &other);
    return err;
}

/* The vendor's answer has no pages: they are told to those who ask for one. */
enum err reports_domains(struct service *service, const struct request *request, const struct params *params,
                         struct response *response, struct fault *fault)
{
    struct listing listing = {
        .request = request,
        .params = params,
        .response = response,
        .table = {.columns = domains_columns, .column_count = vendor_columns(ROWS(domains_columns), params)},
        .beside = params->has_page ? PAGES : NOTHING};
    return answer_list(service, &listing, (struct list_ask){.by = BY_DOMAIN, .order = params->sort}, fault);
}

enum err reports_websites(struct service *service, const struct request *request, const struct params *params,
                          struct response *response, struct fault *fault)
{
    struct listing listing = {
        .request = request,
        .params = params,
        .response = response,
        .table = {.columns = websites_columns, .column_count = vendor_columns(ROWS(websites_columns), params)},
        .beside = PAGES};
    return answer_list(service, &listing, (struct list_ask){.by = BY_DOMAIN, .order = ORDER_COUNT}, fault);
}

enum err reports_errors(struct service *service, const struct request *request, const struct params *params,
                        struct response *response, struct fault *fault)
{
    struct listing listing = {
        .request = request,
        .params = params,
        .response = response,
        .table = {.columns = errors_columns, .column_count = vendor_columns(ROWS(errors_columns), params)},
        .beside = NOTHING};
    return answer_list(service, &listing, (struct list_ask){.by = BY_ERROR, .samples = true, .order = ORDER_ERRORS},
                       fault);
}

enum err reports_breakdown(struct service *service, const struct request *request, const struct params *params,
                           struct response *response, struct fault *fault)
{
    size_t column_count = ROWS(breakdown_columns) - (params->by == BY_DOMAIN ? 0 : TIME_COLUMNS);
    struct listing listing = {.request = request,
                              .params = params,
                              .response = response,
                              .table = {.columns = breakdown_columns, .column_count = column_count},
                              .beside = OTHER_AND_PAGES};
    return answer_list(service, &listing, (struct list_ask){.by = params->by, .order = params->sort}, fault);
}
