/* kept.h: what was deleted in ClickHouse, as its table `kept` has it: up to where logs are gone, and the days of which
 * some logs were deleted, so that sums of them no longer hold. Knows that table. */
#ifndef STORE_CLICKHOUSE_KEPT_H
#define STORE_CLICKHOUSE_KEPT_H

#include "store/clickhouse/http.h"

#include <stdbool.h>

/* A row's column `what`. */
enum kept_what {
    KEPT_FROM = 1, /* logs and sums of days before this one are gone, for good */
    KEPT_RAW = 2,  /* only logs tell of this day: its sums count logs that were deleted */
};

struct kept_day {
    int64_t day; /* since 1970 */
    int64_t at;  /* when logs of it were last deleted, Unix seconds */
};

/* All-zero: nothing was ever deleted. */
struct kept_state {
    int64_t from_day;      /* 0: all is there */
    struct kept_day *days; /* ascending */
    size_t count;
};
void kept_release(struct kept_state *kept);

/* Asks a server of the first shard. ERR_UNAVAILABLE, ERR_QUERY_TIMEOUT. */
enum err kept_read(struct http_client *client, const char *url, int64_t timeout_ms, struct kept_state *ret_kept,
                   struct fault *fault);

/* Notes them, on a server of the first shard. */
enum err kept_note(struct http_client *client, const char *url, enum kept_what what, const int64_t *days, size_t count,
                   int64_t now, struct fault *fault);

#endif
