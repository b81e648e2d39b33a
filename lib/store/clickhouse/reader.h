/* reader.h: what the reports of this engine share: a reader, and how it asks. Private to the ClickHouse engine. */
#ifndef STORE_CLICKHOUSE_READER_H
#define STORE_CLICKHOUSE_READER_H

#include "store/clickhouse/cover.h"
#include "store/clickhouse/http.h"
#include "store/clickhouse/kept.h"
#include "store/clickhouse/rows.h"
#include "store/clickhouse/servers.h"
#include "store/clickhouse/shipped.h"
#include "store/clickhouse/sql.h"
#include "store/engine.h"
#include "store/sqlite/spool/spool.h"

/* The longest statement: a domain and an error in hexadecimal digits, and words of ours. */
#define READER_SQL_BYTES (64u << 10)

struct clickhouse_reader {
    struct store_reader base;
    const struct clickhouse_config *config;
    const char *data_dir;
    struct spool_reader *spool; /* says how far it was shipped, and where to */
    struct shipped shipped;
    struct servers servers;
    struct http_client *client, *mark_client;
    struct buf sql;
    int64_t timeout_ms; /* 0: the settings' */

    /* Of the report that was begun last. */
    const char *url; /* who is asked */
    int64_t mark;    /* that it has */
    char id[SPOOL_ID_BYTES];
    int64_t deadline_ms; /* time/mono.h */
    struct kept_state kept;
};

static inline struct clickhouse_reader *clickhouse_reader_of(struct store_reader *reader)
{
    return (struct clickhouse_reader *)reader;
}

/* reader.c. Begins a report: waits until everything that was acknowledged before is in ClickHouse, and reads what was
 * deleted there. *ret_sql is where its statement is to be written. ERR_UNAVAILABLE, ERR_QUERY_TIMEOUT. */
enum err reader_begin(struct clickhouse_reader *reader, struct buf **ret_sql, struct fault *fault);

/* reader.c. The table that has all logs. */
const char *reader_table(const struct clickhouse_reader *reader);

/* reader.c. What of a report is still there: *ret_kept is its filter without the time whose logs are gone. With
 * `needs_logs`, as where the engine that is embedded has nothing but single logs, ERR_LOGS_PRUNED where some are gone:
 * part of an answer would look like all of it. */
enum err reader_clip(const struct clickhouse_reader *reader, const struct report_filter *filter, bool needs_logs,
                     struct report_filter *ret_kept, struct fault *fault);

/* reader.c. A cover_ask about this filter, its groups not set yet. */
struct cover_ask reader_cover(const struct clickhouse_reader *reader, const struct report_filter *filter);

/* reader.c. Asks what was written since reader_begin of the server that has everything, and gives its rows of `columns`
 * values. ERR_UNAVAILABLE, ERR_QUERY_TIMEOUT. */
enum err reader_ask(struct clickhouse_reader *reader, size_t columns, struct rows *ret_rows, struct fault *fault);

/* reader.c. The same as the answer's text, for rows_each; valid until the reader asks again. */
enum err reader_ask_text(struct clickhouse_reader *reader, struct http_reply *ret_reply, struct fault *fault);

/* reader.c. The measures that begin at a column, as SQL_MEASURES has them. */
enum err reader_totals(const struct rows *rows, size_t row, size_t column, struct totals *ret_totals,
                       struct fault *fault);

/* The operations of store.h of these names: chart.c has chart and summary, lists.c the list. */
enum err clickhouse_chart(struct store_reader *reader, const struct report_filter *filter, enum granularity granularity,
                          bool fill_zero, struct chart *ret_chart, struct fault *fault);
enum err clickhouse_summary(struct store_reader *reader, const struct report_filter *filter, struct totals *ret_totals,
                            struct fault *fault);
enum err clickhouse_list(struct store_reader *reader, const struct report_filter *filter, const struct list_ask *ask,
                         const struct list_sink *sink, struct totals *ret_other, struct fault *fault);

extern const struct store_reader_ops clickhouse_reader_ops; /* reader.c */
extern const struct store_export_ops clickhouse_export_ops; /* export.c */

#endif
