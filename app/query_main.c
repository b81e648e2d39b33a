/* query_main.c: analytics-query, one of a pool of single-threaded readers. Opens its files when they are first needed,
 * so it may start before analytics-ingest has made them. */
#include "fcgi.h"
#include "log.h"
#include "options.h"
#include "routes.h"
#include "service.h"
#include "store.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "banned.h"

static void handle(void *ctx, const struct request *request, struct response *response)
{
    routes_answer(ctx, request, response);
}

static enum err serve(const struct options *options, struct fault *fault)
{
    struct service service;
    enum err err;

    store_setup(true);
    if (sodium_init() < 0)
        return fault_set(fault, ERR_INTERNAL, "libsodium can't be started");
    service_init(&service, PROGRAM_QUERY, options->data_dir, options->query_timeout_ms);
    err = fcgi_serve(handle, &service, 1, fault);
    service_release(&service);
    return err;
}

int main(int argc, char **argv)
{
    struct options options = {.query_timeout_ms = 10000, .log_level = LEVEL_INFO};
    struct fault fault = {0};
    int exit_status;

    if (!options_parse(argc, argv, OPTION_QUERY_TIMEOUT, &options, &exit_status))
        return exit_status;
    log_set_level(options.log_level);
    if (fcgi_init(&fault) != OK) {
        (void)fprintf(stderr, "analytics-query: %s\n", fault.detail);
        return 2;
    }
    if (serve(&options, &fault) == OK)
        return EXIT_SUCCESS;
    log_fault(LEVEL_ERROR, "start_failed", &fault);
    return EXIT_FAILURE;
}
