/* rows.h: a server's answer as rows of values. Knows json-c and ClickHouse's JSONCompact. Knows no tables. An answer
 * that is not whole, or holds what was not asked for, is an error and never a part of a report. */
#ifndef STORE_CLICKHOUSE_ROWS_H
#define STORE_CLICKHOUSE_ROWS_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct json_object;

struct rows {
    struct json_object *data; /* owned */
    size_t count;
};

/* What a statement appends to be answered so. */
#define ROWS_FORMAT " FORMAT JSONCompact"

/* Parses an answer whose rows have `columns` values each. ERR_UNAVAILABLE. */
enum err rows_parse(const char *body, size_t body_bytes, size_t columns, struct rows *ret_rows, struct fault *fault);
void rows_release(struct rows *rows);

/* Takes rows, borrowed until it returns; an error ends the walk. */
typedef enum err (*rows_sink)(void *ctx, const struct rows *rows, struct fault *fault);

/* The same for an answer of any length: one row at a time is in memory beside its text, and goes to the sink as rows of
 * one. That all of them came is known only when this returns OK. ERR_UNAVAILABLE, and what the sink returns. */
enum err rows_each(const char *body, size_t body_bytes, size_t columns, rows_sink sink, void *ctx, struct fault *fault);

/* A value as an integer; as a text, borrowed from the rows; as a list of texts: its length, and one of it.
 * ERR_UNAVAILABLE where it is none. */
enum err rows_i64(const struct rows *rows, size_t row, size_t column, int64_t *ret_value, struct fault *fault);
enum err rows_text(const struct rows *rows, size_t row, size_t column, const char **ret_text, struct fault *fault);
enum err rows_list(const struct rows *rows, size_t row, size_t column, size_t *ret_count, struct fault *fault);
enum err rows_list_text(const struct rows *rows, size_t row, size_t column, size_t index, const char **ret_text,
                        struct fault *fault);

#endif
