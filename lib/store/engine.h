/* engine.h: what an engine is: a table of the operations of store.h, and how its writers, readers and exports begin.
 * For store.c and the engines; everyone else calls store.h.
 *
 * An operation is documented where store.h has the function of its name. An engine's own struct begins with the base,
 * whose `engine` its open function sets. */
#ifndef STORE_ENGINE_H
#define STORE_ENGINE_H

#include "store/store.h"

struct store_writer {
    const struct store_engine *engine;
};

struct store_reader {
    const struct store_engine *engine;
};

struct store_export {
    const struct store_engine *engine;
};

struct store_writer_ops {
    enum err (*open)(const struct store_place *place, struct store_writer **ret_writer, struct fault *fault);
    void (*close)(struct store_writer *writer); /* never NULL, as in all of them */
    void (*write)(struct store_writer *writer, struct store_item *items, size_t count, int64_t now,
                  struct store_times *ret_times);
    enum err (*maintain)(struct store_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault);
    enum err (*set_wake)(struct store_writer *writer, const struct store_wake *wake, struct fault *fault);
    void (*set_retention)(struct store_writer *writer, const struct store_retention *retention);
    enum err (*health)(struct store_writer *writer, struct fault *fault);
    void (*probe)(struct store_writer *writer);
};

struct store_reader_ops {
    enum err (*open)(const struct store_place *place, struct store_reader **ret_reader, struct fault *fault);
    void (*close)(struct store_reader *reader);
    bool (*is_stale)(struct store_reader *reader);
    void (*set_timeout)(struct store_reader *reader, int64_t milliseconds);
    enum err (*hold)(struct store_reader *reader, const struct report_filter *filter, struct store_state *ret_state,
                     struct fault *fault);
    void (*let_go)(struct store_reader *reader);
    enum err (*chart)(struct store_reader *reader, const struct report_filter *filter, enum granularity granularity,
                      bool fill_zero, struct chart *ret_chart, struct fault *fault);
    enum err (*summary)(struct store_reader *reader, const struct report_filter *filter, struct totals *ret_totals,
                        struct fault *fault);
    enum err (*list)(struct store_reader *reader, const struct report_filter *filter, const struct list_ask *ask,
                     const struct list_sink *sink, struct totals *ret_other, struct fault *fault);
    enum err (*health)(struct store_reader *reader, int *ret_schema_version, struct fault *fault);
};

struct store_export_ops {
    enum err (*open)(const struct store_place *place, const struct store_export_filter *filter,
                     struct store_export **ret_export, struct fault *fault);
    void (*close)(struct store_export *export);
    enum err (*next)(struct store_export *export, store_log_sink sink, void *ctx, int64_t *ret_at, struct fault *fault);
};

struct store_engine {
    const char *name; /* as settings have it */
    int (*schema_version)(void);
    void (*measure)(const struct store_place *place, struct store_size *ret_size);
    const struct store_writer_ops *writer;
    const struct store_reader_ops *reader;
    const struct store_export_ops *export;
};

extern const struct store_engine store_engine_sqlite;     /* store/sqlite/engine.c */
extern const struct store_engine store_engine_clickhouse; /* store/clickhouse/engine.c */

#endif
