/* table.c: the answer of a report as JSON or CSV. Knows what a row of a report may hold. Knows no report, no HTTP. */
#include "endpoint/table.h"

#include "base/text.h"
#include "time/when.h"

#include "base/banned.h"

/* ---- one cell ---- */

enum cell_kind { CELL_NULL, CELL_TEXT, CELL_DECIMAL, CELL_TIME, CELL_TEXTS };

struct cell {
    enum cell_kind kind;
    int64_t number; /* or seconds */
    const char *text;
    const char *const *texts;
    size_t text_count;
};

static struct cell decimal(int64_t number)
{
    return (struct cell){.kind = CELL_DECIMAL, .number = number};
}

static struct cell duration(const struct totals *totals)
{
    return totals->duration_ms < 0 ? (struct cell){.kind = CELL_NULL} : decimal(totals->duration_ms);
}

static struct cell avg_duration(const struct totals *totals)
{
    return totals->duration_ms < 0 || totals->count <= 0 ? (struct cell){.kind = CELL_NULL}
                                                         : decimal(totals_avg_duration(totals));
}

/* `seconds` of a log: none when there is no log. */
static struct cell time_of_log(const struct table *table, const struct totals *totals, int64_t seconds)
{
    if (totals_are_none(totals))
        return (struct cell){.kind = CELL_NULL};
    return (struct cell){.kind = CELL_TIME, .number = zone_clock(table->zone, seconds)};
}

static struct cell get_cell(const struct table *table, const struct table_row *row, enum table_field field)
{
    switch (field) {
    case TABLE_BUCKET:
        return (struct cell){.kind = CELL_TIME, .number = row->bucket};
    case TABLE_NAME:
        return (struct cell){.kind = CELL_TEXT, .text = row->name};
    case TABLE_COUNT:
        return decimal(row->totals.count);
    case TABLE_ERRORS:
        return decimal(row->totals.errors);
    case TABLE_SENT:
        return decimal(row->totals.bytes_sent);
    case TABLE_RECEIVED:
        return decimal(row->totals.bytes_received);
    case TABLE_BYTES:
        return decimal(totals_bytes(&row->totals));
    case TABLE_CONCURRENCY:
        return decimal(row->totals.max_concurrency);
    case TABLE_DURATION:
        return duration(&row->totals);
    case TABLE_AVG_DURATION:
        return avg_duration(&row->totals);
    case TABLE_FIRST:
        return time_of_log(table, &row->totals, row->totals.first);
    case TABLE_LAST:
        return time_of_log(table, &row->totals, row->totals.last);
    case TABLE_SAMPLES:
        return (struct cell){.kind = CELL_TEXTS, .texts = row->samples, .text_count = row->sample_count};
    }
    return (struct cell){.kind = CELL_NULL};
}

/* ---- JSON ---- */

static void put_json_texts(struct json_out *out, const struct cell *cell)
{
    json_out_begin_array(out);
    for (size_t i = 0; i < cell->text_count; i++)
        json_out_cstr(out, cell->texts[i]);
    json_out_end_array(out);
}

static void put_json_cell(struct json_out *out, const struct cell *cell)
{
    char text[WHEN_TEXT_BYTES];
    switch (cell->kind) {
    case CELL_NULL:
        json_out_null(out);
        return;
    case CELL_TEXT:
        json_out_cstr(out, cell->text);
        return;
    case CELL_DECIMAL:
        json_out_decimal(out, cell->number);
        return;
    case CELL_TIME:
        when_format(cell->number, text);
        json_out_cstr(out, text);
        return;
    case CELL_TEXTS:
        put_json_texts(out, cell);
        return;
    }
}

static void put_json_member(const struct table *table, const struct table_row *row, size_t column, struct json_out *out)
{
    struct cell cell = get_cell(table, row, table->columns[column].field);
    json_out_name(out, table->columns[column].name);
    put_json_cell(out, &cell);
}

static void put_json_row(const struct table *table, const struct table_row *row, struct json_out *out)
{
    json_out_begin_object(out);
    for (size_t i = 0; i < table->column_count; i++)
        put_json_member(table, row, i, out);
    json_out_end_object(out);
}

