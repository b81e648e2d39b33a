/* test_text.c: text, buf and err. Hostile input first; expected values are written by hand from RFC 3629 and RFC 8259.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "support/runner.h"

#include <stdlib.h>
#include <string.h>

#define BYTES(literal) literal, sizeof(literal) - 1

/* UTF-8 */

static const struct {
    const char *bytes;
    size_t len;
    bool good;
} utf8_rows[] = {
    {BYTES(""), true},
    {BYTES("\0"), true},
    {BYTES("a\0b"), true},
    {BYTES("\x7f"), true},
    {BYTES("\x80"), false},
    {BYTES("\xbf"), false},
    {BYTES("\xc0\x80"), false}, /* overlong NUL */
    {BYTES("\xc0\xaf"), false}, /* overlong '/' */
    {BYTES("\xc1\xbf"), false},
    {BYTES("\xc2"), false},
    {BYTES("\xc2\x7f"), false},
    {BYTES("\xc2\x80"), true},
    {BYTES("\xc2\xc0"), false},
    {BYTES("\xdf\xbf"), true},
    {BYTES("\xe0\x9f\xbf"), false}, /* overlong U+07FF */
    {BYTES("\xe0\xa0\x80"), true},
    {BYTES("\xe0\xa0"), false},
    {BYTES("\xed\x9f\xbf"), true},
    {BYTES("\xed\xa0\x80"), false}, /* U+D800 */
    {BYTES("\xed\xbf\xbf"), false}, /* U+DFFF */
    {BYTES("\xee\x80\x80"), true},
    {BYTES("\xef\xbf\xbf"), true},
    {BYTES("\xef\xbb\xbf"), true},
    {BYTES("\xf0\x8f\xbf\xbf"), false}, /* overlong U+FFFF */
    {BYTES("\xf0\x90\x80\x80"), true},
    {BYTES("\xf0\x90\x80"), false},
    {BYTES("\xf0\x90\x80\x41"), false},
    {BYTES("\xf4\x8f\xbf\xbf"), true},  /* U+10FFFF */
    {BYTES("\xf4\x90\x80\x80"), false}, /* U+110000 */
    {BYTES("\xf5\x80\x80\x80"), false},
    {BYTES("\xff"), false},
    {BYTES("\xfe\xff"), false},
    {BYTES("ok \xd0\xba\xd0\xb8\xd1\x97\xd0\xb2"), true},
    {BYTES("ok \xd0\xba\xd0"), false},
};

START_TEST(utf8)
{
    /* An exact copy on the heap, so that a sanitizer sees a read beyond the end. */
    char *copy = malloc(utf8_rows[_i].len + 1);
    memcpy(copy, utf8_rows[_i].bytes, utf8_rows[_i].len);
    char *exact = realloc(copy, utf8_rows[_i].len ? utf8_rows[_i].len : 1);
    ck_assert_int_eq(text_is_utf8(exact, utf8_rows[_i].len), utf8_rows[_i].good);
    free(exact);
}
END_TEST

static const struct {
    const char *bytes;
    size_t len;
    bool has;
} control_rows[] = {
    {BYTES(""), false},     {BYTES("\0"), true},           {BYTES("a\x1f"), true}, {BYTES(" "), false},
    {BYTES("\x7f"), true},  {BYTES("a\nb"), true},         {BYTES("~"), false},    {BYTES("\xc2\x80"), false},
    {BYTES("\xff"), false}, {BYTES("example.com"), false},
};

START_TEST(control)
{
    ck_assert_int_eq(text_has_control(control_rows[_i].bytes, control_rows[_i].len), control_rows[_i].has);
}
END_TEST

/* Numbers */

