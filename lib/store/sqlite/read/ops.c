/* ops.c: the reading side as an engine's operations. Knows which function does which. Knows no SQL. */
#include "store/sqlite/ops.h"

#include "store/sqlite/read/reader.h"

#include "base/banned.h"

static struct sqlite_reader *reader_of(struct store_reader *reader)
{
    return (struct sqlite_reader *)reader;
}

static enum err reader_open(const struct store_place *place, struct store_reader **ret_reader, struct fault *fault)
{
    struct sqlite_reader *reader = NULL;
    enum err err = sqlite_reader_open(place->data_dir, &reader, fault);
    if (!err)
        *ret_reader = &reader->base;
    return err;
}

static void reader_close(struct store_reader *reader)
{
    sqlite_reader_close(reader_of(reader));
}

static bool is_stale(struct store_reader *reader)
{
    return sqlite_reader_is_stale(reader_of(reader));
}

static void set_timeout(struct store_reader *reader, int64_t milliseconds)
{
    reader_of(reader)->timeout_ms = milliseconds;
}

static enum err hold(struct store_reader *reader, const struct report_filter *filter, struct store_state *ret_state,
                     struct fault *fault)
{
    return sqlite_hold(reader_of(reader), filter, ret_state, fault);
}

static void let_go(struct store_reader *reader)
{
    sqlite_let_go(reader_of(reader));
}

static enum err chart(struct store_reader *reader, const struct report_filter *filter, enum granularity granularity,
                      bool fill_zero, struct chart *ret_chart, struct fault *fault)
{
    return sqlite_chart(reader_of(reader), filter, granularity, fill_zero, ret_chart, fault);
}

static enum err summary(struct store_reader *reader, const struct report_filter *filter, struct totals *ret_totals,
                        struct fault *fault)
{
    return sqlite_summary(reader_of(reader), filter, ret_totals, fault);
}

static enum err list(struct store_reader *reader, const struct report_filter *filter, const struct list_ask *ask,
                     const struct list_sink *sink, struct totals *ret_other, struct fault *fault)
{
    return sqlite_list(reader_of(reader), filter, ask, sink, ret_other, fault);
}

static enum err reader_health(struct store_reader *reader, int *ret_schema_version, struct fault *fault)
{
    return sqlite_reader_health(reader_of(reader), ret_schema_version, fault);
}

const struct store_reader_ops sqlite_reader_ops = {
    .open = reader_open,
    .close = reader_close,
    .is_stale = is_stale,
    .set_timeout = set_timeout,
    .hold = hold,
    .let_go = let_go,
    .chart = chart,
    .summary = summary,
    .list = list,
    .health = reader_health,
};
