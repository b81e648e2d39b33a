/* fuzz_params.c: the query string of a report. Its first byte chooses which parameters the route takes. Whatever the
 * bytes: what is taken is within the rules of docs/api.md, what is refused says which parameter; and the same query
 * written otherwise (every byte percent-encoded, parameters in another order, unknown ones among them) gives the same.
 *
 * Planted to see it fail, and found: limit 101, a second `from` not seen, a range of 115 days. (That values are UTF-8
 * without NUL is looked at twice, so leaving one out changes no answer.) */
#include "fuzz.h"
#include "http/params.h"
#include "time/when.h"

#include <ctype.h>

struct answer {
    enum err err;
    struct fault fault;
    struct params params;
};

static void parse(const char *query, const struct param_set *set, struct answer *ret_answer)
{
    char *exact = fuzz_copy(query, strlen(query) + 1);
    memset(ret_answer, 0, sizeof *ret_answer);
    ret_answer->err = params_parse(exact, set, &ret_answer->params, &ret_answer->fault);
    free(exact);
}

static int64_t month_of(int64_t seconds)
{
    struct civil civil = when_civil_from_days(when_floor(seconds, WHEN_DAY) / WHEN_DAY);
    return civil.year * INT64_C(12) + civil.month;
}

static void check_taken(const struct answer *answer, const struct param_set *set)
{
    const struct params *params = &answer->params;
    const struct report_filter *filter = &params->filter;
    CHECK(filter->from <= filter->to && filter->from >= 0);
    CHECK(filter->to <= INT64_C(32503680000) + WHEN_DAY);
    CHECK(filter->to - filter->from <= 65 * WHEN_DAY && month_of(filter->to) - month_of(filter->from) <= 3);
    CHECK(filter->user_id >= 0 && filter->user_id <= LIMIT_ID && filter->order_id >= 0 && filter->order_id <= LIMIT_ID);
    CHECK(params->limit == set->default_limit ||
          (params->limit >= 1 && params->limit <= (params->has_page ? 1000 : 100)));
    CHECK(params->page >= 1 && params->page <= INT64_C(2147483648));
    CHECK(params->granularity <= GRANULARITY_MONTH && params->sort <= ORDER_ERROR_RATE);
    CHECK(params->format <= FORMAT_CSV && params->by < DIMENSIONS);
    CHECK(!filter->zone || filter->zone == &params->zone);
    if (filter->has_error)
        CHECK(filter->error.data == params->error && filter->error.len >= 1 && filter->error.len <= LIMIT_ERROR_BYTES &&
              text_is_utf8(filter->error.data, filter->error.len) && strlen(params->error) == filter->error.len);
    if (!filter->has_domain)
        return;
    CHECK(filter->domain.data == params->domain && filter->domain.len <= LIMIT_DOMAIN_BYTES);
    CHECK(filter->domain.len == 0 || filter->domain.data[filter->domain.len - 1] != '.');
    CHECK(text_is_utf8(filter->domain.data, filter->domain.len));
    for (size_t i = 0; i < filter->domain.len; i++) {
        unsigned char c = (unsigned char)filter->domain.data[i];
        CHECK(c >= 0x20 && c != 0x7f && !(c >= 'A' && c <= 'Z'));
    }
}

static void check_refused(const struct answer *answer)
{
    enum err err = answer->err;
    bool of_parameter = err == ERR_PARAMETER_INVALID || err == ERR_PARAMETER_REQUIRED;
    CHECK(of_parameter || err == ERR_RANGE_INVALID || err == ERR_RANGE_TOO_LONG || err == ERR_QUERY_INVALID);
    CHECK(answer->fault.err == err && answer->fault.detail[0] != '\0');
    CHECK(of_parameter == (answer->fault.parameter[0] != '\0'));
}