static const struct {
    const char *bytes;
    size_t len;
    int64_t min, max;
    bool good;
    int64_t value;
} number_rows[] = {
    {BYTES(""), 0, 9, false, 0},
    {BYTES("-"), -9, 9, false, 0},
    {BYTES("+1"), -9, 9, false, 0},
    {BYTES(" 1"), 0, 9, false, 0},
    {BYTES("1 "), 0, 9, false, 0},
    {BYTES("1\0"), 0, 99, false, 0},
    {BYTES("10x"), 0, 99, false, 0},
    {BYTES("0x1"), 0, 99, false, 0},
    {BYTES("1e3"), 0, 9999, false, 0},
    {BYTES("1.0"), 0, 9, false, 0},
    {BYTES("01"), 0, 9, false, 0},
    {BYTES("00"), 0, 9, false, 0},
    {BYTES("-0"), -9, 9, false, 0},
    {BYTES("-01"), -9, 9, false, 0},
    {BYTES("--1"), -9, 9, false, 0},
    {BYTES("-1"), 0, 9, false, 0},
    {BYTES("/"), 0, 99, false, 0},
    {BYTES(":"), 0, 99, false, 0},
    {BYTES("\xd9\xa1"), 0, 99, false, 0}, /* an Arabic digit */
    {BYTES("0"), 0, 9, true, 0},
    {BYTES("0"), 1, 9, false, 0},
    {BYTES("10"), 1, 9, false, 0},
    {BYTES("9"), 1, 9, true, 9},
    {BYTES("-9"), -9, 9, true, -9},
    {BYTES("-10"), -9, 9, false, 0},
    {BYTES("9223372036854775807"), 0, INT64_MAX, true, INT64_MAX},
    {BYTES("9223372036854775808"), 0, INT64_MAX, false, 0},
    {BYTES("9999999999999999999"), 0, INT64_MAX, false, 0},
    {BYTES("18446744073709551616"), 0, INT64_MAX, false, 0},
    {BYTES("18446744073709551617"), 0, INT64_MAX, false, 0},
    {BYTES("-9223372036854775808"), INT64_MIN, INT64_MAX, true, INT64_MIN},
    {BYTES("-9223372036854775809"), INT64_MIN, INT64_MAX, false, 0},
    {BYTES("00000000000000000001"), 0, 9, false, 0},
};

START_TEST(number)
{
    int64_t value = -77;
    struct slice text = {number_rows[_i].bytes, number_rows[_i].len};
    bool good = text_to_i64(text, number_rows[_i].min, number_rows[_i].max, &value);
    ck_assert_int_eq(good, number_rows[_i].good);
    ck_assert_int_eq(value, good ? number_rows[_i].value : -77);
}
END_TEST

START_TEST(slices)
{
    ck_assert(slice_equals((struct slice){NULL, 0}, ""));
    ck_assert(!slice_equals((struct slice){NULL, 0}, "a"));
    ck_assert(!slice_equals((struct slice){BYTES("a\0")}, "a"));
    ck_assert(slice_equals(slice_of("abc"), "abc"));
    ck_assert(!slice_equals(slice_of("abc"), "abC"));
    ck_assert(slice_equals_nocase(slice_of("aBc-9"), "AbC-9"));
    ck_assert(!slice_equals_nocase(slice_of("["), "{")); /* 0x20 apart, but no letters */
    ck_assert(!slice_equals_nocase(slice_of("@"), "`"));
    ck_assert(!slice_equals_nocase(slice_of("ab"), "abc"));
    ck_assert(!text_to_i64((struct slice){NULL, 0}, 0, 9, &(int64_t){0}));
}
END_TEST

START_TEST(contains_without_case)
{
    ck_assert(slice_contains_nocase(slice_of("WWW.Google.com"), slice_of("oogle.C")));
    ck_assert(slice_contains_nocase(slice_of("aab"), slice_of("AB")));
    ck_assert(slice_contains_nocase(slice_of("ab"), slice_of("ab")));
    ck_assert(slice_contains_nocase(slice_of(""), slice_of("")));
    ck_assert(!slice_contains_nocase(slice_of("ab"), slice_of("abc")));
    ck_assert(!slice_contains_nocase(slice_of("[@"), slice_of("{")));              /* 0x20 apart, but no letters */
    ck_assert(!slice_contains_nocase(slice_of("\xc3\x9c"), slice_of("\xc3\xbc"))); /* U+00DC, U+00FC */
}
END_TEST

