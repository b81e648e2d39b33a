/* ingest_main.c: analytics-ingest, the only process that writes the log database. Knows the order of start and stop. */
#include "fcgi.h"
#include "log.h"
#include "options.h"
#include "routes.h"
#include "service.h"
#include "store.h"
#include "writer.h"

#include <malloc.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "banned.h"

#define QUEUE_BATCHES 64 /* waiting for the writer; with as many threads, more wait in the socket's backlog */
#define GROUP_LOGS 20000
#define QUEUE_WAIT_MS 10000
#define DAY_SECONDS 86400
#define ARENAS 2                 /* glibc makes 8 per core, and each keeps its own free memory */
#define MMAP_THRESHOLD (1 << 20) /* fixed, so that the memory of a big batch goes back to the system with it */

static void handle(void *ctx, const struct request *request, struct response *response)
{
    routes_answer(ctx, request, response);
}

static enum err start_writer(const struct options *options, struct writer **ret_writer, struct fault *fault)
{
    struct writer_options writer_options = {
        .queue_batches = QUEUE_BATCHES,
        .group_logs = GROUP_LOGS,
        .wait_ms = QUEUE_WAIT_MS,
        .idempotency_seconds = options->idempotency_days * DAY_SECONDS,
    };
    struct store_writer *store = NULL;
    enum err err = store_writer_open(options->data_dir, &store, fault);

    if (err != OK)
        return err;
    store_writer_set_wal_limit(store, options->wal_limit_mib << 20);
    return writer_start(store, &writer_options, ret_writer, fault);
}

static enum err serve(const struct options *options, struct fault *fault)
{
    struct batch_budget budget = {.max_bytes = LIMIT_BATCH_MEMORY_BYTES};
    struct service service;
    enum err err;

    service_init(&service, PROGRAM_INGEST, options->data_dir, options->query_timeout_ms);
    service.budget = &budget;
    err = start_writer(options, &service.writer, fault);
    if (err == OK)
        err = fcgi_serve(handle, &service, (int)options->threads, fault);
    writer_stop(service.writer);
    service_release(&service);
    return err;
}

int main(int argc, char **argv)
{
    struct options options = {.threads = 64,
                              .query_timeout_ms = 2000,
                              .idempotency_days = 7,
                              .wal_limit_mib = LIMIT_WAL_BYTES >> 20,
                              .log_level = LEVEL_INFO};
    struct fault fault = {0};
    int exit_status;

    if (!options_parse(argc, argv, OPTION_THREADS | OPTION_IDEMPOTENCY_DAYS | OPTION_WAL_LIMIT, &options, &exit_status))
        return exit_status;
    log_set_level(options.log_level);
    (void)mallopt(M_ARENA_MAX, ARENAS);
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    if (fcgi_init(&fault) != OK) {
        (void)fprintf(stderr, "analytics-ingest: %s\n", fault.detail);
        return 2;
    }
    store_setup(false);
    if (sodium_init() < 0)
        (void)fault_set(&fault, ERR_INTERNAL, "libsodium can't be started");
    else
        (void)serve(&options, &fault);
    if (fault.err == OK)
        return EXIT_SUCCESS;
    log_fault(LEVEL_ERROR, "start_failed", &fault);
    return EXIT_FAILURE;
}
