/* routes.c: the table of routes and the gates before an endpoint. Knows who may ask what, and in which order that is
 * checked. Knows no socket and no report. */
#include "endpoint/routes.h"

#include "time/mono.h"
#include "endpoint/auth.h"
#include "endpoint/endpoints.h"
#include "http/etag.h"
#include "http/pairs.h"
#include "process/log.h"

#include <string.h>

#include "base/banned.h"

#define SLOW_US 500000

/* ---- the table ---- */

/* Every report, and every one of the vendor's, to which durations are not shown unless they are asked for. */
#define EVERY_REPORT                                                                                                   \
    [PARAM_FROM] = true, [PARAM_TO] = true, [PARAM_FORMAT] = true, [PARAM_TIMEZONE] = true PARAM_TAKE_FILTERS
#define VENDORS_REPORT EVERY_REPORT, [PARAM_DURATIONS] = true

static const struct param_set sums_params = {.takes = {VENDORS_REPORT, [PARAM_GRANULARITY] = true, [PARAM_FILL] = true},
                                             .sums_only = true};
static const struct param_set chart_params = {
    .takes = {VENDORS_REPORT, [PARAM_GRANULARITY] = true, [PARAM_FILL] = true}};
static const struct param_set domains_params = {
    .takes = {VENDORS_REPORT, [PARAM_Q] = true, [PARAM_SORT_BY] = true, [PARAM_LIMIT] = true, [PARAM_PAGE] = true},
    .default_limit = 30,
    .max_limit = LIMIT_ROWS_PER_PAGE,
    .max_limit_of_page = LIMIT_ROWS_PER_LONG_PAGE};
static const struct param_set errors_params = {.takes = {VENDORS_REPORT, [PARAM_Q] = true, [PARAM_LIMIT] = true},
                                               .default_limit = 50,
                                               .max_limit = LIMIT_ROWS_PER_PAGE,
                                               .max_limit_of_page = LIMIT_ROWS_PER_PAGE};
static const struct param_set websites_params = {
    .takes = {VENDORS_REPORT, [PARAM_Q] = true, [PARAM_PAGE] = true, [PARAM_LIMIT] = true},
    .default_limit = 25,
    .max_limit = LIMIT_ROWS_PER_PAGE,
    .max_limit_of_page = LIMIT_ROWS_PER_PAGE};
static const struct param_set summary_params = {.takes = {EVERY_REPORT}, .durations = true};
static const struct param_set breakdown_params = {
    .takes = {EVERY_REPORT, [PARAM_Q] = true, [PARAM_BY] = true, [PARAM_SORT_BY] = true, [PARAM_LIMIT] = true,
              [PARAM_PAGE] = true},
    .durations = true,
    .default_limit = 30,
    .max_limit = LIMIT_ROWS_PER_LONG_PAGE,
    .max_limit_of_page = LIMIT_ROWS_PER_LONG_PAGE};

static const struct route routes[] = {
    {"/analytics/ingest", PROGRAM_INGEST, METHODS_POST, RIGHT_INGEST, ingest_post, NULL},
    {"/analytics/health", PROGRAM_INGEST, METHODS_READ, RIGHT_NONE, health_get, NULL},
    {"/analytics/traffic", PROGRAM_QUERY, METHODS_READ, RIGHT_READ, reports_traffic, &sums_params},
    {"/analytics/requests", PROGRAM_QUERY, METHODS_READ, RIGHT_READ, reports_requests, &sums_params},
    {"/analytics/concurrency", PROGRAM_QUERY, METHODS_READ, RIGHT_READ, reports_concurrency, &chart_params},
    {"/analytics/domains", PROGRAM_QUERY, METHODS_READ, RIGHT_READ, reports_domains, &domains_params},
    {"/analytics/errors", PROGRAM_QUERY, METHODS_READ, RIGHT_READ, reports_errors, &errors_params},
    {"/analytics/websites", PROGRAM_QUERY, METHODS_READ, RIGHT_READ, reports_websites, &websites_params},
    {"/analytics/summary", PROGRAM_QUERY, METHODS_READ, RIGHT_READ, reports_summary, &summary_params},
    {"/analytics/breakdown", PROGRAM_QUERY, METHODS_READ, RIGHT_READ, reports_breakdown, &breakdown_params},
    {"/analytics/health", PROGRAM_QUERY, METHODS_READ, RIGHT_NONE, health_get, NULL},
    {"/analytics/whoami", PROGRAM_QUERY, METHODS_READ, RIGHT_WHOAMI, whoami_get, NULL},
    {"/analytics/shares", PROGRAM_INGEST, METHODS_POST, RIGHT_SHARE, share_post,
     NULL}, /* analytics-query may not write */
    {"/analytics/openapi.json", PROGRAM_QUERY, METHODS_READ, RIGHT_NONE, openapi_get, NULL},
    {"/analytics/metrics", PROGRAM_QUERY, METHODS_READ, RIGHT_METRICS, metrics_get, NULL},
    /* Asked before the body of a batch is read. Batches do not wait behind reports, so analytics-ingest knows the keys.
     */
    {"/_analytics/auth", PROGRAM_INGEST, METHODS_ANY, RIGHT_NONE, auth_check, NULL},
};

