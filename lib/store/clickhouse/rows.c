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

/* ---- rows ---- */

#define USUAL_ROWS 64

static enum err make_rows(int room, struct rows *ret_rows, struct fault *fault)
{
    *ret_rows = (struct rows){.data = json_object_new_array_ext(room)};
    return ret_rows->data ? OK : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
}

void rows_release(struct rows *rows)
{
    json_object_put(rows->data);
    *rows = (struct rows){0};
}

/* Takes over the row. */
static enum err add_row(struct rows *rows, struct json_object *row, struct fault *fault)
{
    if (json_object_array_add(rows->data, row)) {
        json_object_put(row);
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    }
    rows->count++;
    return OK;
}

/* ---- from text to rows ---- */

/* An answer is an object: {"meta": [...], "data": [[...], ...], "rows": 2, ...}. */
struct walk {
    struct json_tokener *tokener;
    const char *at, *end;
    size_t columns;
    int64_t rows;    /* that came; -1: none were begun */
    int64_t claimed; /* by the answer itself, behind them: one that is cut has none */
};

/* Nothing is left but space. */
static bool is_at_end(struct walk *walk)
{
    while (walk->at < walk->end && (*walk->at == ' ' || *walk->at == '\n' || *walk->at == '\r' || *walk->at == '\t'))
        walk->at++;
    return walk->at == walk->end;
}

static bool take_mark(struct walk *walk, char mark)
{
    bool is_there = !is_at_end(walk) && *walk->at == mark;
    walk->at += is_there;
    return is_there;
}

/* NULL where there is none, and for null, which no statement of ours is answered with. */
static struct json_object *take_value(struct walk *walk)
{
    size_t left = (size_t)(walk->end - walk->at);
    json_tokener_reset(walk->tokener);
    struct json_object *value = json_tokener_parse_ex(walk->tokener, walk->at, left < INT_MAX ? (int)left : INT_MAX);
    walk->at += json_tokener_get_parse_end(walk->tokener);
    return value;
}

static enum err take_row(struct walk *walk, rows_sink sink, void *ctx, struct fault *fault)
{
    struct rows one = {0};
    enum err err = make_rows(1, &one, fault);
    struct json_object *row = err ? NULL : take_value(walk);
    if (!err && (!json_object_is_type(row, json_type_array) || json_object_array_length(row) != walk->columns)) {
        json_object_put(row);
        err = unexpected(fault);
    }
    if (!err)
        err = add_row(&one, row, fault);
    if (!err)
        err = sink(ctx, &one, fault);
    rows_release(&one);
    walk->rows++;
    return err;
}

static enum err take_data(struct walk *walk, rows_sink sink, void *ctx, struct fault *fault)
{
    if (walk->rows >= 0 || !take_mark(walk, '['))
        return unexpected(fault);
    walk->rows = 0;
    if (take_mark(walk, ']'))
        return OK;
    enum err err;
    do
        err = take_row(walk, sink, ctx, fault);
    while (!err && take_mark(walk, ','));
    return err || take_mark(walk, ']') ? err : unexpected(fault);
}

static enum err take_member(struct walk *walk, rows_sink sink, void *ctx, struct fault *fault)
{
    struct json_object *name = take_value(walk), *value = NULL;
    enum err err = OK;
    if (!json_object_is_type(name, json_type_string) || !take_mark(walk, ':'))
        err = unexpected(fault);
    else if (strcmp(json_object_get_string(name), "data") == 0)
        err = take_data(walk, sink, ctx, fault);
    else if (!(value = take_value(walk)))
        err = unexpected(fault);
    else if (strcmp(json_object_get_string(name), "rows") == 0)
        walk->claimed = json_object_get_int64(value);
    json_object_put(name);
    json_object_put(value);
    return err;
}

static enum err take_answer(struct walk *walk, rows_sink sink, void *ctx, struct fault *fault)
{
    if (!take_mark(walk, '{'))
        return unexpected(fault);
    enum err err;
    do
        err = take_member(walk, sink, ctx, fault);
    while (!err && take_mark(walk, ','));
    if (!err && (!take_mark(walk, '}') || !is_at_end(walk) || walk->rows < 0 || walk->rows != walk->claimed))
        err = unexpected(fault);
    return err;
}

enum err rows_each(const char *body, size_t body_bytes, size_t columns, rows_sink sink, void *ctx, struct fault *fault)
{
    struct walk walk = {.tokener = json_tokener_new(),
                        .at = body,
                        .end = body + body_bytes,
                        .columns = columns,
                        .rows = -1,
                        .claimed = -1};
    if (!walk.tokener)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    enum err err = take_answer(&walk, sink, ctx, fault);
    json_tokener_free(walk.tokener);
    return err;
}

static enum err keep_row(void *ctx, const struct rows *rows, struct fault *fault)
{
    return add_row(ctx, json_object_get(json_object_array_get_idx(rows->data, 0)), fault);
}

enum err rows_parse(const char *body, size_t body_bytes, size_t columns, struct rows *ret_rows, struct fault *fault)
{
    struct rows rows = {0};
    enum err err = make_rows(USUAL_ROWS, &rows, fault);
    if (!err)
        err = rows_each(body, body_bytes, columns, keep_row, &rows, fault);
    if (err)
        rows_release(&rows);
    else
        *ret_rows = rows;
    return err;
}

/* ---- values ---- */

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
