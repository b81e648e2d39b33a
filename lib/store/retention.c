/* retention.c: which retentions make sense. Does not know how what is old is deleted. */
#include "store/retention.h"

#include <stdio.h>

#include "base/banned.h"

enum err store_retention_check(const struct store_retention *retention, struct fault *fault)
{
    const struct {
        const char *name, *finer_name;
        int64_t days, finer;
    } rules[] = {{"hour_days", "raw_days", retention->hour_days, retention->raw_days},
                 {"day_days", "hour_days", retention->day_days, retention->hour_days}};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (rules[i].days && !rules[i].finer)
            return fault_set(
                fault, ERR_PARAMETER_INVALID,
                "%s is %lld, so %s must be set as well, to %lld or less (finer data cannot outlive coarser)",
                rules[i].name, (long long)rules[i].days, rules[i].finer_name, (long long)rules[i].days);
        if (rules[i].days && rules[i].days < rules[i].finer)
            return fault_set(fault, ERR_PARAMETER_INVALID,
                             "%s must be at least %s, which is %lld, but is %lld (finer data cannot outlive coarser)",
                             rules[i].name, rules[i].finer_name, (long long)rules[i].finer, (long long)rules[i].days);
    }
    return OK;
}
