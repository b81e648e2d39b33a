/* retention.h: how long logs and sums are kept, as an operator asks for it. Does not know how it is done. */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include "base/err.h"

#include <stdint.h>

/* How long logs, hours and days are kept, in days of 24 hours. The age counts from the newest log, or from now if that
 * is earlier. So neither a clock that runs ahead nor an import of old logs makes anything old at once. 0: for ever. */
struct store_retention {
    int64_t raw_days;  /* logs as they came */
    int64_t hour_days; /* sums by the quarter and the hour */
    int64_t day_days;  /* sums by the day */
};
#define STORE_RETENTION_MAX_DAYS 36500

/* OK when no sums are kept for a shorter time than finer ones; else ERR_PARAMETER_INVALID and words that name the
 * settings. */
enum err store_retention_check(const struct store_retention *retention, struct fault *fault);

#endif
