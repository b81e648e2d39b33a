/* endpoints.h: every endpoint; each is a route_handler and stands in the table of routes.c. */
#ifndef ENDPOINT_ENDPOINTS_H
#define ENDPOINT_ENDPOINTS_H

#include "http/http.h"
#include "http/params.h"
#include "service/service.h"

#define ENDPOINT(name)                                                                                                 \
    enum err name(struct service *service, const struct request *request, const struct params *params,                 \
                  struct response *response, struct fault *fault)

ENDPOINT(ingest_post);     /* ingest.c */
ENDPOINT(health_get);      /* health.c */
ENDPOINT(auth_check);      /* auth.c */
ENDPOINT(openapi_get);     /* openapi.c */
ENDPOINT(metrics_get);     /* metrics_text.c */
ENDPOINT(reports_traffic); /* reports.c, to the end */
ENDPOINT(reports_requests);
ENDPOINT(reports_concurrency);
ENDPOINT(reports_domains);
ENDPOINT(reports_errors);
ENDPOINT(reports_websites);
ENDPOINT(reports_summary);
ENDPOINT(reports_breakdown);

#endif
