/* routes.h: the table of routes, and the way of every request through it. */
#ifndef ENDPOINT_ROUTES_H
#define ENDPOINT_ROUTES_H

#include "http/access.h"
#include "http/http.h"
#include "metrics/metrics.h"
#include "http/params.h"
#include "service/service.h"

#include <stddef.h>

/* Answers `request`. OK with *response filled; else the error to answer with, told in *fault. */
typedef enum err (*route_handler)(struct service *service, const struct request *request, const struct params *params,
                                  struct response *response, struct fault *fault);

enum route_methods { METHODS_READ, METHODS_POST, METHODS_ANY };

struct route {
    const char *path;
    enum program program; /* which of the two serves it */
    enum route_methods methods;
    enum right right; /* what the caller must be allowed */
    route_handler handle;
    const struct param_set *params; /* NULL: the query string is not looked at */
};

/* The table, for tests that walk it. */
const struct route *routes_table(size_t *ret_count);

/* metrics_open with the table's routes. */
struct metrics *routes_open_metrics(const char *data_dir, enum program program);

/* Answers a request whole: who asks, rights, route, method, parameters, endpoint, in that order, one log line, and the
 * counters. `response` comes from response_init. Thread-safe. */
void routes_answer(struct service *service, const struct request *request, struct response *response);

#endif
