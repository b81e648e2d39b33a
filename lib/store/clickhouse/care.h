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

/* ---- prune ---- */

struct clickhouse_pruned {
    int64_t before; /* Unix seconds: everything older; 0: nothing is that old */
    int64_t logs;   /* that are, or would be, deleted */
};

/* Deletes all logs and sums of days that ended at least `days` days before the newest log (or `now`, if that is
 * earlier): whole months as partitions, the rest row by row. From its first moment on nothing that old is reported.
 * Another run finishes what was interrupted. May run beside the service. With `is_plan` it only counts.
 * ERR_UNAVAILABLE. */
enum err clickhouse_prune(const struct store_place *place, int64_t days, int64_t now, bool is_plan,
                          const struct watch *watch, struct clickhouse_pruned *ret_pruned, struct fault *fault);

/* ---- delete ---- */

struct clickhouse_deleted {
    int64_t logs;
    struct totals totals; /* of the logs; all but max_concurrency */
    int64_t days;         /* on which these were */
};

/* Deletes the logs of which all that is given is true. Sums of their days are not used any more: reports of these step
 * through logs. Everything that was acknowledged before must have been shipped. May run beside the service; logs that
 * come meanwhile may stay. Another run finishes what was interrupted. With `is_plan` it only counts. ERR_UNAVAILABLE.
 */
enum err clickhouse_delete(const struct store_place *place, const struct report_filter *filter, int64_t now,
                           bool is_plan, const struct watch *watch, struct clickhouse_deleted *ret_deleted,
                           struct fault *fault);

/* ---- sums by day and user ---- */

/* Gives them of all logs; `totals` without max_concurrency, first and last. A pair may come more than once.
 * ERR_UNAVAILABLE. */
enum err clickhouse_sum_days(const struct store_place *place,
                             void (*take)(void *ctx, int64_t day, int64_t user_id, int64_t logs,
                                          const struct totals *totals),
                             void *ctx, struct fault *fault);

/* ---- verify ---- */

struct clickhouse_verified {
    int64_t blocks; /* that were compared, on all replicas of their shards; not those whose logs were deleted since */
    int64_t months; /* whose sums were compared with the logs */
    int64_t logs;   /* that these have */
    int64_t differences; /* none: all is well */
};

/* Compares the logs and sums of each block that the spool remembers, a week's worth, with those on each replica, once
 * that has caught up; and the sums over everyone with the logs. Only reads, and may run beside the service. Each
 * difference goes to `tell`, in words. ERR_UNAVAILABLE when it could not be done. */
enum err clickhouse_verify(const struct store_place *place, const struct watch *watch,
                           void (*tell)(void *ctx, const char *words), void *ctx,
                           struct clickhouse_verified *ret_verified, struct fault *fault);

#endif
