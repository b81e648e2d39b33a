/* retention.h: how long what is kept, as it is asked for. Does not know how it is done. */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include "base/err.h"

#include <stdint.h>

/* How long what is kept, in days of 24 hours, as of the newest log (or now, if that is earlier: neither a clock that
 * runs ahead nor an import of old logs makes anything old at once). 0: for ever. */
struct store_retention {
    int64_t raw_days;  /* logs as they came */
    int64_t hour_days; /* sums by the quarter and the hour */
    int64_t day_days;  /* sums by the day */
};
#define STORE_RETENTION_MAX_DAYS 36500

/* OK when nothing is kept for less time than what is finer; else ERR_PARAMETER_INVALID and words that name the
 * settings. */
enum err store_retention_check(const struct store_retention *retention, struct fault *fault);

#endif
