/* hours.c: packs everyone's logs of some hours. Does not know which hours are due. */
#include "store/sqlite/write/hours.h"

#include "store/sqlite/write/logs.h"
#include "store/sqlite/write/values.h"
#include "time/when.h"

#include "base/banned.h"

void sqlite_hours_ask(struct sqlite_writer *writer, int64_t first, int64_t until)
{
    struct closing_slice *slice = &writer->closing.slice;
    slice->kind = SLICE_HOURS;
    slice->from = first / 24 * WHEN_QUARTERS_OF_DAY; /* value_day counts the whole day */
    slice->until = until * 4;
    slice->hours.first = first;
    slice->hours.until = until;
    slice->hours.has_values = sqlite_values_are_kept(writer, first / 24);
}

static enum err add_log(void *ctx, const struct stored_log *log)
{
    struct closing_slice *slice = ctx;
    struct fold_key key = {
        .tier = TIER_HOUR, .bucket = log->totals.first / WHEN_HOUR, .domain = log->key.domain, .error = log->key.error};
    slice->hours.logs++;
    enum err err = sqlite_sums_add(&slice->sums, &key, &log->totals);
    return err ? err : sqlite_values_add(&slice->hours.values, log);
}

enum err sqlite_hours_read(struct closing_slice *slice, struct log_reading *reading, struct fault *fault)
{
    struct hours_slice *hours = &slice->hours;
    hours->end = hours->first + 1;
    hours->logs = 0;
    enum err err = sqlite_values_begin(&hours->values, reading->db, hours->first / 24, hours->has_values, fault);
    for (int64_t hour = hours->first; !err && hour < hours->until && hours->logs < slice->most; hour++) {
        int64_t before = hours->logs;
        err = sqlite_each_log(reading, ALL_LOGS(hour * 4, 4), add_log, slice, fault);
        if (hours->logs > before)
            hours->end = hour + 1;
    }
    return err;
}

enum err sqlite_hours_write(struct sqlite_writer *writer, struct fault *fault)
{
    struct closing_slice *slice = &writer->closing.slice;
    if (writer->closed.hour == 0) /* nothing older has logs */
        writer->closed.day = slice->hours.first / 24;
    writer->closed.hour = slice->hours.end;
    writer->closed.packing.logs += slice->hours.logs;
    enum err err = sqlite_values_put(writer, &slice->hours.values, fault);
    return err ? err : sqlite_sums_put(&writer->pack, &slice->sums, true, fault);
}