START_TEST(lower_and_hex)
{
    char text[] = "AZaz@[`{\xc3\x84\x00Q";
    char hex[9];
    text_lower(text, sizeof text - 1);
    ck_assert_mem_eq(text, "azaz@[`{\xc3\x84\x00q", sizeof text);
    text_hex((const unsigned char *)"\x00\x0f\xf0\xff", 4, hex);
    ck_assert_str_eq(hex, "000ff0ff");
    text_hex(NULL, 0, hex);
    ck_assert_str_eq(hex, "");
}
END_TEST

/* Escaping */

#define U_FFFD "\xef\xbf\xbd"

static const struct {
    const char *bytes;
    size_t len;
    const char *json;
    const char *log;
} escape_rows[] = {
    {BYTES(""), "\"\"", "\"\""},
    {BYTES("plain text"), "\"plain text\"", "\"plain text\""},
    {BYTES("\0"), "\"\\u0000\"", "\"\\u0000\""},
    {BYTES("\"\\/"), "\"\\\"\\\\/\"", "\"\\\"\\\\/\""},
    {BYTES("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"", "\"\\b\\f\\n\\r\\t\""},
    {BYTES("\x01\x1f"), "\"\\u0001\\u001f\"", "\"\\u0001\\u001f\""},
    {BYTES("\x1b[31m"), "\"\\u001b[31m\"", "\"\\u001b[31m\""},
    {BYTES("\x7f"), "\"\x7f\"", "\"\\u007f\""},
    {BYTES("</script>&"), "\"\\u003c/script\\u003e\\u0026\"", "\"</script>&\""},
    {BYTES("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\"", "\"\\u2028\\u2029\""},
    {BYTES("\xe2\x80\xa7"), "\"\xe2\x80\xa7\"", "\"\xe2\x80\xa7\""},
    {BYTES("\xc2\x9b"), "\"\xc2\x9b\"", "\"\\u009b\""}, /* a C1 control: CSI */
    {BYTES("\xe2\x80\xae"
           "abc"),
     "\"\xe2\x80\xae"
     "abc\"",
     "\"\\u202eabc\""}, /* right-to-left override */
    {BYTES("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\"", "\"\xf0\x9f\x98\x80\""},
    {BYTES("\xff"), "\"" U_FFFD "\"", "\"" U_FFFD "\""},
    {BYTES("a\xff"
           "b"),
     "\"a" U_FFFD "b\"", "\"a" U_FFFD "b\""},
    {BYTES("\xc0\xaf"), "\"" U_FFFD U_FFFD "\"", "\"" U_FFFD U_FFFD "\""},
    {BYTES("a\xe2\x82"), "\"a" U_FFFD U_FFFD "\"", "\"a" U_FFFD U_FFFD "\""},
};

START_TEST(escape)
{
    struct buf buf;
    struct slice text = {escape_rows[_i].bytes, escape_rows[_i].len};
    buf_init(&buf, 1000);
    text_put_json(&buf, text);
    ck_assert_str_eq(buf_cstr(&buf), escape_rows[_i].json);
    buf_clear(&buf);
    text_put_log(&buf, text);
    ck_assert_str_eq(buf_cstr(&buf), escape_rows[_i].log);
    buf_release(&buf);
}
END_TEST

START_TEST(escape_nothing)
{
    struct buf buf;
    buf_init(&buf, 1000);
    text_put_json(&buf, (struct slice){NULL, 0});
    ck_assert_str_eq(buf_cstr(&buf), "\"\"");
    buf_release(&buf);
}
END_TEST

/* CSV, RFC 4180 section 2 */

static const struct {
    const char *bytes;
    size_t len;
    const char *csv;
} csv_rows[] = {
    {BYTES(""), ""},
    {BYTES("plain.example"), "plain.example"},
    {BYTES(" a b "), " a b "},
    {BYTES("a,b"), "\"a,b\""},
    {BYTES("\""), "\"\"\"\""},
    {BYTES("say \"x\""), "\"say \"\"x\"\"\""},
    {BYTES("a\nb"), "\"a\nb\""},
    {BYTES("a\rb"), "\"a\rb\""},
    {BYTES("=1+1"), "=1+1"}, /* the data as it is: see SECURITY.md */
    {BYTES("'<\\\t"), "'<\\\t"},
    {BYTES("d\xc3\xbc"), "d\xc3\xbc"},
    {BYTES("\xff,\xc3"), "\"\xef\xbf\xbd,\xef\xbf\xbd\""},
};

START_TEST(csv_fields)
{
    struct buf buf;
    buf_init(&buf, 100);
    text_put_csv(&buf, (struct slice){csv_rows[_i].bytes, csv_rows[_i].len});
    ck_assert_str_eq(buf_cstr(&buf), csv_rows[_i].csv);
    buf_release(&buf);
}
END_TEST

/* The buffer */

START_TEST(buf_ceiling)
{
    struct buf buf;
    buf_init(&buf, 3);
    ck_assert_str_eq(buf_cstr(&buf), "");
    buf_puts(&buf, "abc");
    ck_assert(!buf.failed);
    ck_assert_str_eq(buf_cstr(&buf), "abc"); /* the NUL does not count */
    buf_putc(&buf, 'd');
    ck_assert(buf.failed);
    ck_assert_ptr_null(buf_cstr(&buf));
    buf_clear(&buf);
    buf_puts(&buf, "abcd"); /* all or nothing */
    ck_assert(buf.failed);
    ck_assert_uint_eq(buf.len, 0);
    buf_putc(&buf, 'x'); /* would fit, but the first failure is remembered */
    ck_assert_uint_eq(buf.len, 0);
    buf_release(&buf);
    ck_assert(!buf.failed);
    ck_assert_uint_eq(buf.max, 3);
    buf_release(&buf);
}
END_TEST

START_TEST(buf_extremes)
{
    struct buf buf;
    buf_init(&buf, SIZE_MAX);
    buf_puts(&buf, "x");
    ck_assert_ptr_null(buf_reserve(&buf, SIZE_MAX)); /* would overflow */
    ck_assert(buf.failed);
    buf_release(&buf);
    buf_init(&buf, 0);
    buf_put(&buf, NULL, 0);
    ck_assert_str_eq(buf_cstr(&buf), "");
    buf_putc(&buf, 'x');
    ck_assert(buf.failed);
    buf_release(&buf);
}
END_TEST

START_TEST(buf_growth)
{
    struct buf buf;
    buf_init(&buf, 100000);
    for (int i = 0; i < 100000; i++)
        buf_putc(&buf, (char)('a' + i % 26));
    ck_assert(!buf.failed);
    ck_assert_uint_eq(buf.len, 100000);
    for (int i = 0; i < 100000; i++)
        ck_assert_int_eq(buf.data[i], 'a' + i % 26);
    ck_assert_uint_le(buf.cap, 100001);
    buf_putc(&buf, 'x');
    ck_assert(buf.failed);
    buf_release(&buf);
}
END_TEST

START_TEST(buf_numbers)
{
    struct buf buf;
    buf_init(&buf, 100);
    buf_put_i64(&buf, 0);
    buf_putc(&buf, ' ');
    buf_put_i64(&buf, INT64_MAX);
    buf_putc(&buf, ' ');
    buf_put_i64(&buf, INT64_MIN);
    buf_putc(&buf, ' ');
    buf_put_i64(&buf, -1);
    buf_printf(&buf, " %03d %s", 7, "x");
    ck_assert_str_eq(buf_cstr(&buf), "0 9223372036854775807 -9223372036854775808 -1 007 x");
    buf_printf(&buf, "%0100d", 1);
    ck_assert(buf.failed);
    buf_release(&buf);
}
END_TEST

START_TEST(buf_printf_exact)
{
    struct buf buf;
    buf_init(&buf, 5);
    buf_printf(&buf, "%d", 12345);
    ck_assert_str_eq(buf_cstr(&buf), "12345");
    buf_clear(&buf);
    buf_printf(&buf, "%d", 123456);
    ck_assert(buf.failed);
    buf_release(&buf);
}
END_TEST

START_TEST(buf_reserved_room)
{
    struct buf buf;
    buf_init(&buf, 300);
    char *room = buf_reserve(&buf, 300);
    ck_assert_ptr_nonnull(room);
    memset(room, 'z', 300);
    buf.len += 300;
    ck_assert_uint_eq(strlen(buf_cstr(&buf)), 300);
    ck_assert_ptr_null(buf_reserve(&buf, 1));
    buf_release(&buf);
}
END_TEST

/* Errors */

START_TEST(errors)
{
    ck_assert_str_eq(err_key(OK), "");
    ck_assert_int_eq(err_status(OK), 200);
    ck_assert_str_eq(err_key(ERR_BODY_INVALID), "analytics.body_invalid");
    ck_assert_int_eq(err_status(ERR_BODY_TOO_LARGE), 413);
    ck_assert_str_eq(err_key(ERR_PARAMETER_REQUIRED), "analytics.%s_required");
    ck_assert_int_eq(err_status(ERR_QUERY_TIMEOUT), 503);
    ck_assert_str_eq(err_key(ERR_UNAVAILABLE), "analytics.unavailable");
}
END_TEST

START_TEST(fault_filled)
{
    struct fault fault;
    memset(&fault, 'x', sizeof fault);
    ck_assert_int_eq(fault_set(&fault, ERR_INTERNAL, "%s %d", "no", 5), ERR_INTERNAL);
    ck_assert_int_eq(fault.err, ERR_INTERNAL);
    ck_assert_str_eq(fault.detail, "no 5");
    ck_assert_str_eq(fault.parameter, "");
    fault_set_parameter(&fault, ERR_PARAMETER_INVALID, "order_id", "an integer");
    ck_assert_str_eq(fault.parameter, "order_id");
    ck_assert_str_eq(fault.detail, "an integer");
    fault_set_parameter(&fault, ERR_PARAMETER_REQUIRED, "a_name_that_is_much_longer_than_any", "x");
    ck_assert_uint_eq(strlen(fault.parameter), sizeof fault.parameter - 1);
}
END_TEST

/* Text of every length around the end of `detail`, with characters of every width across it. */
static const char *const wide_characters[] = {"a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

START_TEST(fault_cut)
{
    const char *character = wide_characters[_i];
    for (size_t lead = 240; lead < 260; lead++) {
        char text[300];
        struct fault fault;
        memset(text, 'a', lead);
        text[lead] = '\0';
        fault_set(&fault, ERR_INTERNAL, "%s%s%s", text, character, character);
        size_t len = strlen(fault.detail);
        size_t whole = lead + 2 * strlen(character);
        ck_assert(text_is_utf8(fault.detail, len));
        if (whole < sizeof fault.detail)
            ck_assert_uint_eq(len, whole);
        else
            ck_assert_uint_gt(len, sizeof fault.detail - 1 - strlen(character));
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("text");
    TCase *tc = suite_case(s, "text");
    tcase_add_loop_test(tc, utf8, 0, ROWS(utf8_rows));
    tcase_add_loop_test(tc, control, 0, ROWS(control_rows));
    tcase_add_loop_test(tc, number, 0, ROWS(number_rows));
    tcase_add_loop_test(tc, escape, 0, ROWS(escape_rows));
    tcase_add_test(tc, escape_nothing);
    tcase_add_loop_test(tc, csv_fields, 0, ROWS(csv_rows));
    tcase_add_test(tc, slices);
    tcase_add_test(tc, contains_without_case);
    tcase_add_test(tc, lower_and_hex);
    tc = suite_case(s, "buf");
    tcase_add_test(tc, buf_ceiling);
    tcase_add_test(tc, buf_extremes);
    tcase_add_test(tc, buf_growth);
    tcase_add_test(tc, buf_numbers);
    tcase_add_test(tc, buf_printf_exact);
    tcase_add_test(tc, buf_reserved_room);
    tc = suite_case(s, "err");
    tcase_add_test(tc, errors);
    tcase_add_test(tc, fault_filled);
    tcase_add_loop_test(tc, fault_cut, 0, ROWS(wide_characters));
    return s;
}

int main(void)
{
    return suite_run_together(suite());
}
