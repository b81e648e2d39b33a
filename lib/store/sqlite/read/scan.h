/* scan.h: the rows that answer a question. Private to this room. */
#ifndef STORE_SQLITE_READ_SCAN_H
#define STORE_SQLITE_READ_SCAN_H

#include "rollup/tier.h"
#include "store/sqlite/read/ready.h"

/* Which logs, and where the rows go. */
struct scan_order {
    enum scan_source source;
    enum dimension by; /* of SCAN_VALUES */
    enum tier widest;  /* rows are of this tier at the most */
    bool lacks_hours;  /* only days and logs know what is asked */
    int64_t from, to;  /* within the filter's range */
    scan_sink sink;
    void *ctx;
};

/* Gives every row of the range that the filter lets through to the sink, from the widest tiers that fit. Rows come
 * folded differently for different ranges, so a sink may only add them up. */
enum err scan_run(struct sqlite_reader *reader, const struct scan *scan, const struct scan_order *order,
                  struct fault *fault);

/* The part of the filter's range that is whole closed hours; empty (*ret_from == *ret_to) when there is none. */
void scan_closed_part(const struct scan *scan, int64_t *ret_from, int64_t *ret_to);

/* The first and the last second of a quarter that has logs of the user (0: of anyone); 900 and -1 for no logs. */
enum err scan_seconds(struct sqlite_reader *reader, int64_t user, int64_t quarter, int64_t *ret_first,
                      int64_t *ret_last, struct fault *fault);

#endif
