/* parse.c: what the values of options mean that several commands take, and what is said of those that mean nothing.
 * Knows no command. */
#include "ctl/ctl.h"

#include "base/limit.h"
#include "base/text.h"
#include "time/when.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/banned.h"

#define RULE_BYTES 160

int ctl_must_be(const char *option, const char *text, const char *format, ...)
{
    char rule[RULE_BYTES], quoted[TEXT_QUOTE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(rule, sizeof rule, format, args);
    va_end(args);
    return ctl_misuse("%s must be %s, but is %s", option, rule, text_quote(slice_of(text), quoted));
}

int ctl_parse_when(const char *text, const char *option, struct when *ret_when)
{
    char quoted[TEXT_QUOTE_BYTES];
    if (!text || when_parse(slice_of(text), ret_when))
        return CTL_OK;
    return ctl_misuse("%s must be a date or a time, such as 2026-03-15 or 2026-03-15T10:15:00Z, but is %s: %s", option,
                      text_quote(slice_of(text), quoted), when_fault(slice_of(text)));
}

int ctl_parse_time(const char *text, const char *option, bool is_end, int64_t *ret_seconds)
{
    struct when when;
    int status = ctl_parse_when(text, option, &when);
    if (status || !text)
        return status;
    /* a fraction of a second is past the second: logs are stamped by the second */
    *ret_seconds = when.seconds + when.has_fraction + (is_end && when.date_only ? WHEN_DAY : 0);
    return CTL_OK;
}

int ctl_parse_integer(const char *text, const char *option, int64_t min, int64_t max, int64_t *ret_value)
{
    if (!text || text_to_i64(slice_of(text), min, max, ret_value))
        return CTL_OK;
    return ctl_must_be(option, text, "an integer from %lld to %lld", (long long)min, (long long)max);
}

int ctl_parse_id(const char *text, const char *option, int64_t *ret_id)
{
    return ctl_parse_integer(text, option, 1, LIMIT_ID, ret_id);
}
