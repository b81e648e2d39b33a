/* ingest.c: analytics-ingest, the only process that writes the log database. Knows the order of start and stop. */
#include "http/fcgi.h"
#include "process/log.h"
#include "endpoint/routes.h"
#include "main/servers.h"
#include "service/service.h"
#include "process/settings.h"
#include "store/clickhouse/clickhouse.h"
#include "store/sqlite/sqlite.h"
#include "service/writer.h"

#include <malloc.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#define QUEUE_BATCHES 64 /* waiting for the writer; with as many threads, more wait in the socket's backlog */
#define GROUP_LOGS 20000
#define QUEUE_WAIT_MS 10000
#define HEALTH_TIMEOUT_MS 2000 /* all that it reads */
#define DAY_SECONDS 86400
#define ARENAS 2                 /* glibc makes 8 per core, and each keeps its own free memory */
#define MMAP_THRESHOLD (1 << 20) /* fixed, so that the memory of a big batch goes back to the system with it */

static void handle(void *ctx, const struct request *request, struct response *response)
{
    routes_answer(ctx, request, response);
}

static void note_checkpoint(void *ctx, int64_t microseconds)
{
    metrics_observe(ctx, METRIC_CHECKPOINT, 0, microseconds);
}

static void note_wal_length(void *ctx, int64_t bytes)
{
    metrics_set(ctx, METRIC_WAL_USED, 0, (uint64_t)bytes);
}

/* Settings that only the SQLite engine has. */
static void tune(struct sqlite_writer *writer, const struct settings *settings, struct metrics *metrics)
{
    int64_t limit_bytes = settings->values[SETTING_WAL_LIMIT_MIB].number << 20;
    sqlite_set_wal_limit(writer, limit_bytes);
    metrics_set(metrics, METRIC_WAL_LIMIT, 0, (uint64_t)limit_bytes);
    sqlite_watch_wal(writer, &(struct sqlite_wal_watch){metrics, note_checkpoint, note_wal_length});
}

static enum err start_writer(const struct settings *settings, struct metrics *metrics, struct writer **ret_writer,
                             struct fault *fault)
{
    struct store_writer *store = NULL;
    enum err err = store_writer_open(settings_place(settings), &store, fault);
    if (err)
        return err;
    struct sqlite_writer *spool = clickhouse_spool_of(store);
    tune(spool ? spool : sqlite_writer_of(store), settings, metrics);
    struct store_retention retention = settings_retention(settings);
    store_writer_set_retention(store, &retention);
    struct writer_options options = {
        .queue_batches = QUEUE_BATCHES,
        .group_logs = GROUP_LOGS,
        .wait_ms = QUEUE_WAIT_MS,
        .idempotency_seconds = settings->values[SETTING_IDEMPOTENCY_DAYS].number * DAY_SECONDS,
        .metrics = metrics,
    };
    return writer_start(store, &options, ret_writer, fault);
}

static enum err serve(const struct settings *settings, struct fault *fault)
{
    struct batch_budget budget = {.max_bytes = LIMIT_BATCH_MEMORY_BYTES};
    struct service service;
    service_init(&service, PROGRAM_INGEST, settings_place(settings), HEALTH_TIMEOUT_MS);
    service.budget = &budget;
    service.metrics = routes_open_metrics(settings->values[SETTING_DATA].text, PROGRAM_INGEST);
    enum err err = start_writer(settings, service.metrics, &service.writer, fault);
    if (!err)
        err = fcgi_serve(handle, &service, (int)settings->values[SETTING_THREADS].number, fault);
    writer_stop(service.writer);
    service_release(&service);
    metrics_close(service.metrics);
    return err;
}

static int run(const struct settings *settings)
{
    log_set_level((enum log_level)settings->values[SETTING_LOG_LEVEL].number);
    mallopt(M_ARENA_MAX, ARENAS);
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    struct fault fault = {0};
    if (fcgi_init(&fault)) {
        fprintf(stderr, "analytics-ingest: %s\n", fault.detail);
        return 2;
    }
    sqlite_setup(false);
    if (sodium_init() < 0)
        fault_set(&fault, ERR_INTERNAL, "libsodium can't be started");
    else
        serve(settings, &fault);
    if (!fault.err)
        return EXIT_SUCCESS;
    log_fault(LEVEL_ERROR, "start_failed", &fault);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct settings settings;
    int status;
    if (settings_of_program(SETTINGS_INGEST, argc, argv, servers_check, &settings, &status))
        status = run(&settings);
    settings_release(&settings);
    return status;
}
