/* query.c: analytics-query, one of a pool of readers: one thread answers a report at a time, another waits for a
 * stop. Opens its files when they are first needed, so it may start before analytics-ingest has made them. */
#include "http/fcgi.h"
#include "process/log.h"
#include "endpoint/routes.h"
#include "main/servers.h"
#include "service/service.h"
#include "process/settings.h"
#include "store/sqlite/sqlite.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

/* analytics-ingest starts at the same time, and brings an older file up to date. Requests wait for it in the socket. */
#define UPGRADE_MS 10000

static void handle(void *ctx, const struct request *request, struct response *response)
{
    routes_answer(ctx, request, response);
}

static enum err serve(const struct settings *settings, struct fault *fault)
{
    sqlite_setup(true);
    if (sodium_init() < 0)
        return fault_set(fault, ERR_INTERNAL, "libsodium can't be started");
    sqlite_await_upgrade(settings->values[SETTING_DATA].text, UPGRADE_MS);
    struct service service;
    service_init(&service, PROGRAM_QUERY, settings_place(settings), settings->values[SETTING_QUERY_TIMEOUT_MS].number);
    service.users_see_network = settings->values[SETTING_USERS_SEE_NETWORK].number != 0;
    service.metrics = routes_open_metrics(settings->values[SETTING_DATA].text, PROGRAM_QUERY);
    enum err err = fcgi_serve(handle, &service, 1, fault);
    service_release(&service);
    metrics_close(service.metrics);
    return err;
}

static int run(const struct settings *settings)
{
    log_set_level((enum log_level)settings->values[SETTING_LOG_LEVEL].number);
    struct fault fault = {0};
    if (fcgi_init(&fault)) {
        fprintf(stderr, "analytics-query: %s\n", fault.detail);
        return 2;
    }
    if (!serve(settings, &fault))
        return EXIT_SUCCESS;
    log_fault(LEVEL_ERROR, "start_failed", &fault);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct settings settings;
    int status;
    if (settings_of_program(SETTINGS_QUERY, argc, argv, servers_check, &settings, &status))
        status = run(&settings);
    settings_release(&settings);
    return status;
}
