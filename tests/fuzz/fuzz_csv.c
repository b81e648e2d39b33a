/* fuzz_csv.c: comma-separated values. Whatever the bytes, and however they are cut: the records, their lines and the
 * first fault are those of a second reader, which sees the whole text and follows RFC 4180's grammar cell by cell; and
 * what text_put_csv writes is read as the same cells. The first byte is the limit on the bytes of a record.
 *
 * Planted to see it fail, and found: see the end of tests/unit/test_import.sh. */
#include "format/csv.h"
#include "fuzz.h"

#include <stdbool.h>

#define MOST_BYTES 65536u

/* What was read: for each record its line, then its cells, each after its length. */
struct story {
    struct buf text;
    const char *wrong; /* how it ended */
    int64_t wrong_line;
};

static void tell_cell(struct story *story, const char *data, size_t len)
{
    buf_printf(&story->text, "%zu:", len);
    buf_put(&story->text, data, len);
}

/* ---- the reader under test ---- */

static void tell_record(struct story *story, const struct csv *csv)
{
    buf_printf(&story->text, "\nline %lld, %zu cells ", (long long)csv->line, csv->cell_count);
    for (size_t i = 0; i < csv->cell_count; i++)
        tell_cell(story, csv_cell(csv, i).data, csv_cell(csv, i).len);
}

static bool tell_event(struct story *story, const struct csv *csv, enum csv_event event)
{
    if (event == CSV_RECORD)
        tell_record(story, csv);
    if (event != CSV_ERROR)
        return true;
    story->wrong = csv->wrong;
    story->wrong_line = csv->line;
    return false;
}

/* Reads the text in pieces of one to `most` bytes, each a copy of its own. */
static void read_cut(const char *data, size_t len, size_t max_bytes, size_t most, struct story *ret_story)
{
    struct csv csv;
    bool good = true;
    uint32_t chance = fuzz_number(data, len);
    csv_init(&csv, max_bytes);
    for (size_t at = 0; good && at < len;) {
        size_t piece = 1 + (chance = chance * 1664525u + 1013904223u) / 7 % most;
        piece = piece < len - at ? piece : len - at;
        char *copy = fuzz_copy(data + at, piece);
        for (size_t done = 0, used; good && done < piece; done += used)
            good = tell_event(ret_story, &csv, csv_feed(&csv, copy + done, piece - done, &used));
        free(copy);
        at += piece;
    }
    if (good)
        tell_event(ret_story, &csv, csv_finish(&csv));
    csv_release(&csv);
}

/* ---- the second reader ---- */

struct cursor {
    const char *at, *end;
    int64_t line;
    size_t room; /* that this record's cells still have */
    char *cell;  /* the one that was read */
    size_t cell_len;
    const char *wrong;
};

static bool next_is(const struct cursor *cursor, char c)
{
    return cursor->at < cursor->end && *cursor->at == c;
}

static bool keep(struct cursor *cursor, char c)
{
    if (cursor->room == 0)
        cursor->wrong = "the record is too long: is a quotation mark not closed?";
    if (cursor->wrong)
        return false;
    cursor->room--;
    cursor->cell[cursor->cell_len++] = c;
    return true;
}

/* escaped = DQUOTE *(TEXTDATA / COMMA / CR / LF / 2DQUOTE) DQUOTE, without the first mark. */
static void take_escaped(struct cursor *cursor)
{
    while (!cursor->wrong) {
        if (cursor->at == cursor->end) {
            cursor->wrong = "the file ends inside quotation marks";
            return;
        }
        char c = *cursor->at++;
        if (c == '"' && !next_is(cursor, '"'))
            return;
        cursor->at += c == '"';
        cursor->line += c == '\n';
        keep(cursor, c);
    }
}

/* Is this the end of a cell? Sets `wrong` if it must be, but is not. */
static bool at_cell_end(struct cursor *cursor)
{
    if (cursor->at == cursor->end || *cursor->at == ',' || *cursor->at == '\n')
        return true;
    if (*cursor->at != '\r')
        return false;
    if (cursor->end - cursor->at < 2 || cursor->at[1] != '\n')
        cursor->wrong = "a carriage return without a line feed";
    return true;
}

