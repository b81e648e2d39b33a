/* hours.c: packs everyone's logs of an hour. Knows how far it has read. Does not know which hours are due. */
#include "store/sqlite/write/hours.h"

#include "store/sqlite/write/logs.h"
#include "store/sqlite/write/values.h"
#include "time/when.h"

#include "base/banned.h"

void sqlite_hours_changed(struct writer_hours *hours, int64_t quarter)
{
    if (!hours->is_active || quarter >= hours->next)
        return;
    hours->is_active = false;
    hours->is_whole = true;
}

void sqlite_hours_release(struct writer_hours *hours)
{
    fold_release(&hours->entries);
    fold_release(&hours->traffic);
    fold_release(&hours->values);
}

static void exchange(struct fold *a, struct fold *b)
{
    struct fold kept = *a;
    *a = *b;
    *b = kept;
}

/* Late logs are added up in the same places between two slices. */
static void exchange_sums(struct sqlite_writer *writer)
{
    struct writer_hours *hours = &writer->hours;
    exchange(&writer->pack.entries, &hours->entries);
    exchange(&writer->traffic.sums, &hours->traffic);
    exchange(&writer->values.sums, &hours->values);
}

static void begin(struct writer_hours *hours, int64_t hour)
{
    bool is_whole = hours->is_whole && hours->first == hour;
    fold_clear(&hours->entries);
    fold_clear(&hours->traffic);
    fold_clear(&hours->values);
    hours->is_active = true;
    hours->is_whole = is_whole;
    hours->first = hour;
    hours->next = hour * 4;
    hours->end = hour + 1;
    hours->logs = 0;
}

static enum err add_log(void *ctx, const struct stored_log *log)
{
    struct sqlite_writer *writer = ctx;
    struct fold_key key = {
        .tier = TIER_HOUR, .bucket = log->totals.first / WHEN_HOUR, .domain = log->key.domain, .error = log->key.error};
    writer->closed.packing.logs++;
    writer->hours.logs++;
    enum err err = sqlite_sums_add(writer, &key, &log->totals);
    return err ? err : sqlite_values_add(writer, log);
}

/* *ret_whole: the hours up to hours->end are read, and there are enough of them or no others. */
static enum err read_some(struct sqlite_writer *writer, int64_t until, bool *ret_whole, struct fault *fault)
{
    struct writer_hours *hours = &writer->hours;
    int64_t most = sqlite_slice_logs(&writer->closed.packing), began = hours->logs;
    enum err err = OK;
    *ret_whole = true;
    while (!err && hours->next < until * 4 && (hours->next % 4 || hours->logs < most)) {
        int64_t before = hours->logs;
        if (before - began >= most && !hours->is_whole) {
            *ret_whole = false;
            break;
        }
        err = sqlite_each_log(writer, ALL_LOGS(hours->next, 1), add_log, writer, fault);
        if (hours->logs > before)
            hours->end = hours->next / 4 + 1;
        hours->next++;
    }
    return err;
}

static enum err put(struct sqlite_writer *writer, struct fault *fault)
{
    writer->hours.is_active = writer->hours.is_whole = false;
    writer->closed.hour = writer->hours.end;
    enum err err = sqlite_values_put(writer, fault);
    if (!err)
        err = sqlite_traffic_put(&writer->traffic, fault);
    return err ? err : sqlite_pack(&writer->pack, true, fault);
}

enum err sqlite_hours_close(struct sqlite_writer *writer, int64_t hour, int64_t until, struct fault *fault)
{
    struct writer_hours *hours = &writer->hours;
    bool is_whole = false;
    if (!hours->is_active || hours->first != hour)
        begin(hours, hour);
    exchange_sums(writer);
    enum err err = sqlite_values_resume(writer, hour / 24, fault);
    if (!err)
        err = read_some(writer, until, &is_whole, fault);
    if (!err && is_whole)
        err = put(writer, fault);
    exchange_sums(writer);
    if (err)
        hours->is_active = false;
    return err;
}
