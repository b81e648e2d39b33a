/* fuzz_params.c: the query string of a report. Its first byte chooses which parameters the route takes. Whatever the
 * bytes: what is taken is within the rules of docs/api.md, what is refused says which parameter; and the same query
 * written otherwise (every byte percent-encoded, parameters in another order, unknown ones among them) gives the same.
 *
 * Planted to see it fail, and found: limit 101, a second `from` not seen, a range of 115 days. (Whether a value is
 * UTF-8 without NUL is checked in two places, so leaving out one of them changes no answer.) */
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

/* The term is the whole text, or what follows "*." in it (all names below a domain). */
static void check_text(enum dimension by, const struct report_term *term, const char *text)
{
    static const size_t most[DIMENSIONS] = {
        [BY_WORKER] = 128, [BY_PEER] = 128, [BY_PROTOCOL] = 32, [BY_ERROR] = 256, [BY_DOMAIN] = 253};
    size_t skip = term->is_below ? 2 : 0;
    CHECK(term->text.data == text + skip && text[skip + term->text.len] == '\0' && strlen(text) <= most[by]);
    CHECK(text_is_utf8(text, strlen(text)));
    CHECK(!term->is_below || (by == BY_DOMAIN && !memcmp(text, "*.", 2) && term->text.len > 0));
    CHECK(by != BY_ERROR || term->text.len > 0);
    for (; by == BY_DOMAIN && *text; text++)
        CHECK((unsigned char)*text >= 0x20 && *text != 0x7f && !(*text >= 'A' && *text <= 'Z') &&
              (*text != '.' || text[1]));
}

static void check_term(enum dimension by, const struct report_term *term, const char *text)
{
    bool is_id = by == BY_ORDER || by == BY_USER;
    if (!term->is_set)
        return;
    switch (dimensions[by].kind) {
    case VALUE_NAME:
        check_text(by, term, text);
        return;
    case VALUE_NUMBER:
        CHECK(term->number >= is_id && term->number <= (is_id ? LIMIT_ID : 65535));
        return;
    case VALUE_ADDRESS:
        CHECK(term->ip.len == 0 || term->ip.len == 4 || term->ip.len == 16);
        return;
    }
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
    CHECK(params->granularity <= GRANULARITY_MONTH && params->sort <= ORDER_DURATION);
    CHECK(params->q.len <= 256 && text_is_utf8(params->search, params->q.len));
    CHECK(params->format <= FORMAT_CSV && params->by < DIMENSIONS);
    CHECK(!filter->zone || filter->zone == &params->zone);
    for (enum dimension by = 0; by < DIMENSIONS; by++) {
        struct report_term term = filter_term(filter, by);
        check_term(by, &term, params->texts[0][by]);
        check_term(by, &filter->without[by], params->texts[1][by]);
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

static void check_same_term(const struct report_term *a, const struct report_term *b)
{
    CHECK(a->is_set == b->is_set && a->is_below == b->is_below && a->number == b->number);
    CHECK(a->text.len == b->text.len && (a->text.len == 0 || !memcmp(a->text.data, b->text.data, a->text.len)));
    CHECK(a->ip.len == b->ip.len && !memcmp(a->ip.bytes, b->ip.bytes, a->ip.len));
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
    for (enum dimension by = 0; by < DIMENSIONS; by++) {
        struct report_term term = filter_term(&a->filter, by), again = filter_term(&b->filter, by);
        check_same_term(&term, &again);
        check_same_term(&a->filter.without[by], &b->filter.without[by]);
    }
    CHECK(a->granularity == b->granularity && a->fill_zero == b->fill_zero && a->sort == b->sort);
    CHECK(a->durations == b->durations && a->filter.durations == b->filter.durations);
    CHECK(a->format == b->format && a->by == b->by);
    CHECK(a->q.len == b->q.len && !memcmp(a->search, b->search, a->q.len));
    CHECK(a->page == b->page && a->limit == b->limit);
}

static bool is_escape(const char *at)
{
    return at[0] == '%' && isxdigit((unsigned char)at[1]) && isxdigit((unsigned char)at[2]);
}

/* Writes each byte as %XX, except &, =, + and %. Escapes stay as they are, and so does a stray %, which is a fault. */
static void encode(const char *query, char *ret_text)
{
    for (; *query; query++) {
        bool keeps = strchr("&=+%", *query) || is_escape(query - 1) || is_escape(query - 2);
        ret_text += keeps ? sprintf(ret_text, "%c", *query) : sprintf(ret_text, "%%%02X", (unsigned char)*query);
    }
    *ret_text = '\0';
}

/* The pairs from the last to the first, with an unknown parameter before them. */
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
    for (int p = PARAM_TO + 1; p <= PARAM_PAGE; p++)
        set.takes[p] = data[0] >> p % 8 & 1;
    memcpy(query + 2, data + 1, size - 1);
    query[2 + size - 1] = '\0';
    set.takes[PARAM_FORMAT] = set.takes[PARAM_ERROR] = set.takes[PARAM_NOT_DOMAIN] = set.takes[PARAM_Q] = true;
    set.takes[PARAM_BY] = strstr(query + 2, "by=") != NULL; /* a route that takes it requires it */
    parse(query + 2, &set, &answer);
    if (answer.err)
        check_refused(&answer);
    else
        check_taken(&answer, &set);
    if (strlen(query + 2) <= LIMIT_QUERY_STRING_BYTES)
        check_other_ways(query + 2, &set, &answer);
    return 0;
}
