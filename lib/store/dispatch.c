/* dispatch.c: picks an engine by its name, and passes each operation on to the engine of its place, writer, reader or
 * export. Knows the list of engines. Knows nothing of what they do. */
#include "store/engine.h"

#include <string.h>

#include "base/banned.h"

static const struct store_engine *const engines[] = {&store_engine_sqlite, &store_engine_clickhouse};

const struct store_engine *store_engine_find(const char *name)
{
    for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
        if (strcmp(engines[i]->name, name) == 0)
            return engines[i];
    return NULL;
}

struct store_place store_in(const char *data_dir)
{
    return (struct store_place){.engine = engines[0], .data_dir = data_dir};
}

int store_schema_version(struct store_place place)
{
    return place.engine->schema_version();
}

void store_measure(struct store_place place, struct store_size *ret_size)
{
    place.engine->measure(&place, ret_size);
}

/* ---- writing ---- */

enum err store_writer_open(struct store_place place, struct store_writer **ret_writer, struct fault *fault)
{
    return place.engine->writer->open(&place, ret_writer, fault);
}

void store_writer_close(struct store_writer *writer)
{
    if (writer)
        writer->engine->writer->close(writer);
}

void store_write(struct store_writer *writer, struct store_item *items, size_t count, int64_t now,
                 struct store_times *ret_times)
{
    writer->engine->writer->write(writer, items, count, now, ret_times);
}

enum err store_maintain(struct store_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                        struct fault *fault)
{
    return writer->engine->writer->maintain(writer, now, idempotency_seconds, ret_more, fault);
}

void store_writer_set_retention(struct store_writer *writer, const struct store_retention *retention)
{
    writer->engine->writer->set_retention(writer, retention);
}

enum err store_writer_set_wake(struct store_writer *writer, const struct store_wake *wake, struct fault *fault)
{
    return writer->engine->writer->set_wake(writer, wake, fault);
}

enum err store_writer_health(struct store_writer *writer, struct fault *fault)
{
    return writer->engine->writer->health(writer, fault);
}

void store_writer_probe(struct store_writer *writer)
{
    writer->engine->writer->probe(writer);
}

/* ---- reading ---- */

enum err store_reader_open(struct store_place place, struct store_reader **ret_reader, struct fault *fault)
{
    return place.engine->reader->open(&place, ret_reader, fault);
}

void store_reader_close(struct store_reader *reader)
{
    if (reader)
        reader->engine->reader->close(reader);
}

bool store_reader_is_stale(struct store_reader *reader)
{
    return reader->engine->reader->is_stale(reader);
}

void store_reader_set_timeout(struct store_reader *reader, int64_t milliseconds)
{
    reader->engine->reader->set_timeout(reader, milliseconds);
}

enum err store_hold(struct store_reader *reader, const struct report_filter *filter, struct store_state *ret_state,
                    struct fault *fault)
{
    return reader->engine->reader->hold(reader, filter, ret_state, fault);
}

void store_let_go(struct store_reader *reader)
{
    reader->engine->reader->let_go(reader);
}

enum err store_chart(struct store_reader *reader, const struct report_filter *filter, enum granularity granularity,
                     bool fill_zero, struct chart *ret_chart, struct fault *fault)
{
    return reader->engine->reader->chart(reader, filter, granularity, fill_zero, ret_chart, fault);
}

enum err store_summary(struct store_reader *reader, const struct report_filter *filter, struct totals *ret_totals,
                       struct fault *fault)
{
    return reader->engine->reader->summary(reader, filter, ret_totals, fault);
}

enum err store_list(struct store_reader *reader, const struct report_filter *filter, const struct list_ask *ask,
                    const struct list_sink *sink, struct totals *ret_other, struct fault *fault)
{
    return reader->engine->reader->list(reader, filter, ask, sink, ret_other, fault);
}

enum err store_reader_health(struct store_reader *reader, int *ret_schema_version, struct fault *fault)
{
    return reader->engine->reader->health(reader, ret_schema_version, fault);
}

/* ---- export ---- */

enum err store_export_open(struct store_place place, const struct store_export_filter *filter,
                           struct store_export **ret_export, struct fault *fault)
{
    return place.engine->export->open(&place, filter, ret_export, fault);
}

void store_export_close(struct store_export *export)
{
    if (export)
        export->engine->export->close(export);
}

enum err store_export_next(struct store_export *export, store_log_sink sink, void *ctx, int64_t *ret_at,
                           struct fault *fault)
{
    return export->engine->export->next(export, sink, ctx, ret_at, fault);
}
