/* care.h: what an operator asks of this engine: how its servers are, and whether they have what was shipped. For
 * analyticsctl and for --check-config. */
#ifndef STORE_CLICKHOUSE_CARE_H
#define STORE_CLICKHOUSE_CARE_H

#include "base/work.h"
#include "store/clickhouse/clickhouse.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* ---- look ---- */

enum clickhouse_level { CLICKHOUSE_FINE, CLICKHOUSE_WARNING, CLICKHOUSE_TROUBLE };

struct clickhouse_finding {
    enum clickhouse_level level;
    const char *words;
    const char *advice; /* what to do; NULL where all is well */
};

struct clickhouse_look {
    bool as_writer, as_reports; /* whose rights are tried */
    int64_t now;                /* Unix seconds */
    void *ctx;
    void (*tell)(void *ctx, const struct clickhouse_finding *finding); /* all of it borrowed */
};

/* Asks every server of the settings, and tells at least one finding of each. Changes nothing. */
void clickhouse_look(const struct clickhouse_config *config, const struct clickhouse_look *look);

/* ---- verify ---- */

struct clickhouse_verified {
    int64_t blocks;      /* that were compared, on all replicas of their shards */
    int64_t logs;        /* that these have */
    int64_t differences; /* none: all is well */
};

/* Compares the logs and sums of each block that the spool remembers, a week's worth, with those on each replica, once
 * that has caught up. Only reads, and may run beside the service. Each difference goes to `tell`, in words.
 * ERR_UNAVAILABLE when it could not be done. */
enum err clickhouse_verify(const struct store_place *place, const struct watch *watch,
                           void (*tell)(void *ctx, const char *words), void *ctx,
                           struct clickhouse_verified *ret_verified, struct fault *fault);

#endif
