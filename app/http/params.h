/* params.h: the query string of a report, as typed and checked values. */
#ifndef HTTP_PARAMS_H
#define HTTP_PARAMS_H

#include "base/err.h"
#include "base/limit.h"
#include "report/report.h"
#include "time/when.h"

#include <stdbool.h>
#include <stdint.h>

enum param {
    PARAM_FROM,
    PARAM_TO,
/* only logs with this value of a dimension: PARAM_DOMAIN, …; no logs with it: PARAM_NOT_DOMAIN, … */
#define PARAM_ONLY(x, by, ...) PARAM_##by,
#define PARAM_NOT(x, by, ...) PARAM_NOT_##by,
    DIMENSION_LIST(PARAM_ONLY, ) DIMENSION_LIST(PARAM_NOT, )
#undef PARAM_ONLY
#undef PARAM_NOT
        PARAM_GRANULARITY,
    PARAM_FILL,
    PARAM_SORT_BY,
    PARAM_LIMIT,
    PARAM_PAGE,
    PARAM_FORMAT,
    PARAM_BY,
    PARAM_TIMEZONE,
    PARAM_NAME, /* of a key that is made */
    PARAM_EXPIRES,
    PARAM_Q,
    PARAM_DURATIONS,
    PARAM_COUNT
};

/* The filters, behind other rows of a table by enum param. */
#define PARAM_TAKE_FILTER(x, by, ...) , [PARAM_##by] = true, [PARAM_NOT_##by] = true
#define PARAM_TAKE_FILTERS DIMENSION_LIST(PARAM_TAKE_FILTER, )

/* How the answer is written. */
enum format { FORMAT_BY_ACCEPT, FORMAT_JSON, FORMAT_CSV };

/* Which parameters a route takes; the rest are unknown to it, and ignored. */
struct param_set {
    bool takes[PARAM_COUNT];
    int64_t default_limit; /* of PARAM_LIMIT */
    int64_t max_limit;
    int64_t max_limit_of_page; /* together with PARAM_PAGE */
    bool sums_only;            /* for the filter: the route's answer shows sums alone */
    bool durations;            /* for the filter: the route's answer shows durations, whatever is asked */
};

/* The texts of the filter point into `texts`, and filter.zone at `zone`: keep it where params_parse filled it. */
struct params {
    struct report_filter filter; /* user_id: what `userId` asks for, 0 without */
    enum granularity granularity;
    bool fill_zero;
    bool durations; /* they are asked for; filter.durations: something needs them */
    enum list_order sort;
    bool has_page; /* it is given; else 1 */
    int64_t page;
    bool has_limit; /* it is given; else the route's default */
    int64_t limit;
    enum format format;
    bool has_by;
    enum dimension by;
    char name[LIMIT_KEY_NAME_BYTES + 1];
    struct when expires;
    struct slice q; /* in `search`; empty where it is not given */
    char search[LIMIT_SEARCH_BYTES];
    char texts[2][DIMENSIONS][LIMIT_ERROR_BYTES + 1]; /* NUL-terminated: those asked for, those excluded */
    struct zone zone;
};

/* Does the question filter or break down by the dimension? */
bool params_ask_by(const struct params *params, enum dimension by);

/* Is it the name of a filter, as it is written in a query string? */
bool params_is_filter(struct slice name);

/* Parses the whole query string for one route. OK; ERR_QUERY_INVALID when it is too long or has too many parameters;
 * ERR_PARAMETER_REQUIRED, ERR_PARAMETER_INVALID, ERR_RANGE_INVALID or ERR_RANGE_TOO_LONG for the first parameter, in
 * the order of the table, that is not as docs/api.md says; ERR_UNAVAILABLE when time zones can't be read. *ret_params
 * may be half filled after an error. */
enum err params_parse(const char *query_string, const struct param_set *set, struct params *ret_params,
                      struct fault *fault);

#endif