static void begin_json(struct table_writer *writer)
{
    json_out_init(&writer->json, writer->buf);
    json_out_begin_object(&writer->json);
    json_out_name(&writer->json, "data");
    if (!writer->table->is_one_row)
        json_out_begin_array(&writer->json);
}

static bool is_measure(enum table_field field)
{
    return field != TABLE_NAME && field != TABLE_FIRST && field != TABLE_LAST;
}

/* The same measures as the rows, without what a row is of, and when it was seen. */
static void put_json_other(struct table_writer *writer, const struct totals *other)
{
    const struct table *table = writer->table;
    struct table_row row = {.totals = *other};
    json_out_name(&writer->json, "other");
    json_out_begin_object(&writer->json);
    for (size_t i = 0; i < table->column_count; i++)
        if (is_measure(table->columns[i].field))
            put_json_member(table, &row, i, &writer->json);
    json_out_end_object(&writer->json);
}

static void end_json(struct table_writer *writer, const struct totals *other, const struct table_number *numbers,
                     size_t number_count)
{
    if (!writer->table->is_one_row)
        json_out_end_array(&writer->json);
    if (other)
        put_json_other(writer, other);
    for (size_t i = 0; i < number_count; i++) {
        json_out_name(&writer->json, numbers[i].name);
        json_out_number(&writer->json, numbers[i].value);
    }
    json_out_end_object(&writer->json);
}

/* ---- CSV ---- */

#define CSV_LINE_END "\r\n"

/* Domains hold no control characters, but may hold spaces and worse; a list of them is for people to read. */
static void put_csv_texts(struct buf *buf, const struct cell *cell)
{
    struct buf joined;
    buf_init(&joined, LIMIT_SAMPLE_DOMAINS * (LIMIT_DOMAIN_BYTES + 1));
    for (size_t i = 0; i < cell->text_count; i++) {
        if (i > 0)
            buf_putc(&joined, ' ');
        buf_puts(&joined, cell->texts[i]);
    }
    if (joined.failed)
        buf->failed = true;
    text_put_csv(buf, (struct slice){joined.data, joined.len});
    buf_release(&joined);
}

static void put_csv_cell(struct buf *buf, const struct cell *cell)
{
    char text[WHEN_TEXT_BYTES];
    switch (cell->kind) {
    case CELL_NULL:
        return;
    case CELL_TEXT:
        text_put_csv(buf, slice_of(cell->text));
        return;
    case CELL_DECIMAL:
        buf_put_i64(buf, cell->number);
        return;
    case CELL_TIME:
        when_format(cell->number, text);
        buf_puts(buf, text);
        return;
    case CELL_TEXTS:
        put_csv_texts(buf, cell);
        return;
    }
}

static void put_csv_names(const struct table *table, struct buf *buf)
{
    for (size_t i = 0; i < table->column_count; i++) {
        buf_puts(buf, i > 0 ? "," : "");
        buf_puts(buf, table->columns[i].name);
    }
    buf_puts(buf, CSV_LINE_END);
}

static void put_csv_row(const struct table *table, const struct table_row *row, struct buf *buf)
{
    for (size_t i = 0; i < table->column_count; i++) {
        struct cell cell = get_cell(table, row, table->columns[i].field);
        buf_puts(buf, i > 0 ? "," : "");
        put_csv_cell(buf, &cell);
    }
    buf_puts(buf, CSV_LINE_END);
}

/* ---- either ---- */

void table_begin(struct table_writer *writer, const struct table *table, bool is_csv, struct buf *buf)
{
    *writer = (struct table_writer){.table = table, .is_csv = is_csv, .buf = buf};
    if (is_csv)
        put_csv_names(table, buf);
    else
        begin_json(writer);
}

void table_put_row(struct table_writer *writer, const struct table_row *row)
{
    if (writer->is_csv)
        put_csv_row(writer->table, row, writer->buf);
    else
        put_json_row(writer->table, row, &writer->json);
}

void table_end(struct table_writer *writer, const struct totals *other, const struct table_number *numbers,
               size_t number_count)
{
    if (!writer->is_csv)
        end_json(writer, other, numbers, number_count);
}
