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

/* What stands beside the rows in JSON, for pages of CSV. */
static void put_counts(struct response *response, const struct table *table)
{
    for (size_t i = 0; i < table->number_count; i++) {
        const struct table_number *number = &table->numbers[i];
        char value[32];
        snprintf(value, sizeof value, "%lld", (long long)number->value);
        if (number->header)
            response_header(response, number->header, value);
    }
}

static void put_answer(struct response *response, const struct request *request, const struct params *params,
                       const struct table *table)
{
    response_header(response, "Cache-Control", "private, no-cache");
    response_header(response, "Vary", "Accept");
    if (!wants_csv(request, params)) {
        response->content_type = "application/json";
        table_put_json(table, &response->body);
        return;
    }
    response->content_type = "text/csv; charset=utf-8; header=present";
    put_file_name(response, request, &params->filter);
    put_counts(response, table);
    table_put_csv(table, &response->body);
}

/* One question to the store. */
typedef enum err (*store_question)(struct store_reader *reader, const struct params *params, void *ret_answer,
                                   struct fault *fault);

static enum err ask(struct service *service, const struct params *params, store_question question, void *ret_answer,
                    struct response *response, struct fault *fault)
{
    struct store_reader *reader = NULL;
    int64_t start_us = mono_us();
    enum err err = service_take_reader(service, &reader, fault);
    if (!err)
        err = question(reader, params, ret_answer, fault);
    service_give_reader(service, err);
    response_span(response, "store_ms", mono_us() - start_us);
    return err;
}

/* ---- charts ---- */

static const struct column traffic_columns[] = {
    {"bucket", FIELD_BUCKET},     {"total_bytes_sent", FIELD_SENT}, {"total_bytes_received", FIELD_RECEIVED},
    {"bytes_total", FIELD_BYTES}, {"total_count", FIELD_COUNT},
};
static const struct column requests_columns[] = {
    {"bucket", FIELD_BUCKET},
    {"total_count", FIELD_COUNT},
    {"total_errors", FIELD_ERRORS},
};
static const struct column concurrency_columns[] = {
    {"bucket", FIELD_BUCKET},
    {"max_concurrency", FIELD_CONCURRENCY},
    {"total_count", FIELD_COUNT},
};

static struct table_row chart_row(const void *points, size_t i)
{
    const struct chart_point *point = (const struct chart_point *)points + i;
    return (struct table_row){.bucket = point->bucket, .totals = point->totals};
}

static enum err ask_chart(struct store_reader *reader, const struct params *params, void *ret_answer,
                          struct fault *fault)
{
    return store_chart(reader, &params->filter, params->granularity, params->fill_zero, ret_answer, fault);
}

