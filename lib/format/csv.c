/* csv.c: RFC 4180, byte by byte over any split. What the grammar leaves out (a quotation mark inside a cell that does
 * not begin with one, text after the closing mark, a lone carriage return) is refused: whoever wrote it meant something
 * that nobody can know. */
#include "format/csv.h"

#include <string.h>

#include "base/banned.h"

/* What the next byte continues. */
enum {
    START,        /* nothing of the cell is read */
    BARE,         /* a cell without quotation marks */
    QUOTED,       /* inside them */
    QUOTE,        /* after a mark inside: another makes it text, else it was the closing one */
    RETURN,       /* after a carriage return that ends a record: a line feed must come */
    RETURN_EMPTY, /* the same on an empty line */
    FAILED
};

void csv_init(struct csv *csv, size_t max_bytes)
{
    csv->line = csv->at_line = 1;
    csv->cell_count = 0;
    csv->wrong = NULL;
    csv->state = START;
    csv->ended = false;
    csv->max_bytes = max_bytes;
    buf_init(&csv->text, max_bytes);
}

void csv_release(struct csv *csv)
{
    buf_release(&csv->text);
}

struct slice csv_cell(const struct csv *csv, size_t index)
{
    size_t begin = index > 0 ? csv->end[index - 1] : 0;
    return (struct slice){csv->text.data ? csv->text.data + begin : "", csv->end[index] - begin};
}

static enum csv_event fail(struct csv *csv, const char *wrong)
{
    csv->wrong = wrong;
    csv->state = FAILED;
    return CSV_ERROR;
}

static enum csv_event put(struct csv *csv, const char *data, size_t len)
{
    if (len > csv->max_bytes - csv->text.len)
        return fail(csv, "the record is too long: is a quotation mark not closed?");
    buf_put(&csv->text, data, len);
    return csv->text.failed ? fail(csv, "out of memory") : CSV_MORE;
}

static enum csv_event end_cell(struct csv *csv)
{
    if (csv->cell_count == CSV_CELLS)
        return fail(csv, "too many cells in one record");
    csv->end[csv->cell_count++] = csv->text.len;
    csv->state = START;
    return CSV_MORE;
}

static void begin_record(struct csv *csv)
{
    csv->line = csv->at_line;
    csv->cell_count = 0;
    csv->ended = false;
    buf_clear(&csv->text);
}

/* An empty line has no cell, not even an empty one. */
static bool is_empty(const struct csv *csv)
{
    return csv->cell_count == 0 && csv->state == START;
}

/* At a line feed. */
static enum csv_event end_record(struct csv *csv, bool empty)
{
    csv->at_line++;
    if (empty) {
        csv->state = START;
        begin_record(csv);
        return CSV_MORE;
    }
    if (end_cell(csv))
        return CSV_ERROR;
    csv->ended = true;
    return CSV_RECORD;
}

/* A byte outside quotation marks that is not text. */
static enum csv_event read_mark(struct csv *csv, char c)
{
    if (c == ',')
        return end_cell(csv);
    if (c == '\n')
        return end_record(csv, is_empty(csv));
    if (c == '\r')
        csv->state = is_empty(csv) ? RETURN_EMPTY : RETURN;
    else if (csv->state == BARE)
        return fail(csv, "a quotation mark in a cell that does not begin with one");
    else
        csv->state = QUOTED;
    return CSV_MORE;
}

static bool is_mark(char c)
{
    return c == ',' || c == '\n' || c == '\r' || c == '"';
}

/* Text outside quotation marks, up to the next mark. */
static enum csv_event read_bare(struct csv *csv, const char *data, size_t len, size_t *ret_used)
{
    size_t n = 0;
    while (n < len && !is_mark(data[n]))
        n++;
    *ret_used = n > 0 ? n : 1;
    if (n == 0)
        return read_mark(csv, *data);
    csv->state = BARE;
    return put(csv, data, n);
}

/* Text inside them, with its line feeds, up to the next one. */
static enum csv_event read_quoted(struct csv *csv, const char *data, size_t len, size_t *ret_used)
{
    size_t n = 0;
    for (; n < len && data[n] != '"'; n++)
        csv->at_line += data[n] == '\n';
    *ret_used = n < len ? n + 1 : n;
    if (n < len)
        csv->state = QUOTE;
    return n > 0 ? put(csv, data, n) : CSV_MORE;
}

static enum csv_event read_some(struct csv *csv, const char *data, size_t len, size_t *ret_used)
{
    *ret_used = 1;
    switch (csv->state) {
    case START:
    case BARE:
        return read_bare(csv, data, len, ret_used);
    case QUOTED:
        return read_quoted(csv, data, len, ret_used);
    case QUOTE:
        if (*data == '"') {
            csv->state = QUOTED;
            return put(csv, data, 1);
        }
        return is_mark(*data) ? read_mark(csv, *data) : fail(csv, "text after the closing quotation mark");
    case RETURN:
    case RETURN_EMPTY:
        return *data == '\n' ? end_record(csv, csv->state == RETURN_EMPTY)
                             : fail(csv, "a carriage return without a line feed");
    default:
        return CSV_ERROR;
    }
}

enum csv_event csv_feed(struct csv *csv, const char *data, size_t len, size_t *ret_used)
{
    enum csv_event event = csv->state == FAILED ? CSV_ERROR : CSV_MORE;
    if (csv->ended)
        begin_record(csv);
    size_t at = 0, used;
    for (; event == CSV_MORE && at < len; at += used)
        event = read_some(csv, data + at, len - at, &used);
    *ret_used = at;
    return event;
}

enum csv_event csv_finish(struct csv *csv)
{
    if (csv->ended)
        begin_record(csv);
    if (csv->state == FAILED || is_empty(csv))
        return csv->state == FAILED ? CSV_ERROR : CSV_MORE;
    if (csv->state == QUOTED)
        return fail(csv, "the file ends inside quotation marks");
    if (csv->state == RETURN || csv->state == RETURN_EMPTY)
        return fail(csv, "a carriage return without a line feed");
    return end_record(csv, false);
}