static void take_cell(struct cursor *cursor)
{
    cursor->cell_len = 0;
    if (next_is(cursor, '"')) {
        cursor->at++;
        take_escaped(cursor);
        if (!cursor->wrong && !at_cell_end(cursor))
            cursor->wrong = "text after the closing quotation mark";
        return;
    }
    while (!cursor->wrong && !at_cell_end(cursor)) {
        if (*cursor->at == '"')
            cursor->wrong = "a quotation mark in a cell that does not begin with one";
        else
            keep(cursor, *cursor->at++);
    }
}

/* Moves behind the end of a line; false if there is none here. */
static bool take_line_end(struct cursor *cursor)
{
    if (cursor->end - cursor->at >= 2 && cursor->at[0] == '\r' && cursor->at[1] == '\n')
        cursor->at++;
    if (!next_is(cursor, '\n'))
        return false;
    cursor->at++;
    cursor->line++;
    return true;
}

/* The cells of a record into `cells`; their number, or -1 when something is wrong. */
static int take_cells(struct cursor *cursor, struct story *cells)
{
    for (int count = 1;; count++) {
        take_cell(cursor);
        if (!cursor->wrong && count > (int)CSV_CELLS)
            cursor->wrong = "too many cells in one record";
        if (cursor->wrong)
            return -1;
        tell_cell(cells, cursor->cell, cursor->cell_len);
        if (!next_is(cursor, ','))
            return count;
        cursor->at++;
    }
}

static void read_whole(const char *data, size_t len, size_t max_bytes, struct story *ret_story)
{
    struct cursor cursor = {.at = data, .end = data + len, .line = 1, .cell = malloc(max_bytes + 1)};
    CHECK(cursor.cell);
    while (cursor.at < cursor.end && !cursor.wrong) {
        struct story cells = {.wrong = NULL};
        int64_t line = cursor.line;
        if (take_line_end(&cursor))
            continue;
        cursor.room = max_bytes;
        buf_init(&cells.text, 16u << 20);
        int count = take_cells(&cursor, &cells);
        if (count >= 0) {
            buf_printf(&ret_story->text, "\nline %lld, %d cells ", (long long)line, count);
            buf_put(&ret_story->text, cells.text.data, cells.text.len);
            take_line_end(&cursor);
        }
        ret_story->wrong = cursor.wrong;
        ret_story->wrong_line = line;
        buf_release(&cells.text);
    }
    free(cursor.cell);
}

/* ---- both ---- */

static void check_same(const struct story *a, const struct story *b)
{
    CHECK(a->text.len == b->text.len && (a->text.len == 0 || memcmp(a->text.data, b->text.data, a->text.len) == 0));
    CHECK(!a->wrong == !b->wrong);
    CHECK(!a->wrong || (strcmp(a->wrong, b->wrong) == 0 && a->wrong_line == b->wrong_line));
}

/* Any bytes can be written as a cell. UTF-8 is read again as it was; other bytes come back as some UTF-8. */
static void check_written(const char *data, size_t len)
{
    struct buf text;
    struct csv csv;
    size_t used;
    buf_init(&text, 16u << 20);
    csv_init(&csv, 3 * len + 2);
    buf_puts(&text, "a,");
    text_put_csv(&text, (struct slice){data, len});
    buf_puts(&text, ",b\r\n");
    CHECK(!text.failed && csv_feed(&csv, text.data, text.len, &used) == CSV_RECORD && used == text.len);
    struct slice cell = csv_cell(&csv, 1);
    CHECK(csv.cell_count == 3 && text_is_utf8(cell.data, cell.len));
    if (text_is_utf8(data, len))
        CHECK(cell.len == len && (len == 0 || memcmp(cell.data, data, len) == 0));
    CHECK(csv_finish(&csv) == CSV_MORE);
    csv_release(&csv);
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct story expected = {.wrong = NULL}, found = {.wrong = NULL};
    if (size < 1 || size > MOST_BYTES)
        return 0;
    size_t max_bytes = data[0] == 'x' ? MOST_BYTES : data[0];
    char *text = fuzz_copy(data + 1, size - 1);
    buf_init(&expected.text, 16u << 20);
    buf_init(&found.text, 16u << 20);
    read_whole(text, size - 1, max_bytes, &expected);
    for (size_t most = 1; most <= size; most *= 5) {
        buf_clear(&found.text);
        found.wrong = NULL;
        read_cut(text, size - 1, max_bytes, most, &found);
        check_same(&expected, &found);
    }
    check_written(text, size - 1);
    free(text);
    buf_release(&expected.text);
    buf_release(&found.text);
    return 0;
}