/* `columns`: which measures. */
static enum err answer_chart(struct service *service, const struct request *request, const struct params *params,
                             const struct column *columns, size_t column_count, struct response *response,
                             struct fault *fault)
{
    struct chart chart = {0};
    enum err err = ask(service, params, ask_chart, &chart, response, fault);
    if (err)
        return err;
    put_answer(response, request, params,
               &(struct table){.columns = columns,
                               .column_count = column_count,
                               .row_count = chart.count,
                               .row = chart_row,
                               .rows = chart.points});
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

/* ---- domains and websites: two views of one list ---- */

static const struct column domains_columns[] = {
    {"domain", FIELD_NAME},
    {"total_count", FIELD_COUNT},
    {"bytes_total", FIELD_BYTES},
    {"total_bytes_sent", FIELD_SENT},
    {"total_bytes_received", FIELD_RECEIVED},
    {"total_errors", FIELD_ERRORS},
};
static const struct column websites_columns[] = {
    {"domain", FIELD_NAME},       {"total_count", FIELD_COUNT}, {"bytes_total", FIELD_BYTES},
    {"first_visit", FIELD_FIRST}, {"last_visit", FIELD_LAST},
};

static struct table_row domain_row(const void *rows, size_t i)
{
    const struct domain_row *row = (const struct domain_row *)rows + i;
    return (struct table_row){.name = row->domain, .totals = row->totals};
}

static enum err ask_domains(struct store_reader *reader, const struct params *params, void *ret_answer,
                            struct fault *fault)
{
    return store_domains(reader, &params->filter, params->sort, 0, (size_t)params->limit, ret_answer, fault);
}

static enum err ask_websites(struct store_reader *reader, const struct params *params, void *ret_answer,
                             struct fault *fault)
{
    uint64_t offset = (uint64_t)(params->page - 1) * (uint64_t)params->limit;
    return store_domains(reader, &params->filter, DOMAIN_BY_COUNT, offset, (size_t)params->limit, ret_answer, fault);
}

enum err reports_domains(struct service *service, const struct request *request, const struct params *params,
                         struct response *response, struct fault *fault)
{
    struct domain_list list = {0};
    enum err err = ask(service, params, ask_domains, &list, response, fault);
    if (err)
        return err;
    put_answer(response, request, params,
               &(struct table){.columns = domains_columns,
                               .column_count = ROWS(domains_columns),
                               .row_count = list.count,
                               .row = domain_row,
                               .rows = list.rows});
    domain_list_release(&list);
    return OK;
}

static void put_websites(struct response *response, const struct request *request, const struct params *params,
                         const struct domain_list *list)
{
    int64_t total = (int64_t)list->total;
    const struct table_number numbers[] = {
        {"page", NULL, params->page},
        {"limit", NULL, params->limit},
        {"total", "X-Total-Count", total},
        {"totalPages", "X-Total-Pages", (total + params->limit - 1) / params->limit},
    };
    put_answer(response, request, params,
               &(struct table){.columns = websites_columns,
                               .column_count = ROWS(websites_columns),
                               .zone = params->filter.zone,
                               .row_count = list->count,
                               .row = domain_row,
                               .rows = list->rows,
                               .numbers = numbers,
                               .number_count = ROWS(numbers)});
}

enum err reports_websites(struct service *service, const struct request *request, const struct params *params,
                          struct response *response, struct fault *fault)
{
    struct domain_list list = {0};
    enum err err = ask(service, params, ask_websites, &list, response, fault);
    if (err)
        return err;
    put_websites(response, request, params, &list);
    domain_list_release(&list);
    return OK;
}

/* ---- errors ---- */

static const struct column errors_columns[] = {
    {"error", FIELD_NAME},     {"total_errors", FIELD_ERRORS},    {"first_seen", FIELD_FIRST},
    {"last_seen", FIELD_LAST}, {"sample_domains", FIELD_SAMPLES},
};

static struct table_row error_row(const void *rows, size_t i)
{
    const struct error_row *row = (const struct error_row *)rows + i;
    return (struct table_row){
        .name = row->error,
        .totals = {.errors = row->total_errors, .first = row->first_seen, .last = row->last_seen},
        .samples = row->samples,
        .sample_count = row->sample_count,
    };
}

static enum err ask_errors(struct store_reader *reader, const struct params *params, void *ret_answer,
                           struct fault *fault)
{
    return store_errors(reader, &params->filter, (size_t)params->limit, ret_answer, fault);
}

enum err reports_errors(struct service *service, const struct request *request, const struct params *params,
                        struct response *response, struct fault *fault)
{
    struct error_list list = {0};
    enum err err = ask(service, params, ask_errors, &list, response, fault);
    if (err)
        return err;
    put_answer(response, request, params,
               &(struct table){.columns = errors_columns,
                               .column_count = ROWS(errors_columns),
                               .zone = params->filter.zone,
                               .row_count = list.count,
                               .row = error_row,
                               .rows = list.rows});
    error_list_release(&list);
    return OK;
}

/* ---- summary ---- */

static const struct column summary_columns[] = {
    {"total_count", FIELD_COUNT},     {"total_errors", FIELD_ERRORS},
    {"total_bytes_sent", FIELD_SENT}, {"total_bytes_received", FIELD_RECEIVED},
    {"bytes_total", FIELD_BYTES},     {"max_concurrency", FIELD_CONCURRENCY},
    {"first_seen", FIELD_FIRST},      {"last_seen", FIELD_LAST},
};

static struct table_row summary_row(const void *rows, size_t i)
{
    return (struct table_row){.totals = ((const struct totals *)rows)[i]};
}

static enum err ask_summary(struct store_reader *reader, const struct params *params, void *ret_answer,
                            struct fault *fault)
{
    return store_summary(reader, &params->filter, ret_answer, fault);
}

enum err reports_summary(struct service *service, const struct request *request, const struct params *params,
                         struct response *response, struct fault *fault)
{
    struct totals totals;
    enum err err = ask(service, params, ask_summary, &totals, response, fault);
    if (err)
        return err;
    put_answer(response, request, params,
               &(struct table){.columns = summary_columns,
                               .column_count = ROWS(summary_columns),
                               .zone = params->filter.zone,
                               .is_one_row = true,
                               .row_count = 1,
                               .row = summary_row,
                               .rows = &totals});
    return OK;
}

/* ---- breakdown ---- */

static const struct column breakdown_columns[] = {
    {"value", FIELD_NAME},
    {"total_count", FIELD_COUNT},
    {"total_errors", FIELD_ERRORS},
    {"bytes_total", FIELD_BYTES},
    {"total_bytes_sent", FIELD_SENT},
    {"total_bytes_received", FIELD_RECEIVED},
    {"max_concurrency", FIELD_CONCURRENCY},
};

static struct table_row breakdown_row(const void *rows, size_t i)
{
    const struct breakdown_row *row = (const struct breakdown_row *)rows + i;
    return (struct table_row){.name = row->value, .totals = row->totals};
}

static enum err ask_breakdown(struct store_reader *reader, const struct params *params, void *ret_answer,
                              struct fault *fault)
{
    return store_breakdown(reader, &params->filter, params->by, params->sort, (size_t)params->limit, ret_answer, fault);
}

static void put_breakdown(struct response *response, const struct request *request, const struct params *params,
                          const struct breakdown *breakdown)
{
    const struct table_number numbers[] = {{"total", "X-Total-Count", (int64_t)breakdown->total}};
    put_answer(response, request, params,
               &(struct table){.columns = breakdown_columns,
                               .column_count = ROWS(breakdown_columns),
                               .row_count = breakdown->count,
                               .row = breakdown_row,
                               .rows = breakdown->rows,
                               .other = &breakdown->other,
                               .numbers = numbers,
                               .number_count = ROWS(numbers)});
}

enum err reports_breakdown(struct service *service, const struct request *request, const struct params *params,
                           struct response *response, struct fault *fault)
{
    struct breakdown breakdown = {0};
    enum err err = ask(service, params, ask_breakdown, &breakdown, response, fault);
    if (err)
        return err;
    put_breakdown(response, request, params, &breakdown);
    breakdown_release(&breakdown);
    return OK;
}
