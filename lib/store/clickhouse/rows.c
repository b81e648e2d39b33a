/* rows.c: a server's answer as rows of values. Knows json-c and ClickHouse's JSONCompact. Knows no tables. */
#include "store/clickhouse/rows.h"

#include "base/text.h"

#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "base/banned.h"

static enum err unexpected(struct fault *fault)
{
    return fault_set(fault, ERR_UNAVAILABLE, "ClickHouse answered with something else than was asked for");
}

/* The whole of it, or NULL. */
static struct json_object *parse(const char *body, size_t body_bytes)
{
    struct json_tokener *tokener = body_bytes <= INT_MAX ? json_tokener_new() : NULL;
    if (!tokener)
        return NULL;
    struct json_object *document = json_tokener_parse_ex(tokener, body, (int)body_bytes);
    size_t end = json_tokener_get_parse_end(tokener);
    if (document && strspn(body + end, " \n\r\t") != body_bytes - end) {
        json_object_put(document);
        document = NULL;
    }
    json_tokener_free(tokener);
    return document;
}

static bool have_columns(const struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        struct json_object *row = json_object_array_get_idx(rows->data, i);
        if (!json_object_is_type(row, json_type_array) || json_object_array_length(row) != rows->columns)
            return false;
    }
    return true;
}

/* The number of rows stands behind them in the answer, so a cut one has none. */
static bool is_whole(struct rows *rows)
{
    struct json_object *count = NULL;
    if (!json_object_object_get_ex(rows->document, "data", &rows->data) ||
        !json_object_is_type(rows->data, json_type_array) || !json_object_object_get_ex(rows->document, "rows", &count))
        return false;
    rows->count = json_object_array_length(rows->data);
    return json_object_get_int64(count) == (int64_t)rows->count && have_columns(rows);
}

enum err rows_parse(const char *body, size_t body_bytes, size_t columns, struct rows *ret_rows, struct fault *fault)
{
    struct rows rows = {.columns = columns, .document = parse(body, body_bytes)};
    if (!rows.document || !is_whole(&rows)) {
        rows_release(&rows);
        return unexpected(fault);
    }
    *ret_rows = rows;
    return OK;
}

void rows_release(struct rows *rows)
{
    json_object_put(rows->document);
    *rows = (struct rows){0};
}

static struct json_object *value_at(const struct rows *rows, size_t row, size_t column)
{
    return json_object_array_get_idx(json_object_array_get_idx(rows->data, row), column);
}

/* Integers of 64 bits come in quotes. */
static enum err number_of(struct json_object *value, int64_t *ret_value, struct fault *fault)
{
    if (json_object_is_type(value, json_type_int)) {
        *ret_value = json_object_get_int64(value);
        return OK;
    }
    if (!json_object_is_type(value, json_type_string))
        return unexpected(fault);
    struct slice text = {json_object_get_string(value), (size_t)json_object_get_string_len(value)};
    return text_to_i64(text, INT64_MIN + 1, INT64_MAX, ret_value) ? OK : unexpected(fault);
}

static enum err text_of(struct json_object *value, const char **ret_text, struct fault *fault)
{
    if (!json_object_is_type(value, json_type_string))
        return unexpected(fault);
    *ret_text = json_object_get_string(value);
    return OK;
}

enum err rows_i64(const struct rows *rows, size_t row, size_t column, int64_t *ret_value, struct fault *fault)
{
    return number_of(value_at(rows, row, column), ret_value, fault);
}

enum err rows_text(const struct rows *rows, size_t row, size_t column, const char **ret_text, struct fault *fault)
{
    return text_of(value_at(rows, row, column), ret_text, fault);
}

enum err rows_list(const struct rows *rows, size_t row, size_t column, size_t *ret_count, struct fault *fault)
{
    struct json_object *list = value_at(rows, row, column);
    if (!json_object_is_type(list, json_type_array))
        return unexpected(fault);
    *ret_count = json_object_array_length(list);
    return OK;
}

enum err rows_list_text(const struct rows *rows, size_t row, size_t column, size_t index, const char **ret_text,
                        struct fault *fault)
{
    return text_of(json_object_array_get_idx(value_at(rows, row, column), index), ret_text, fault);
}