const struct route *routes_table(size_t *ret_count)
{
    *ret_count = sizeof routes / sizeof *routes;
    return routes;
}

/* ---- the gates ---- */

static const struct route *find_route(enum program program, const char *path)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (routes[i].program == program && strcmp(routes[i].path, path) == 0)
            return &routes[i];
    }
    return NULL;
}

static bool method_allowed(enum route_methods methods, enum http_method method)
{
    switch (methods) {
    case METHODS_READ:
        return method == HTTP_GET || method == HTTP_HEAD;
    case METHODS_POST:
        return method == HTTP_POST;
    case METHODS_ANY:
        return true;
    }
    return false;
}

static enum err check_access(struct service *service, enum right right, struct request *request, struct fault *fault)
{
    enum err err = right == RIGHT_NONE ? OK : auth_identify(service, request, fault);
    bool unknown = request->role == ROLE_NONE || (request->role == ROLE_USER && request->user_id <= 0);
    if (err || right == RIGHT_NONE)
        return err;
    if (unknown && request->distrust)
        return fault_set(fault, ERR_UNAUTHORIZED, "%s", request->distrust);
    if (unknown)
        return fault_set(fault, ERR_UNAUTHORIZED,
                         "no API key was given, and the web server does not say who is asking");
    if (!access_allows(request->role, right))
        return fault_set(fault, ERR_FORBIDDEN, "the role %s may not %s", role_name(request->role), access_what(right));
    return OK;
}

/* A user sees its own rows, whatever it asks for; an admin whom it asks for, and a viewer whom its key is bound to. */
static void scope(const struct request *request, struct report_filter *filter)
{
    if (request->role != ROLE_ADMIN && request->role != ROLE_VIEWER)
        filter->user_id = request->user_id;
}

/* What users may not ask by is refused, not left out: an answer without it would be one to another question. */
static enum err check_dimensions(const struct service *service, const struct request *request,
                                 const struct params *params, struct fault *fault)
{
    for (enum dimension by = 0; by < DIMENSIONS; by++)
        if (params_ask_by(params, by) && !access_to_dimension(request->role, service->users_see_network, by))
            return fault_set(
                fault, ERR_FORBIDDEN,
                "the operator keeps workers, peers and addresses from users: the role %s may not ask by %s",
                role_name(request->role), dimensions[by].name);
    return OK;
}

/* A report, or 304 without making it when the client has it already. */
static enum err run_report(const struct route *route, struct service *service, const struct request *request,
                           const struct params *params, struct response *response, struct fault *fault)
{
    struct store_state state;
    enum err err = service_hold(service, &params->filter, &state, fault);
    if (err)
        return err;
    char etag[ETAG_BYTES];
    etag_make(request, params, &state, etag);
    response_header(response, "ETag", etag); /* an error takes it away */
    if (etag_matches(request->if_none_match, etag)) {
        response->status = 304;
        response_header(response, "Cache-Control", "private, no-cache");
        response_header(response, "Vary", "Accept");
    } else {
        err = route->handle(service, request, params, response, fault);
    }
    service_let_go(service);
    return err;
}

#define BOUND_QUERY_BYTES (LIMIT_QUERY_STRING_BYTES + LIMIT_KEY_FILTERS_BYTES + 2)

/* What the caller itself asks must be open to it; what its key is bound to was settled by an admin. */
static enum err read_params(const struct route *route, const struct service *service, struct request *request,
                            char room[BOUND_QUERY_BYTES], struct params *ret_params, struct fault *fault)
{
    bool is_bound = request->role == ROLE_VIEWER;
    if (is_bound && !pairs_without(request->query_string, request->key_filters, room, LIMIT_QUERY_STRING_BYTES + 1))
        return fault_set(fault, ERR_QUERY_INVALID, "the query string must have at most %u bytes",
                         LIMIT_QUERY_STRING_BYTES);
    request->query_string = is_bound ? room : request->query_string;
    enum err err = params_parse(request->query_string, route->params, ret_params, fault);
    if (!err)
        err = check_dimensions(service, request, ret_params, fault);
    if (err || !is_bound)
        return err;
    pairs_add(room, BOUND_QUERY_BYTES, slice_of(request->key_filters));
    return params_parse(room, route->params, ret_params, fault);
}

