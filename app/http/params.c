/* params.c: the parameter table and the one engine that reads it. Knows query strings, and what each parameter accepts.
 * Knows no route, no request, no role. */
#include "http/params.h"

#include "log/batch.h"
#include "log/domain.h"
#include "report/bucket.h"
#include "base/text.h"
#include "time/when.h"
#include "time/zone_file.h"

#include <assert.h>
#include <string.h>

#include "base/banned.h"

/* ---- the table ---- */

/* The parameters as read one by one, before the rules that join several of them. */
struct param_reading {
    struct params *params;
    struct when from;
    struct when to;
    struct slice texts[PARAM_COUNT]; /* as they were given */
    struct fault *fault;
};

struct param_row;
typedef enum err (*param_parse)(const struct param_row *row, struct slice value, struct param_reading *reading);

struct param_choice {
    const char *text; /* NULL ends the list */
    int value;
};

struct param_row {
    const char *name;  /* in the URL */
    const char *snake; /* in message keys */
    bool required;
    param_parse parse;
    int64_t min; /* of integers */
    int64_t max;
    const struct param_choice *choices;
    const char *accepts; /* "… must be <accepts>" */
};

static enum err parse_when(const struct param_row *row, struct slice value, struct param_reading *reading);
static enum err parse_value(const struct param_row *row, struct slice value, struct param_reading *reading);
static enum err parse_integer(const struct param_row *row, struct slice value, struct param_reading *reading);
static enum err parse_choice(const struct param_row *row, struct slice value, struct param_reading *reading);
static enum err parse_zone(const struct param_row *row, struct slice value, struct param_reading *reading);
static enum err parse_name(const struct param_row *row, struct slice value, struct param_reading *reading);
static enum err parse_search(const struct param_row *row, struct slice value, struct param_reading *reading);

static const struct param_choice granularities[] = {
    {"1m", GRANULARITY_1M},   {"5m", GRANULARITY_5M},     {"15m", GRANULARITY_15M},     {"hour", GRANULARITY_HOUR},
    {"day", GRANULARITY_DAY}, {"week", GRANULARITY_WEEK}, {"month", GRANULARITY_MONTH}, {NULL, 0},
};
static const struct param_choice fills[] = {{"zero", true}, {"none", false}, {NULL, 0}};
static const struct param_choice sorts[] = {{"bytes", ORDER_BYTES},       {"count", ORDER_COUNT},
                                            {"errors", ORDER_ERRORS},     {"error_rate", ORDER_ERROR_RATE},
                                            {"duration", ORDER_DURATION}, {NULL, 0}};
static const struct param_choice truths[] = {{"true", true}, {"false", false}, {NULL, 0}};
static const struct param_choice bys[] = {
#define BY_CHOICE(x, by, name, ...) {name, BY_##by},
    DIMENSION_LIST(BY_CHOICE, ){NULL, 0},
#undef BY_CHOICE
};
static const struct param_choice formats[] = {{"json", FORMAT_JSON}, {"csv", FORMAT_CSV}, {NULL, 0}};

#define ACCEPTS_WHEN                                                                                                   \
    "a time such as 2026-03-15, 2026-03-15 10:15:00 or 2026-03-15T10:15:00Z (in a URL, the + of +03:00 is %2B)"

