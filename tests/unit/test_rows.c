/* test_rows.c: answers of ClickHouse as rows: whole ones, of any layout and length; cut, spoiled and foreign ones are
 * errors. */
#include "store/clickhouse/rows.h"
#include "support/fixture.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As clickhouse-server 18.16 writes it. */
static const char answer[] =
    "{\n\t\"meta\":\n\t[\n\t\t{\n\t\t\t\"name\": \"v\",\n\t\t\t\"type\": \"String\"\n\t\t}\n\t],\n\n"
    "\t\"data\":\n\t[\n\t\t[\"a,]\\\"}\\u00e9\", \"9223372036854775807\", [\"x\", \"y\"]],\n"
    "\t\t[\"\", 5, []]\n\t],\n\n\t\"rows\": 2,\n\n\t\"rows_before_limit_at_least\": 2\n}\n";

static enum err parse(const char *text, size_t bytes, size_t columns, struct rows *ret_rows)
{
    struct fault fault;
    return rows_parse(text, bytes, columns, ret_rows, &fault);
}

/* ---- whole ones ---- */

static void check_values(const struct rows *rows)
{
    struct fault fault;
    const char *text = NULL;
    int64_t number = 0;
    size_t count = 0;
    ck_assert_int_eq(rows_text(rows, 0, 0, &text, &fault), OK);
    ck_assert_str_eq(text, "a,]\"}\xc3\xa9");
    ck_assert_int_eq(rows_i64(rows, 0, 1, &number, &fault), OK);
    ck_assert_int_eq(number, INT64_MAX);
    ck_assert_int_eq(rows_list(rows, 0, 2, &count, &fault), OK);
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(rows_list_text(rows, 0, 2, 1, &text, &fault), OK);
    ck_assert_str_eq(text, "y");
    ck_assert_int_eq(rows_i64(rows, 1, 1, &number, &fault), OK);
    ck_assert_int_eq(number, 5);
    ck_assert_int_eq(rows_i64(rows, 0, 0, &number, &fault), ERR_UNAVAILABLE);
    ck_assert_int_eq(rows_text(rows, 1, 1, &text, &fault), ERR_UNAVAILABLE);
    ck_assert_int_eq(rows_list(rows, 0, 0, &count, &fault), ERR_UNAVAILABLE);
    ck_assert_int_eq(rows_list_text(rows, 0, 2, 2, &text, &fault), ERR_UNAVAILABLE);
}

START_TEST(tells_values)
{
    struct rows rows;
    ck_assert_int_eq(parse(answer, strlen(answer), 3, &rows), OK);
    ck_assert_uint_eq(rows.count, 2);
    check_values(&rows);
    rows_release(&rows);
}
END_TEST

START_TEST(takes_any_layout)
{
    static const char *const layouts[] = {
        "{\"data\":[[1],[2]],\"rows\":2}",
        " { \"rows\" : 2 , \"data\" : [ [ 1 ] , [ 2 ] ] } \r\n\t ",
        "{\"meta\":{\"data\":[[1],[2],[3]]},\"data\":[[1],[2]],\"rows\":2,\"totals\":[]}",
    };
    struct rows rows;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        ck_assert_int_eq(parse(layouts[i], strlen(layouts[i]), 1, &rows), OK);
        ck_assert_uint_eq(rows.count, 2);
        rows_release(&rows);
    }
    ck_assert_int_eq(parse("{\"data\":[],\"rows\":0}", 20, 1, &rows), OK);
    ck_assert_uint_eq(rows.count, 0);
    rows_release(&rows);
}
END_TEST

/* ---- others ---- */

START_TEST(takes_no_part_for_all)
{
    struct rows rows = {0};
    for (size_t bytes = 0; bytes < strlen(answer) - 1; bytes++) { /* the last one is a line's end */
        char *cut = malloc(bytes + 1);                            /* of its own, so that a byte too far is seen */
        memcpy(cut, answer, bytes);
        ck_assert_msg(parse(cut, bytes, 3, &rows) == ERR_UNAVAILABLE, "%zu bytes are taken for an answer", bytes);
        free(cut);
    }
}
END_TEST

