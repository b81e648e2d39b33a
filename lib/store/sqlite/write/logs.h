/* logs.h: stored logs, one after the other, and the sums that a log counts for. */
#ifndef STORE_SQLITE_WRITE_LOGS_H
#define STORE_SQLITE_WRITE_LOGS_H

#include "store/sqlite/write/slice.h"

struct stored_log {
    struct fold_key key; /* its quarter of an hour, user, domain, error and order */
    struct totals totals;
    sqlite3_stmt *row;       /* a row of raw_log; NULL: it stands in a part */
    const struct part *part; /* which one, and where in it */
    size_t index;
};

/* Its value of a dimension (store/sqlite/value_day.h). */
struct fold_key sqlite_log_value(const struct stored_log *log, int dimension);

/* Notes a log somewhere. OK, or ERR_UNAVAILABLE when out of memory. */
typedef enum err (*log_sink)(void *ctx, const struct stored_log *log);

/* Some quarters of an hour, and in these some users. */
struct log_range {
    int64_t quarter, quarters;
    int64_t user_from, user_to;
};
#define ALL_LOGS(quarter, quarters) (&(struct log_range){quarter, quarters, INT64_MIN, INT64_MAX})

/* Gives the sink every log of the range. */
enum err sqlite_each_log(struct log_reading *reading, const struct log_range *range, log_sink sink, void *ctx,
                         struct fault *fault);

#endif
