/* reports.c: the six read endpoints. Knows each answer's members and their order (docs/api.md). Knows no SQL, no
 * socket; parameters come parsed, and the filter is already the caller's own. */
#include "endpoints.h"

#include "clock.h"
#include "report.h"

#include "banned.h"

/* ---- around every answer ---- */

static void begin_answer(struct response *response, struct json_out *out)
{
    response->content_type = "application/json";
    response_header(response, "Cache-Control", "private, no-cache");
    json_out_init(out, &response->body);
    json_out_begin_object(out);
    json_out_name(out, "data");
    json_out_begin_array(out);
}

static void put_decimal(struct json_out *out, const char *name, int64_t value)
{
    json_out_name(out, name);
    json_out_decimal(out, value);
}

static void put_number(struct json_out *out, const char *name, int64_t value)
{
    json_out_name(out, name);
    json_out_number(out, value);
}

static void put_time(struct json_out *out, const char *name, int64_t seconds)
{
    json_out_name(out, name);
    json_out_time(out, seconds);
}

static void put_text(struct json_out *out, const char *name, const char *text)
{
    json_out_name(out, name);
    json_out_cstr(out, text);
}

/* ---- charts ---- */

typedef void (*put_measures)(struct json_out *out, const struct totals *totals);

static void put_traffic(struct json_out *out, const struct totals *totals)
{
    put_decimal(out, "total_bytes_sent", totals->bytes_sent);
    put_decimal(out, "total_bytes_received", totals->bytes_received);
    put_decimal(out, "bytes_total", totals_bytes(totals));
    put_decimal(out, "total_count", totals->count);
}

static void put_requests(struct json_out *out, const struct totals *totals)
{
    put_decimal(out, "total_count", totals->count);
    put_decimal(out, "total_errors", totals->errors);
}

static void put_concurrency(struct json_out *out, const struct totals *totals)
{
    put_decimal(out, "max_concurrency", totals->max_concurrency);
    put_decimal(out, "total_count", totals->count);
}

static void put_chart(struct response *response, const struct chart *chart, put_measures put)
{
    struct json_out out;

    begin_answer(response, &out);
    for (size_t i = 0; i < chart->count; i++) {
        json_out_begin_object(&out);
        put_time(&out, "bucket", chart->points[i].bucket);
        put(&out, &chart->points[i].totals);
        json_out_end_object(&out);
    }
    json_out_end_array(&out);
    json_out_end_object(&out);
}

static enum err get_chart(struct service *service, const struct params *params, struct chart *ret_chart,
                          struct fault *fault)
{
    struct store_reader *reader = NULL;
    enum err err = service_take_reader(service, &reader, fault);

    if (err == OK)
        err = store_chart(reader, &params->filter, params->granularity, params->fill_zero, ret_chart, fault);
    service_give_reader(service, err);
    return err;
}

static enum err answer_chart(struct service *service, const struct params *params, put_measures put,
                             struct response *response, struct fault *fault)
{
    struct chart chart = {0};
    int64_t start_us = clock_mono_us();
    enum err err = get_chart(service, params, &chart, fault);

    response_span(response, "store_ms", clock_mono_us() - start_us);
    if (err != OK)
        return err;
    put_chart(response, &chart, put);
    chart_release(&chart);
    return OK;
}

ENDPOINT(reports_traffic)
{
    (void)request;
    return answer_chart(service, params, put_traffic, response, fault);
}

ENDPOINT(reports_requests)
{
    (void)request;
    return answer_chart(service, params, put_requests, response, fault);
}

ENDPOINT(reports_concurrency)
{
    (void)request;
    return answer_chart(service, params, put_concurrency, response, fault);
}

/* ---- domains and websites: two views of one list ---- */

static enum err get_domains(struct service *service, const struct params *params, enum domain_order order,
                            struct domain_list *ret_list, struct fault *fault)
{
    struct store_reader *reader = NULL;
    uint64_t offset = (uint64_t)(params->page - 1) * (uint64_t)params->limit;
    enum err err = service_take_reader(service, &reader, fault);

