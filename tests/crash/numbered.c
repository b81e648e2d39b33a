/* numbered.c: a ledger's batches as JSON. Knows members. Knows no HTTP. */
#include "numbered.h"

#include "support/check.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static void put_log(FILE *out, const struct batch *batch, const struct log_record *log)
{
    char ts[32];
    struct tm tm;
    struct slice domain = batch_name(batch, log->name[NAME_DOMAIN]), error = batch_name(batch, log->name[NAME_ERROR]);
    strftime(ts, sizeof ts, "%Y-%m-%d %H:%M:%S", gmtime_r(&(time_t){log->ts}, &tm));
    fprintf(out,
            "{\"ts\":\"%s\",\"user_id\":%" PRId64 ",\"order_id\":%" PRId64 ",\"port\":%u,\"domain\":\"%.*s\","
            "\"error\":\"%.*s\",\"count\":%" PRId64 ",\"bytes_sent\":%" PRId64 ",\"bytes_received\":%" PRId64
            ",\"error_count\":%" PRId64 ",\"duration_ms\":%" PRId64 ",\"max_concurrency\":%" PRId64 "}",
            ts, log->user_id, log->order_id, log->port, (int)domain.len, domain.data, (int)error.len, error.data,
            log->count, log->bytes_sent, log->bytes_received, log->error_count, log->duration_ms, log->max_concurrency);
}

void numbered_make(struct numbered *made, const struct ledger *ledger, int number)
{
    struct ledger_batch batch;
    FILE *out = open_memstream(&made->json, &made->len);
    if (!out)
        abort();
    ledger_batch_make(&batch, ledger, number);
    struct store_item item = ledger_item(&batch, number);
    snprintf(made->key, sizeof made->key, "%s", item.idempotency_key ? item.idempotency_key : "");
    fputs("{\"logs\":[", out);
    for (uint32_t i = 0; i < batch.batch.log_count; i++) {
        fputs(i ? "," : "", out);
        put_log(out, &batch.batch, &batch.batch.logs[i]);
    }
    fputs("]}", out);
    fclose(out);
    batch_release(&batch.batch);
}

void numbered_release(struct numbered *made)
{
    free(made->json);
}

int64_t numbered_dice(uint64_t seed, int number, int salt, int64_t n)
{
    uint64_t x = seed + (uint64_t)number * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)salt * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (int64_t)((x ^ (x >> 31)) % (uint64_t)n);
}

uint64_t numbered_seed(void)
{
    const char *asked = getenv("ANALYTICS_SEED");
    uint32_t seed = 0;
    if (asked && *asked)
        seed = (uint32_t)strtoul(asked, NULL, 10);
    else
        ck_assert_int_eq(getrandom(&seed, sizeof seed, 0), sizeof seed);
    printf("seed: ANALYTICS_SEED=%" PRIu32 "\n", seed);
    fflush(stdout);
    return seed;
}