static void check_same(const struct answer *one, const struct answer *other)
{
    const struct params *a = &one->params, *b = &other->params;
    CHECK(one->err == other->err);
    CHECK(strcmp(one->fault.detail, other->fault.detail) == 0);
    CHECK(strcmp(one->fault.parameter, other->fault.parameter) == 0);
    if (one->err)
        return;
    CHECK(a->filter.from == b->filter.from && a->filter.to == b->filter.to);
    CHECK(!a->filter.zone == !b->filter.zone && a->zone.count == b->zone.count);
    CHECK(a->filter.user_id == b->filter.user_id && a->filter.order_id == b->filter.order_id);
    CHECK(a->filter.has_domain == b->filter.has_domain && strcmp(a->domain, b->domain) == 0);
    CHECK(a->filter.has_error == b->filter.has_error && strcmp(a->error, b->error) == 0);
    CHECK(a->granularity == b->granularity && a->fill_zero == b->fill_zero && a->sort == b->sort);
    CHECK(a->format == b->format && a->by == b->by);
    CHECK(a->page == b->page && a->limit == b->limit);
}

static bool is_escape(const char *at)
{
    return at[0] == '%' && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2]);
}

/* Every byte but the marks as %XX. Escapes that are there stay; so does a stray %, which must go on being wrong. */
static void encode(const char *query, char *ret_text)
{
    for (; *query; query++) {
        bool keeps = strchr("&=+%", *query) || is_escape(query - 1) || is_escape(query - 2);
        ret_text += keeps ? sprintf(ret_text, "%c", *query) : sprintf(ret_text, "%%%02X", (unsigned char)*query);
    }
    *ret_text = '\0';
}

/* The pairs from the last to the first, one that nobody knows before them. */
static void turn_round(const char *query, char *ret_text)
{
    char *to = ret_text + sprintf(ret_text, "unknown=%%zz");
    for (const char *end = query + strlen(query);;) {
        const char *begin = end;
        while (begin > query && begin[-1] != '&')
            begin--;
        to += sprintf(to, "&%.*s", (int)(end - begin), begin);
        if (begin == query)
            return;
        end = begin - 1;
    }
}

static size_t pairs_in(const char *query)
{
    size_t pairs = 1;
    for (; *query; query++)
        pairs += *query == '&';
    return pairs;
}

static void check_other_ways(const char *query, const struct param_set *set, const struct answer *answer)
{
    static char text[3 * LIMIT_QUERY_STRING_BYTES];
    struct answer other;
    encode(query, text);
    if (strlen(text) <= LIMIT_QUERY_STRING_BYTES) {
        parse(text, set, &other);
        check_same(answer, &other);
    }
    if (pairs_in(query) >= LIMIT_PARAMETERS)
        return;
    turn_round(query, text);
    if (strlen(text) > LIMIT_QUERY_STRING_BYTES)
        return;
    parse(text, set, &other);
    check_same(answer, &other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char query[2 + LIMIT_QUERY_STRING_BYTES + 100]; /* two NULs before it: encode looks back */
    struct param_set set = {.takes = {[PARAM_FROM] = true, [PARAM_TO] = true, [PARAM_TIMEZONE] = true},
                            .default_limit = 30,
                            .max_limit = 100,
                            .max_limit_of_page = 1000};
    struct answer answer;
    if (size < 1 || size - 1 > LIMIT_QUERY_STRING_BYTES + 90)
        return 0;
    for (int p = PARAM_DOMAIN; p <= PARAM_PAGE; p++)
        set.takes[p] = data[0] >> (p - PARAM_DOMAIN) & 1;
    memcpy(query + 2, data + 1, size - 1);
    query[2 + size - 1] = '\0';
    set.takes[PARAM_FORMAT] = set.takes[PARAM_ERROR] = true;
    set.takes[PARAM_BY] = strstr(query + 2, "by=") != NULL; /* where it is taken, it is required */
    parse(query + 2, &set, &answer);
    if (answer.err)
        check_refused(&answer);
    else
        check_taken(&answer, &set);
    if (strlen(query + 2) <= LIMIT_QUERY_STRING_BYTES)
        check_other_ways(query + 2, &set, &answer);
    return 0;
}