    if (err == OK)
        err = store_domains(reader, &params->filter, order, offset, (size_t)params->limit, ret_list, fault);
    service_give_reader(service, err);
    return err;
}

static void put_domain(struct json_out *out, const struct domain_row *row)
{
    json_out_begin_object(out);
    put_text(out, "domain", row->domain);
    put_decimal(out, "total_count", row->totals.count);
    put_decimal(out, "bytes_total", totals_bytes(&row->totals));
    put_decimal(out, "total_bytes_sent", row->totals.bytes_sent);
    put_decimal(out, "total_bytes_received", row->totals.bytes_received);
    put_decimal(out, "total_errors", row->totals.errors);
    json_out_end_object(out);
}

ENDPOINT(reports_domains)
{
    struct domain_list list = {0};
    struct json_out out;
    int64_t start_us = clock_mono_us();
    enum err err = get_domains(service, params, params->sort, &list, fault);

    (void)request;
    response_span(response, "store_ms", clock_mono_us() - start_us);
    if (err != OK)
        return err;
    begin_answer(response, &out);
    for (size_t i = 0; i < list.count; i++)
        put_domain(&out, &list.rows[i]);
    json_out_end_array(&out);
    json_out_end_object(&out);
    domain_list_release(&list);
    return OK;
}

static void put_website(struct json_out *out, const struct domain_row *row)
{
    json_out_begin_object(out);
    put_text(out, "domain", row->domain);
    put_decimal(out, "total_count", row->totals.count);
    put_decimal(out, "bytes_total", totals_bytes(&row->totals));
    put_time(out, "first_visit", row->totals.first);
    put_time(out, "last_visit", row->totals.last);
    json_out_end_object(out);
}

static void put_websites(struct response *response, const struct params *params, const struct domain_list *list)
{
    int64_t total = (int64_t)list->total;
    struct json_out out;

    begin_answer(response, &out);
    for (size_t i = 0; i < list->count; i++)
        put_website(&out, &list->rows[i]);
    json_out_end_array(&out);
    put_number(&out, "page", params->page);
    put_number(&out, "limit", params->limit);
    put_number(&out, "total", total);
    put_number(&out, "totalPages", (total + params->limit - 1) / params->limit);
    json_out_end_object(&out);
}

ENDPOINT(reports_websites)
{
    struct domain_list list = {0};
    int64_t start_us = clock_mono_us();
    enum err err = get_domains(service, params, DOMAIN_BY_COUNT, &list, fault);

    (void)request;
    response_span(response, "store_ms", clock_mono_us() - start_us);
    if (err != OK)
        return err;
    put_websites(response, params, &list);
    domain_list_release(&list);
    return OK;
}

/* ---- errors ---- */

static enum err get_errors(struct service *service, const struct params *params, struct error_list *ret_list,
                           struct fault *fault)
{
    struct store_reader *reader = NULL;
    enum err err = service_take_reader(service, &reader, fault);

    if (err == OK)
        err = store_errors(reader, &params->filter, (size_t)params->limit, ret_list, fault);
    service_give_reader(service, err);
    return err;
}

static void put_error(struct json_out *out, const struct error_row *row)
{
    json_out_begin_object(out);
    put_text(out, "error", row->error);
    put_decimal(out, "total_errors", row->total_errors);
    put_time(out, "first_seen", row->first_seen);
    put_time(out, "last_seen", row->last_seen);
    json_out_name(out, "sample_domains");
    json_out_begin_array(out);
    for (size_t i = 0; i < row->sample_count; i++)
        json_out_cstr(out, row->samples[i]);
    json_out_end_array(out);
    json_out_end_object(out);
}

ENDPOINT(reports_errors)
{
    struct error_list list = {0};
    struct json_out out;
    int64_t start_us = clock_mono_us();
    enum err err = get_errors(service, params, &list, fault);

    (void)request;
    response_span(response, "store_ms", clock_mono_us() - start_us);
    if (err != OK)
        return err;
    begin_answer(response, &out);
    for (size_t i = 0; i < list.count; i++)
        put_error(&out, &list.rows[i]);
    json_out_end_array(&out);
    json_out_end_object(&out);
    error_list_release(&list);
    return OK;
}
