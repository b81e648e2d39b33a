/* parse.c: what the values of options mean that several commands take. Knows no command. */
#include "ctl/ctl.h"

#include "base/limit.h"
#include "base/text.h"
#include "time/when.h"

#include "base/banned.h"

int ctl_parse_time(const char *text, const char *option, bool is_end, int64_t *ret_seconds)
{
    struct when when;
    if (!when_parse(slice_of(text), &when))
        return ctl_misuse("%s is a date, YYYY-MM-DD, or an ISO 8601 date-time, of the years 1970 to 2999", option);
    /* a fraction of a second is past the second: logs are stamped by the second */
    *ret_seconds = when.seconds + when.has_fraction + (is_end && when.date_only ? WHEN_DAY : 0);
    return CTL_OK;
}

int ctl_parse_id(const char *text, const char *option, int64_t *ret_id)
{
    if (!text || text_to_i64(slice_of(text), 1, LIMIT_ID, ret_id))
        return CTL_OK;
    return ctl_misuse("%s is an integer from 1 to %lld", option, (long long)LIMIT_ID);
}