START_TEST(takes_nothing_else)
{
    static const char *const others[] = {
        "",
        "Ok.",
        "<html></html>",
        "null",
        "[]",
        "{}",
        "{\"rows\":0}",
        "{\"data\":[]}",
        "{\"data\":null,\"rows\":0}",
        "{\"data\":{},\"rows\":0}",
        "{\"data\":[],\"rows\":1}",
        "{\"data\":[[1]],\"rows\":0}",
        "{\"data\":[[1]],\"rows\":2}",
        "{\"data\":[[1]],\"rows\":null}",
        "{\"data\":[[1],],\"rows\":1}",
        "{\"data\":[[1]] \"rows\":1}",
        "{\"data\":[[1] [2]],\"rows\":2}",
        "{\"data\":[[1,2]],\"rows\":1}",
        "{\"data\":[[]],\"rows\":1}",
        "{\"data\":[1],\"rows\":1}",
        "{\"data\":[[1]],\"rows\":1}}",
        "{\"data\":[[1]],\"rows\":1}{}",
        "{\"data\":[[1]],\"rows\":1}Code: 241, e.displayText() = DB::Exception: Memory limit",
        "{\"data\":[[1]],\"data\":[[1]],\"rows\":1}",
        "{\"data\":[[1]],\"data\":[[1]],\"rows\":2}",
        "{1:[[1]],\"rows\":1}",
        "{\"data\":[[1]],\"rows\":1,}",
    };
    struct rows rows = {0};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        ck_assert_msg(parse(others[i], strlen(others[i]), 1, &rows) == ERR_UNAVAILABLE, "taken: %s", others[i]);
}
END_TEST

/* ---- long ones ---- */

enum { LONG_ROWS = 50000 };

/* `LONG_ROWS` rows of a name, its number, and no samples; owned by the caller. */
static char *make_long(size_t *ret_bytes)
{
    char *text = malloc((size_t)LONG_ROWS * 64 + 100);
    size_t bytes = (size_t)sprintf(text, "{\"data\":[");
    for (int i = 0; i < LONG_ROWS; i++)
        bytes += (size_t)sprintf(text + bytes, "%s[\"site%d.example\",\"%d\",[]]", i ? "," : "", i, i);
    *ret_bytes = bytes + (size_t)sprintf(text + bytes, "],\"rows\":%d}", LONG_ROWS);
    return text;
}

struct seen {
    int64_t count, end; /* `end`: the sink fails there */
    size_t most_bytes;
};

static enum err see(void *ctx, const struct rows *rows, struct fault *fault)
{
    struct seen *seen = ctx;
    int64_t number = -1;
    size_t bytes = mallinfo2().uordblks;
    ck_assert_uint_eq(rows->count, 1);
    ck_assert_int_eq(rows_i64(rows, 0, 1, &number, fault), OK);
    ck_assert_int_eq(number, seen->count);
    seen->most_bytes = bytes > seen->most_bytes ? bytes : seen->most_bytes;
    return ++seen->count == seen->end ? fault_set(fault, ERR_QUERY_TIMEOUT, "enough") : OK;
}

START_TEST(holds_one_row_of_a_long_answer)
{
    struct fault fault;
    size_t bytes = 0;
    char *text = make_long(&bytes);
    struct seen seen = {0};
    size_t before = mallinfo2().uordblks; /* 0 under sanitizers */
    ck_assert_int_eq(rows_each(text, bytes, 3, see, &seen, &fault), OK);
    ck_assert_int_eq(seen.count, LONG_ROWS);
    ck_assert_uint_le(seen.most_bytes, before + 65536);
    seen = (struct seen){.end = 3};
    ck_assert_int_eq(rows_each(text, bytes, 3, see, &seen, &fault), ERR_QUERY_TIMEOUT);
    ck_assert_int_eq(seen.count, 3);
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rows");
    TCase *tcase = suite_case(suite, "rows");
    tcase_add_test(tcase, tells_values);
    tcase_add_test(tcase, takes_any_layout);
    tcase_add_test(tcase, takes_no_part_for_all);
    tcase_add_test(tcase, takes_nothing_else);
    tcase_add_test(tcase, holds_one_row_of_a_long_answer);
    return suite_run_together(suite);
}
