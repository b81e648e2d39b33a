/* endpoints.h: every endpoint; each is a route_handler and stands in the table of routes.c. */
#ifndef ENDPOINT_ENDPOINTS_H
#define ENDPOINT_ENDPOINTS_H

#include "http/http.h"
#include "http/params.h"
#include "service/service.h"

/* ingest.c */
enum err ingest_post(struct service *service, const struct request *request, const struct params *params,
                     struct response *response, struct fault *fault);
/* health.c */
enum err health_get(struct service *service, const struct request *request, const struct params *params,
                    struct response *response, struct fault *fault);
/* auth.c */
enum err auth_check(struct service *service, const struct request *request, const struct params *params,
                    struct response *response, struct fault *fault);
/* whoami.c */
enum err whoami_get(struct service *service, const struct request *request, const struct params *params,
                    struct response *response, struct fault *fault);
/* share.c */
enum err share_post(struct service *service, const struct request *request, const struct params *params,
                    struct response *response, struct fault *fault);
/* openapi.c */
enum err openapi_get(struct service *service, const struct request *request, const struct params *params,
                     struct response *response, struct fault *fault);
/* metrics_text.c */
enum err metrics_get(struct service *service, const struct request *request, const struct params *params,
                     struct response *response, struct fault *fault);
/* reports.c, to the end */
enum err reports_traffic(struct service *service, const struct request *request, const struct params *params,
                         struct response *response, struct fault *fault);
enum err reports_requests(struct service *service, const struct request *request, const struct params *params,
                          struct response *response, struct fault *fault);
enum err reports_concurrency(struct service *service, const struct request *request, const struct params *params,
                             struct response *response, struct fault *fault);
enum err reports_domains(struct service *service, const struct request *request, const struct params *params,
                         struct response *response, struct fault *fault);
enum err reports_errors(struct service *service, const struct request *request, const struct params *params,
                        struct response *response, struct fault *fault);
enum err reports_websites(struct service *service, const struct request *request, const struct params *params,
                          struct response *response, struct fault *fault);
enum err reports_summary(struct service *service, const struct request *request, const struct params *params,
                         struct response *response, struct fault *fault);
enum err reports_breakdown(struct service *service, const struct request *request, const struct params *params,
                           struct response *response, struct fault *fault);

#endif
