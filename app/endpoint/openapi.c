/* openapi.c: the description of the API, docs/openapi.json, as the service gives it. Knows no report. */
#include "endpoint/endpoints.h"

#include "base/banned.h"

/* The file's lines, made at build time; a null pointer ends them. */
extern const char *const openapi_lines[];

enum err openapi_get(struct service *service, const struct request *request, const struct params *params,
                     struct response *response, struct fault *fault)
{
    (void)service;
    (void)request;
    (void)params;
    (void)fault;
    response->content_type = "application/json";
    response_header(response, "Cache-Control", "public, max-age=3600");
    for (size_t i = 0; openapi_lines[i]; i++)
        buf_puts(&response->body, openapi_lines[i]);
    return OK;
}