static enum err run(const struct route *route, struct service *service, const struct request *request,
                    struct response *response, struct fault *fault)
{
    if (!method_allowed(route->methods, request->method))
        return fault_set(fault, ERR_METHOD_NOT_ALLOWED, "the method must be %s here",
                         route->methods == METHODS_POST ? "POST" : "GET or HEAD");
    struct params params = {0};
    if (!route->params)
        return route->handle(service, request, &params, response, fault);
    struct request bound = *request;
    char room[BOUND_QUERY_BYTES];
    enum err err = read_params(route, service, &bound, room, &params, fault);
    if (err)
        return err;
    scope(request, &params.filter);
    return run_report(route, service, &bound, &params, response, fault);
}

/* Strangers do not even learn which paths there are. */
static void dispatch(struct service *service, const struct route *route, struct request *request,
                     struct response *response)
{
    struct fault fault = {0};
    enum err err = check_access(service, route ? route->right : RIGHT_READ, request, &fault);
    if (!err && !route)
        err = fault_set(&fault, ERR_NOT_FOUND, "there is nothing at this path");
    else if (!err)
        err = run(route, service, request, response, &fault);
    if (!err && response->body.failed)
        err = fault_set(&fault, ERR_UNAVAILABLE, "no memory for the answer, or it passes its ceiling");
    if (!err)
        return;
    response_error(response, request, &fault);
    if (err == ERR_METHOD_NOT_ALLOWED)
        response_header(response, "Allow", route->methods == METHODS_POST ? "POST" : "GET, HEAD");
}

/* ---- the log line ---- */

static enum log_level level_of(int status, int64_t took_us)
{
    if (status >= 500)
        return LEVEL_ERROR;
    if (took_us >= SLOW_US)
        return LEVEL_WARN;
    return status >= 400 ? LEVEL_INFO : LEVEL_DEBUG;
}

static void log_request(const struct request *request, const struct response *response, int64_t took_us)
{
    struct log_line line;
    log_begin(&line, level_of(response->status, took_us), "request");
    log_word(&line, "method", http_method_name(request->method));
    log_slice(&line, "path", request->path);
    if (!slice_equals(request->path, request->route))
        log_cstr(&line, "route", request->route);
    log_i64(&line, "status", response->status);
    log_ms(&line, "ms", took_us);
    if (request->caller[0] != '\0')
        log_cstr(&line, "caller", request->caller);
    if (response->fault_text[0] != '\0')
        log_cstr(&line, "detail", response->fault_text);
    for (size_t i = 0; took_us >= SLOW_US && i < response->span_count; i++)
        log_ms(&line, response->spans[i].name, response->spans[i].us);
    log_end(&line);
}

/* ---- the counters ---- */

struct metrics *routes_open_metrics(const char *data_dir, enum program program)
{
    struct metrics_route counted[sizeof routes / sizeof *routes];
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        bool has_body = routes[i].methods == METHODS_READ || routes[i].right == RIGHT_SHARE; /* of its answer */
        counted[i] = (struct metrics_route){.program = routes[i].program,
                                            .path = routes[i].path,
                                            .method = routes[i].methods == METHODS_POST ? HTTP_POST : HTTP_GET,
                                            .status = has_body ? 200 : 204};
    }
    return metrics_open(data_dir, program, counted, sizeof routes / sizeof *routes);
}

static void count_request(struct metrics *metrics, const struct route *route, const struct request *request,
                          const struct response *response, int64_t took_us)
{
    metrics_request(metrics, &(struct metrics_request){.route = route ? (size_t)(route - routes) : METRICS_NO_ROUTE,
                                                       .method = request->method,
                                                       .status = response->status,
                                                       .err = response->err,
                                                       .took_us = took_us,
                                                       .now_ms = request->now_ms});
}

void routes_answer(struct service *service, const struct request *request, struct response *response)
{
    struct request known = *request; /* and by whom it is, once that is found out */
    const struct route *route = find_route(service->program, request->route);
    int64_t took_us = -mono_us();
    dispatch(service, route, &known, response);
    took_us += mono_us();
    count_request(service->metrics, route, &known, response, took_us);
    log_request(&known, response, took_us);
}