static const struct param_row param_rows[PARAM_COUNT] = {
    [PARAM_FROM] = {.name = "from", .snake = "from", .required = true, .parse = parse_when, .accepts = ACCEPTS_WHEN},
    [PARAM_TO] = {.name = "to", .snake = "to", .required = true, .parse = parse_when, .accepts = ACCEPTS_WHEN},
#define VALUE_ROWS(x, by, of_by, member, url, kind, least, most, owner, words)                                         \
    [PARAM_##by] = {.name = url, .snake = member, .parse = parse_value, .accepts = words},                             \
    [PARAM_NOT_##by] = {.name = "not_" url, .snake = "not_" member, .parse = parse_value, .accepts = words},
    DIMENSION_LIST(VALUE_ROWS, )
#undef VALUE_ROWS
        [PARAM_GRANULARITY] = {.name = "granularity",
                               .snake = "granularity",
                               .parse = parse_choice,
                               .choices = granularities,
                               .accepts = "one of 1m, 5m, 15m, hour, day, week, month"},
    [PARAM_FILL] =
        {.name = "fill", .snake = "fill", .parse = parse_choice, .choices = fills, .accepts = "zero or none"},
    [PARAM_SORT_BY] = {.name = "sortBy",
                       .snake = "sort_by",
                       .parse = parse_choice,
                       .choices = sorts,
                       .accepts = "bytes, count, errors, error_rate or duration"},
    [PARAM_LIMIT] = {.name = "limit",
                     .snake = "limit",
                     .parse = parse_integer,
                     .min = 1,
                     .max = INT64_MAX, /* see check_limit */
                     .accepts = "an integer of at least 1"},
    [PARAM_PAGE] = {.name = "page",
                    .snake = "page",
                    .parse = parse_integer,
                    .min = 1,
                    .max = INT64_C(1) << 31,
                    .accepts = "an integer from 1 to 2147483648"},
    [PARAM_FORMAT] =
        {.name = "format", .snake = "format", .parse = parse_choice, .choices = formats, .accepts = "json or csv"},
    [PARAM_BY] = {.name = "by",
                  .snake = "by",
                  .required = true,
                  .parse = parse_choice,
                  .choices = bys,
                  .accepts = "one of worker, peer, protocol, port, ip_out, ip_from, order, user, error, domain"},
    [PARAM_TIMEZONE] = {.name = "timezone",
                        .snake = "timezone",
                        .parse = parse_zone,
                        .accepts = "the IANA name of a time zone, such as Europe/Kyiv (in a URL, the + of Etc/GMT+3 "
                                   "is written %2B)"},
    [PARAM_NAME] = {.name = "name",
                    .snake = "name",
                    .required = true,
                    .parse = parse_name,
                    .accepts = "a label for the key, 1 to 128 bytes"},
    [PARAM_EXPIRES] =
        {.name = "expires", .snake = "expires", .required = true, .parse = parse_when, .accepts = ACCEPTS_WHEN},
    [PARAM_Q] = {.name = "q", .snake = "q", .parse = parse_search, .accepts = "a text of 1 to 256 bytes"},
    [PARAM_DURATIONS] = {.name = "durations",
                         .snake = "durations",
                         .parse = parse_choice,
                         .choices = truths,
                         .accepts = "true or false"},
};

/* ---- one value ---- */

static enum err refuse(const struct param_row *row, struct slice value, struct fault *fault)
{
    char quoted[TEXT_QUOTE_BYTES];
    return fault_set_parameter(fault, ERR_PARAMETER_INVALID, row->snake, "%s must be %s, but is %s", row->name,
                               row->accepts, text_quote(value, quoted));
}

static enum err parse_when(const struct param_row *row, struct slice value, struct param_reading *reading)
{
    struct when *ret_when = row == &param_rows[PARAM_FROM] ? &reading->from
                            : row == &param_rows[PARAM_TO] ? &reading->to
                                                           : &reading->params->expires;
    if (when_parse(value, ret_when))
        return OK;
    char quoted[TEXT_QUOTE_BYTES];
    return fault_set_parameter(reading->fault, ERR_PARAMETER_INVALID, row->snake, "%s must be %s, but is %s: %s",
                               row->name, row->accepts, text_quote(value, quoted), when_fault(value));
}

static void set_integer(struct params *params, enum param param, int64_t value)
{
    if (param == PARAM_LIMIT) {
        params->limit = value;
        params->has_limit = true;
    }
    if (param == PARAM_PAGE) {
        params->page = value;
        params->has_page = true;
    }
}

static enum err parse_integer(const struct param_row *row, struct slice value, struct param_reading *reading)
{
    int64_t number;
    if (!text_to_i64(value, row->min, row->max, &number))
        return refuse(row, value, reading->fault);
    set_integer(reading->params, (enum param)(row - param_rows), number);
    return OK;
}

static void set_choice(struct params *params, enum param param, int value)
{
    if (param == PARAM_GRANULARITY)
        params->granularity = (enum granularity)value;
    if (param == PARAM_FILL)
        params->fill_zero = value != 0;
    if (param == PARAM_DURATIONS)
        params->durations = value != 0;
    if (param == PARAM_SORT_BY)
        params->sort = (enum list_order)value;
    if (param == PARAM_FORMAT)
        params->format = (enum format)value;
    if (param == PARAM_BY) {
        params->by = (enum dimension)value;
        params->has_by = true;
    }
}

static enum err parse_choice(const struct param_row *row, struct slice value, struct param_reading *reading)
{
    for (const struct param_choice *choice = row->choices; choice->text; choice++) {
        if (slice_equals(value, choice->text)) {
            set_choice(reading->params, (enum param)(row - param_rows), choice->value);
            return OK;
        }
    }
    return refuse(row, value, reading->fault);
}

static enum err parse_zone(const struct param_row *row, struct slice value, struct param_reading *reading)
{
    struct params *params = reading->params;
    enum err err = zone_load(value, &params->zone, reading->fault);
    if (err == ERR_PARAMETER_INVALID)
        return refuse(row, value, reading->fault);
    params->filter.zone = &params->zone;
    return err;
}

static enum err parse_name(const struct param_row *row, struct slice value, struct param_reading *reading)
{
    if (value.len == 0 || value.len > LIMIT_KEY_NAME_BYTES)
        return refuse(row, value, reading->fault);
    memcpy(reading->params->name, value.data, value.len);
    return OK;
}

static enum err parse_search(const struct param_row *row, struct slice value, struct param_reading *reading)
{
    struct params *params = reading->params;
    if (value.len == 0 || value.len > LIMIT_SEARCH_BYTES)
        return refuse(row, value, reading->fault);
    memcpy(params->search, value.data, value.len);
    params->q = (struct slice){params->search, value.len};
    return OK;
}

/* ---- the value of a dimension that is filtered by ---- */

/* `text`: where the texts of the term are kept. */
static bool read_value(const struct dimension_row *row, struct slice value, char *text, struct report_term *ret_term)
{
    if (row->kind == VALUE_NUMBER)
        return text_to_i64(value, row->min, row->max, &ret_term->number);
    if (row->kind == VALUE_ADDRESS)
        return ip_parse(value, &ret_term->ip);
    if (value.len < (size_t)row->min || value.len > (size_t)row->max)
        return false;
    memcpy(text, value.data, value.len);
    text[value.len] = '\0';
    ret_term->text = (struct slice){text, value.len};
    return true;
}

/* "*.example.com" is the domain and all below it. */
static bool read_domain(struct slice value, char *text, struct report_term *ret_term, const char **ret_why)
{
    size_t len;
    if (!domain_normalise(value, text, &len, ret_why))
        return false;
    ret_term->is_below = len > 2 && memcmp(text, "*.", 2) == 0;
    size_t skip = ret_term->is_below ? 2 : 0;
    ret_term->text = (struct slice){text + skip, len - skip};
    return true;
}

static enum err read_term(const struct param_row *row, enum dimension by, struct slice value, char *text,
                          struct report_term *ret_term, struct fault *fault)
{
    const char *why;
    *ret_term = (struct report_term){.is_set = true};
    if (by == BY_DOMAIN ? read_domain(value, text, ret_term, &why) : read_value(&dimensions[by], value, text, ret_term))
        return OK;
    if (by == BY_DOMAIN)
        return fault_set_parameter(fault, ERR_PARAMETER_INVALID, row->snake, "%s %s", row->name, why);
    if (by == BY_ERROR) /* a text of the logs is not repeated */
        return fault_set_parameter(fault, ERR_PARAMETER_INVALID, row->snake, "%s must be %s, but has %zu", row->name,
                                   row->accepts, value.len);
    return refuse(row, value, fault);
}

static void ask_for(struct report_filter *filter, enum dimension by, const struct report_term *term)
{
    switch (by) {
    case BY_ORDER:
        filter->order_id = term->number;
        return;
    case BY_USER:
        filter->user_id = term->number;
        return;
    case BY_ERROR:
        filter->has_error = true;
        filter->error = term->text;
        return;
    case BY_DOMAIN:
        filter->has_domain = true;
        filter->is_below = term->is_below;
        filter->domain = term->text;
        return;
    default:
        filter->terms[by] = *term;
    }
}

_Static_assert(LIMIT_DOMAIN_BYTES <= LIMIT_ERROR_BYTES && LIMIT_PEER_BYTES <= LIMIT_ERROR_BYTES,
               "params.texts holds it");

static enum err parse_value(const struct param_row *row, struct slice value, struct param_reading *reading)
{
    size_t at = (size_t)(row - param_rows) - (PARAM_TO + 1); /* in the order of the dimensions, twice */
    bool is_not = at >= DIMENSIONS;
    enum dimension by = (enum dimension)(at % DIMENSIONS);
    struct params *params = reading->params;
    struct report_term term;
    enum err err = read_term(row, by, value, params->texts[is_not][by], &term, reading->fault);
    if (!err && is_not)
        params->filter.without[by] = term;
    else if (!err)
        ask_for(&params->filter, by, &term);
    return err;
}

/* ---- the query string ---- */

/* One parameter in the query string. */
struct raw {
    unsigned times;
    bool undecodable;
    struct slice value; /* decoded */
};
struct query_scan {
    const struct param_set *set;
    struct raw raws[PARAM_COUNT];
    char decoded[LIMIT_QUERY_STRING_BYTES]; /* decoding never makes text longer */
    size_t decoded_len;
    unsigned pairs;
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Percent-decodes, with '+' as a space (the form encoding that browsers use), to the end of scan->decoded. False for a
 * bad %XX, a NUL, or what is not UTF-8. */
static bool decode(struct query_scan *scan, struct slice text, struct slice *ret_decoded)
{
    char *start = scan->decoded + scan->decoded_len;
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++, len++) {
        start[len] = text.data[i] == '+' ? ' ' : text.data[i];
        if (text.data[i] != '%')
            continue;
        if (text.len - i < 3 || hex_value(text.data[i + 1]) < 0 || hex_value(text.data[i + 2]) < 0)
            return false;
        start[len] = (char)(hex_value(text.data[i + 1]) * 16 + hex_value(text.data[i + 2]));
        i += 2;
    }
    if (memchr(start, '\0', len) || !text_is_utf8(start, len))
        return false;
    *ret_decoded = (struct slice){start, len};
    return true;
}

/* PARAM_COUNT for a name that this route does not know. */
static enum param find_param(const struct param_set *set, struct slice name)
{
    for (enum param p = 0; p < PARAM_COUNT; p++) {
        if (set->takes[p] && slice_equals(name, param_rows[p].name))
            return p;
    }
    return PARAM_COUNT;
}

/* A name that nobody knows is ignored, unless it is one of ours in another spelling: then an answer without it would be
 * an answer to another question. */
static enum err check_unknown(struct slice name, struct fault *fault)
{
    for (enum param p = 0; p < PARAM_COUNT; p++)
        if (slice_equals(name, param_rows[p].name))
            return OK; /* of another route */
    for (enum param p = 0; p < PARAM_COUNT; p++)
        if (slice_resembles(name, param_rows[p].name))
            return fault_set(fault, ERR_QUERY_INVALID, "there is no parameter '%.*s'; '%s' is probably meant",
                             name.len < 64 ? (int)name.len : 64, name.data, param_rows[p].name);
    return OK;
}

static enum err scan_pair(struct query_scan *scan, struct slice pair, struct fault *fault)
{
    const char *equals = memchr(pair.data, '=', pair.len);
    size_t name_len = equals ? (size_t)(equals - pair.data) : pair.len;
    struct slice value = {pair.data + pair.len, 0};
    if (equals)
        value = (struct slice){equals + 1, pair.len - name_len - 1};
    struct slice name;
    if (!decode(scan, (struct slice){pair.data, name_len}, &name))
        return OK;
    enum param param = find_param(scan->set, name);
    if (param == PARAM_COUNT)
        return check_unknown(name, fault);
    scan->raws[param].times++;
    if (decode(scan, value, &scan->raws[param].value))
        scan->decoded_len += scan->raws[param].value.len;
    else
        scan->raws[param].undecodable = true;
    return OK;
}

static enum err scan_query(struct query_scan *scan, const char *query, struct fault *fault)
{
    if (strlen(query) > LIMIT_QUERY_STRING_BYTES)
        return fault_set(fault, ERR_QUERY_INVALID, "the query string must have at most %u bytes, but has %zu",
                         LIMIT_QUERY_STRING_BYTES, strlen(query));
    enum err err = OK;
    while (*query != '\0' && !err) {
        size_t len = strcspn(query, "&");
        if (len > 0 && ++scan->pairs > LIMIT_PARAMETERS)
            return fault_set(fault, ERR_QUERY_INVALID, "the query string must have at most %u parameters, but has more",
                             LIMIT_PARAMETERS);
        if (len > 0)
            err = scan_pair(scan, (struct slice){query, len}, fault);
        query += len;
        query += *query == '&';
    }
    return err;
}

static enum err read_param(const struct param_row *row, const struct raw *raw, struct param_reading *reading)
{
    if (raw->times == 0 && row->required)
        return fault_set_parameter(reading->fault, ERR_PARAMETER_REQUIRED, row->snake, "%s is missing: it must be %s",
                                   row->name, row->accepts);
    if (raw->times == 0)
        return OK;
    if (raw->times > 1)
        return fault_set_parameter(reading->fault, ERR_PARAMETER_INVALID, row->snake,
                                   "%s must be given once, but is given %u times", row->name, raw->times);
    if (raw->undecodable)
        return fault_set_parameter(reading->fault, ERR_PARAMETER_INVALID, row->snake,
                                   "%s must be percent-encoded UTF-8 without NUL, but is not", row->name);
    reading->texts[row - param_rows] = raw->value;
    return row->parse(row, raw->value, reading);
}

/* ---- from and to ---- */

/* When it is as the clocks of `zone` show it, unless it says itself. */
static int64_t instant_of(const struct when *when, const struct zone *zone)
{
    return when->has_zone ? when->seconds : zone_first(zone, when->seconds);
}

/* The first whole second at or after what was written: logs have whole seconds, so `ts >= 10:00:00.5` is
 * `ts >= 10:00:01`, and `ts < 10:00:00.5` is `ts < 10:00:01`. (Where clocks jump over it, that is the jump.) */
static int64_t whole_second(const struct when *when, const struct zone *zone)
{
    int64_t at = instant_of(when, zone);
    bool is_left_out = !when->has_zone && zone_clock(zone, at) != when->seconds;
    return at + (when->has_fraction && !is_left_out ? 1 : 0);
}

/* A date-only `to` means to the end of that day, which begins the next. */
static int64_t end_of_range(const struct when *to, const struct zone *zone)
{
    if (to->date_only)
        return zone_first(zone, to->seconds + WHEN_DAY);
    return whole_second(to, zone);
}

/* Two calendar months after `from`, on the clock that `from` was written by. */
static struct when latest_to(const struct when *from)
{
    struct when latest = *from;
    int64_t local = from->seconds + from->offset_seconds;
    int64_t days = when_floor(local, WHEN_DAY) / WHEN_DAY;
    struct civil end = when_add_months(when_civil_from_days(days), LIMIT_RANGE_MONTHS);
    latest.seconds = when_days_from_civil(end) * WHEN_DAY + (local - days * WHEN_DAY) - from->offset_seconds;
    return latest;
}

/* docs/api.md, Times: the values as given are compared, so a date-only `to` counts from its midnight; as instants only
 * where one of them has a zone of its own. */
static bool too_long(const struct when *from, const struct when *to, const struct zone *zone)
{
    struct when latest = latest_to(from);
    bool one_clock = !from->has_zone && !to->has_zone;
    int64_t last = one_clock ? latest.seconds : instant_of(&latest, zone);
    int64_t asked = one_clock ? to->seconds : instant_of(to, zone);
    if (asked != last)
        return asked > last;
    return to->has_fraction && !from->has_fraction;
}

/* The date that was written. */
static int64_t date_of(const struct when *when)
{
    return when_floor(when->seconds + when->offset_seconds, WHEN_DAY);
}

/* docs/api.md, Times: compared as written. A date-only `to` is its date, and then only the date of `from` counts. */
static bool is_reversed(const struct when *from, const struct when *to, const struct zone *zone)
{
    if (to->date_only)
        return date_of(from) > date_of(to);
    bool one_clock = !from->has_zone && !to->has_zone;
    int64_t begin = one_clock ? from->seconds : instant_of(from, zone);
    int64_t end = one_clock ? to->seconds : instant_of(to, zone);
    return begin > end || (begin == end && from->has_fraction && !to->has_fraction);
}

/* No log is older than 1970, and no bucket of the store. */
static int64_t not_before_1970(int64_t at)
{
    return at < 0 ? 0 : at;
}

static enum err join_range(struct param_reading *reading)
{
    struct report_filter *filter = &reading->params->filter;
    const struct zone *zone = filter->zone;
    char from[TEXT_QUOTE_BYTES], to[TEXT_QUOTE_BYTES];
    text_quote(reading->texts[PARAM_FROM], from);
    text_quote(reading->texts[PARAM_TO], to);
    filter->from = not_before_1970(whole_second(&reading->from, zone));
    filter->to = not_before_1970(end_of_range(&reading->to, zone));
    if (is_reversed(&reading->from, &reading->to, zone) || filter->from > filter->to)
        return fault_set(reading->fault, ERR_RANGE_INVALID, "from must not be after to, but from is %s and to is %s",
                         from, to);
    if (too_long(&reading->from, &reading->to, zone))
        return fault_set(reading->fault, ERR_RANGE_TOO_LONG,
                         "to must be at most %d months after from, but from is %s and to is %s", LIMIT_RANGE_MONTHS,
                         from, to);
    return OK;
}

/* The vendor's lists take no more rows than the vendor's do, unless they are asked for in our way. */
static enum err check_limit(const struct param_set *set, const struct params *params, struct fault *fault)
{
    int64_t max = params->has_page ? set->max_limit_of_page : set->max_limit;
    if (!params->has_limit || params->limit <= max)
        return OK;
    if (max < set->max_limit_of_page)
        return fault_set_parameter(
            fault, ERR_PARAMETER_INVALID, "limit",
            "limit must be an integer from 1 to %lld, or to %lld together with page, but is \"%lld\"", (long long)max,
            (long long)set->max_limit_of_page, (long long)params->limit);
    return fault_set_parameter(fault, ERR_PARAMETER_INVALID, "limit",
                               "limit must be an integer from 1 to %lld, but is \"%lld\"", (long long)max,
                               (long long)params->limit);
}

/* Minutes are for short ranges: an answer of two months would have 87,000 rows. */
static enum err check_granularity(const struct params *params, struct fault *fault)
{
    const struct report_filter *filter = &params->filter;
    if (params->granularity >= GRANULARITY_15M ||
        bucket_granularity(filter->zone, filter->from, filter->to) == GRANULARITY_15M)
        return OK;
    return fault_set_parameter(fault, ERR_PARAMETER_INVALID, "granularity",
                               "granularity may be 1m or 5m for ranges of at most 24 hours");
}

bool params_is_filter(struct slice name)
{
    for (enum param p = PARAM_TO + 1; p < PARAM_GRANULARITY; p++)
        if (slice_equals(name, param_rows[p].name))
            return true;
    return false;
}

bool params_ask_by(const struct params *params, enum dimension by)
{
    const struct report_filter *filter = &params->filter;
    bool is_filtered = filter->without[by].is_set || (by < TERMS && filter->terms[by].is_set);
    return is_filtered || (params->has_by && params->by == by);
}

enum err params_parse(const char *query_string, const struct param_set *set, struct params *ret_params,
                      struct fault *fault)
{
    struct query_scan scan = {.set = set};
    struct param_reading reading = {.params = ret_params, .fault = fault};
    enum err err = scan_query(&scan, query_string, fault);
    *ret_params = (struct params){.page = 1, .limit = set->default_limit, .filter.sums_only = set->sums_only};
    for (enum param p = 0; !err && p < PARAM_COUNT; p++) {
        if (set->takes[p])
            err = read_param(&param_rows[p], &scan.raws[p], &reading);
    }
    ret_params->filter.durations = set->durations || ret_params->durations || ret_params->sort == ORDER_DURATION;
    if (!err)
        err = check_limit(set, ret_params, fault);
    if (!err && set->takes[PARAM_FROM])
        err = join_range(&reading);
    if (!err && scan.raws[PARAM_GRANULARITY].times == 0)
        ret_params->granularity =
            bucket_granularity(ret_params->filter.zone, ret_params->filter.from, ret_params->filter.to);
    return err ? err : check_granularity(ret_params, fault);
}
