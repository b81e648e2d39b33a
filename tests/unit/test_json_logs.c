/* test_json_logs.c: request bodies into batches, and the JSON scanner below them. Every body is fed whole and byte by
 * byte, and small ones cut at every place as well; all outcomes must be the same. Whether a row is JSON was decided by
 * RFC 8259; many rows are cases of Seriot's "Parsing JSON is a Minefield". */
#include "format/json_logs.h"
#include "format/json_scan.h"
#include "format/json_walk.h"
#include "support/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BYTES(literal) literal, sizeof(literal) - 1

/* The scanner alone: is it JSON, and where is it wrong? */

#define GOOD SIZE_MAX

static const struct {
    const char *bytes;
    size_t len;
    size_t wrong_at; /* or GOOD */
} scan_rows[] = {
    {BYTES(""), 0},
    {BYTES(" "), 1},
    {BYTES("\0"), 0},
    {BYTES("\xef\xbb\xbf{}"), 0}, /* byte order mark */
    {BYTES("\xff\xfe{\0}\0"), 0},
    {BYTES("{}"), GOOD},
    {BYTES(" \t\r\n{ \t\r\n} \t\r\n"), GOOD},
    {BYTES("\f{}"), 0},
    {BYTES("\v{}"), 0},
    {BYTES("\xc2\xa0{}"), 0}, /* a blank, but none of JSON's */
    {BYTES("{}\0"), 2},
    {BYTES("{}{}"), 2},
    {BYTES("{} 1"), 3},
    {BYTES("[]]"), 2},
    {BYTES("[}"), 1},
    {BYTES("{]"), 1},
    {BYTES("["), 1},
    {BYTES("{"), 1},
    {BYTES("[1"), 2},
    {BYTES("[,"), 1},
    {BYTES("[1,]"), 3},
    {BYTES("[,1]"), 1},
    {BYTES("[1,,2]"), 3},
    {BYTES("[1 2]"), 3},
    {BYTES("[1:2]"), 2},
    {BYTES("{\"a\":1,}"), 7},
    {BYTES("{,}"), 1},
    {BYTES("{\"a\"}"), 4},
    {BYTES("{\"a\",1}"), 4},
    {BYTES("{\"a\":}"), 5},
    {BYTES("{\"a\"::1}"), 5},
    {BYTES("{\"a\":1:2}"), 6},
    {BYTES("{\"a\":1 \"b\":2}"), 7},
    {BYTES("{a:1}"), 1},
    {BYTES("{'a':1}"), 1},
    {BYTES("{1:1}"), 1},
    {BYTES("{null:1}"), 1},
    {BYTES("[1,/**/2]"), 3},
    {BYTES("[1]//"), 3},
    {BYTES("[1]#"), 3},
    {BYTES("{\"\":{\"\":[{\"\":[]}]}}"), GOOD},
    /* literals */
    {BYTES("true"), GOOD},
    {BYTES("false"), GOOD},
    {BYTES("null"), GOOD},
    {BYTES("[true,false,null]"), GOOD},
    {BYTES("tru"), 3},
    {BYTES("truth"), 3},
    {BYTES("trueu"), 4},
    {BYTES("True"), 0},
    {BYTES("NULL"), 0},
    {BYTES("nul"), 3},
    {BYTES("undefined"), 0},
    {BYTES("NaN"), 0},
    {BYTES("nan"), 1},
    {BYTES("Infinity"), 0},
    {BYTES("-Infinity"), 1},
    {BYTES("[-NaN]"), 2},
    {BYTES("[nulll]"), 5},
    /* numbers */
    {BYTES("0"), GOOD},
    {BYTES("-0"), GOOD},
    {BYTES("-0.0"), GOOD},
    {BYTES("9"), GOOD},
    {BYTES("1234567890"), GOOD},
    {BYTES("123456789012345678901234567890"), GOOD},
    {BYTES("1.5"), GOOD},
    {BYTES("0.0000001"), GOOD},
    {BYTES("1e400"), GOOD},
    {BYTES("1E+2"), GOOD},
    {BYTES("1e-0002"), GOOD},
    {BYTES("-1.25e-7"), GOOD},
    {BYTES("0e1"), GOOD},
    {BYTES("-"), 1},
    {BYTES("--1"), 1},
    {BYTES("+1"), 0},
    {BYTES("-+1"), 1},
    {BYTES("00"), 1},
    {BYTES("01"), 1},
    {BYTES("-01"), 2},
    {BYTES("-a"), 1},
    {BYTES("1."), 2},
    {BYTES("[1.]"), 3},
    {BYTES(".5"), 0},
    {BYTES("-.5"), 1},
    {BYTES("1.e1"), 2},
    {BYTES("1.5.5"), 3},
    {BYTES("1e"), 2},
    {BYTES("1e+"), 3},
    {BYTES("1e+-1"), 3},
    {BYTES("1e1.5"), 3},
    {BYTES("1e1e1"), 3},
    {BYTES("0x1F"), 1},
    {BYTES("1_000"), 1},
    {BYTES("1,000"), 1},
    {BYTES("1-1"), 1},
    {BYTES("1+1"), 1},
    {BYTES("1a"), 1},
    {BYTES("1\0"), 1},
    {BYTES("[1\xff]"), 2},
    {BYTES("\xef\xbc\x91"), 0}, /* a full-width 1 */
    /* strings */
    {BYTES("\""), 1},
    {BYTES("\"a"), 2},
    {BYTES("\"\""), GOOD},
    {BYTES("\"\"\""), 2},
    {BYTES("'a'"), 0},
    {BYTES("\"\x7f\""), GOOD},
    {BYTES("\"\0\""), 1},
    {BYTES("\"a\0b\""), 2},
    {BYTES("\"\x1f\""), 1},
    {BYTES("\"\n\""), 1},
    {BYTES("\"\t\""), 1},
    {BYTES("\"1234567\t\""), 8},
    {BYTES("\"12345678901234\x01\""), 15},
    {BYTES("\"1234567890123456\""), GOOD},
    {BYTES("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\""), GOOD},
    {BYTES("\"\\"), 2},
    {BYTES("\"\\\""), 3},
    {BYTES("\"\\x41\""), 2},
    {BYTES("\"\\U0041\""), 2},
    {BYTES("\"\\'\""), 2},
    {BYTES("\"\\0\""), 2},
    {BYTES("\"\\a\""), 2},
    {BYTES("\"\\\0\""), 2},
    {BYTES("\"\\\xc3\xa9\""), 2},
    {BYTES("\"\\u0041\""), GOOD},
    {BYTES("\"\\u0000\""), GOOD},
    {BYTES("\"\\uAbCd\""), GOOD},
    {BYTES("\"\\uFFFF\""), GOOD},
    {BYTES("\"\\u\""), 3},
    {BYTES("\"\\u00\""), 5},
    {BYTES("\"\\u004\""), 6},
    {BYTES("\"\\u004G\""), 6},
    {BYTES("\"\\u 041\""), 3},
    {BYTES("\"\\u+041\""), 3},
    {BYTES("\"\\u00"), 5},
    {BYTES("\"\\u004\xc3\xa9\""), 6},
    {BYTES("\"\\u00@1\""), 5},
    {BYTES("\"\\u00`1\""), 5},
    {BYTES("\"\\u00:1\""), 5},
    /* surrogates */
    {BYTES("\"\\uD83D\\uDE00\""), GOOD},
    {BYTES("\"\\ud800\\udc00\\uDBFF\\uDFFF\""), GOOD},
    {BYTES("\"\\uD83D\""), 7},
    {BYTES("\"\\uD83Dx\""), 7},
    {BYTES("\"\\uD83D\\n\""), 8},
    {BYTES("\"\\uD83D\\u0041\""), 12},
    {BYTES("\"\\uD83D\\uD83D\""), 12},
    {BYTES("\"\\uD83D\\uE000\""), 12},
    {BYTES("\"\\uDE00\""), 6},
    {BYTES("\"\\uDE00\\uD83D\""), 6},
    {BYTES("\"\\uD83D"), 7},
    {BYTES("\"\\uD83D\\"), 8},
    {BYTES("\"\\uD83D\\u"), 9},
    {BYTES("\"\\uD83D\\uDE0"), 12},
    /* UTF-8 */
    {BYTES("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""), GOOD},
    {BYTES("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\""), GOOD},
    {BYTES("\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\""), GOOD},
    {BYTES("\"\x80\""), 1},
    {BYTES("\"\xbf\""), 1},
    {BYTES("\"\xc0\x80\""), 1}, /* overlong NUL */
    {BYTES("\"\xc0\xaf\""), 1},
    {BYTES("\"\xc1\xbf\""), 1},
    {BYTES("\"\xe0\x80\xaf\""), 2},
    {BYTES("\"\xe0\x9f\xbf\""), 2},
    {BYTES("\"\xf0\x80\x80\xaf\""), 2},
    {BYTES("\"\xf0\x8f\xbf\xbf\""), 2},
    {BYTES("\"\xed\xa0\x80\""), 2}, /* a surrogate */
    {BYTES("\"\xed\xbf\xbf\""), 2},
    {BYTES("\"\xf4\x90\x80\x80\""), 2},
    {BYTES("\"\xf5\x80\x80\x80\""), 1},
    {BYTES("\"\xff\""), 1},
    {BYTES("\"\xc3\""), 2},
    {BYTES("\"\xc3"), 2},
    {BYTES("\"\xe2\x82\""), 3},
    {BYTES("\"\xf0\x9f\x98\""), 4},
    {BYTES("\"\xf0\x9f\x98"), 4},
    {BYTES("\"\xe2\x82\xac\xac\""), 4},
    {BYTES("\"1234567\xff\""), 8},
    {BYTES("{\"\xff\":1}"), 2},
};

/* Feeds a text in pieces of `piece` bytes. Returns the place of its fault, or GOOD. Each piece is copied to memory of
 * its size, so that a sanitizer sees a read beyond it. */
static size_t scan(const char *text, size_t len, size_t first, size_t piece, unsigned watch)
{
    struct json_scan scan;
    json_scan_init(&scan, watch);
    for (size_t at = 0, used; at < len; at += used) {
        size_t here = at < first ? first - at : piece;
        here = here < len - at ? here : len - at;
        char *exact = malloc(here);
        memcpy(exact, text + at, here);
        enum json_event event = json_scan_feed(&scan, exact, here, &used);
        free(exact);
        ck_assert_uint_le(used, here);
        if (event == JSON_ERROR) {
            ck_assert_uint_gt(strlen(scan.expected), 2);
            ck_assert_int_eq(json_scan_feed(&scan, "1", 1, &used), JSON_ERROR); /* an error stays an error */
            ck_assert(!json_scan_finish(&scan));
            return scan.offset;
        }
        ck_assert(event != JSON_MORE || used == here);
    }
    if (json_scan_finish(&scan))
        return GOOD;
    ck_assert_uint_gt(strlen(scan.expected), 2);
    return scan.offset;
}

START_TEST(scanner)
{
    const char *text = scan_rows[_i].bytes;
    size_t len = scan_rows[_i].len;
    for (unsigned watch = 0; watch < 4; watch++) {
        ck_assert_uint_eq(scan(text, len, 0, SIZE_MAX, watch), scan_rows[_i].wrong_at);
        ck_assert_uint_eq(scan(text, len, 0, 1, watch), scan_rows[_i].wrong_at);
        for (size_t cut = 1; cut < len; cut++)
            ck_assert_uint_eq(scan(text, len, cut, SIZE_MAX, watch), scan_rows[_i].wrong_at);
    }
}
END_TEST

/* Every byte at every place of a string: the scanner reads eight bytes at once, and must see each of them. */
START_TEST(scanner_bytes)
{
    for (unsigned byte = 0; byte < 256; byte++)
        for (size_t place = 1; place <= 20; place++) {
            char text[30] = "\"abcdefghijklmnopqrstuvwxyz\"";
            size_t wanted = byte < 0x20 || byte >= 0x80 ? place : GOOD;
            text[place] = (char)byte;
            if (byte == '"')
                wanted = place + 1;
            if (byte == '\\') /* the letter after it is an escape or wrong */
                wanted = strchr("bfnrt", text[place + 1]) ? GOOD : text[place + 1] == 'u' ? place + 2 : place + 1;
            if (byte >= 0xc2 && byte <= 0xf4) /* the letter after it is no second byte */
                wanted = place + 1;
            ck_assert_uint_eq(scan(text, 28, 0, SIZE_MAX, 0), wanted);
        }
}
END_TEST

START_TEST(scanner_depth)
{
    char text[200];
    for (int square = 0; square < 2; square++) {
        const char *opening = square ? "[" : "{\"\":";
        size_t len = 0;
        for (unsigned i = 0; i < LIMIT_JSON_DEPTH; i++, len += strlen(opening))
            memcpy(text + len, opening, strlen(opening));
        text[len] = '1';
        memset(text + len + 1, square ? ']' : '}', LIMIT_JSON_DEPTH);
        ck_assert_uint_eq(scan(text, len + 1 + LIMIT_JSON_DEPTH, 0, 1, 2), GOOD);
        text[len] = '[';
        ck_assert_uint_eq(scan(text, len + 1, 0, 1, 2), len);
        ck_assert_uint_eq(scan(text, len + 1, 0, SIZE_MAX, 40), len);
    }
}
END_TEST

/* All strings of up to 4 bytes over a small alphabet: whole, and cut at every place. */
START_TEST(scanner_splits)
{
    static const char alphabet[] = "{}[]\",:\\u0D-1.e \xc3\xa9n";
    size_t letters = sizeof alphabet - 1;
    for (size_t n = 0; n < letters * letters * letters * letters; n++) {
        char text[4];
        size_t rest = n;
        for (size_t i = 0; i < 4; i++, rest /= letters)
            text[i] = alphabet[rest % letters];
        struct json_scan whole, bytes;
        size_t used = 0, at = 0;
        json_scan_init(&whole, 0);
        json_scan_init(&bytes, 0);
        while (at < 4 && json_scan_feed(&whole, text + at, 4 - at, &used) != JSON_ERROR)
            at += used;
        for (at = 0; at < 4; at += used)
            if (json_scan_feed(&bytes, text + at, 1, &used) == JSON_ERROR)
                break;
        bool whole_good = json_scan_finish(&whole);
        if (whole.offset != bytes.offset || whole_good != json_scan_finish(&bytes) || whole.expected != bytes.expected)
            ck_abort_msg("%.4s", text);
    }
}
END_TEST

/* The events of the scanner, as text: names, values, brackets of the next level. */
static const struct {
    const char *text;
    unsigned watch;
    const char *events;
} event_rows[] = {
    {"1", 0, "<1 >"},
    {"[1,[2]]", 0, "<[ ( ) >"},
    {"[1,[2,[]]]", 1, "<[ <1 > <[ ( ) > >"},
    {"{\"a\":\"b\"}", 0, "<{ >"},
    {"{\"a\":\"b\"}", 1, "<{ a <\" > >"},
    {"{\"a\":{\"b\":1,\"c\":[-0],\"b\":{}}}", 1, "<{ a <{ ( ) ( ) > >"},
    {"{\"\\u006c\\u006f\\u0067s\":-0}", 0, "<{ >"},
    {"{\"\\u006c\\u006f\\u0067s\":-0}", 1, "<{ logs <- > >"},
    {"[-0,-0.0,-0e1,0,-1,[-0]]", 0, "<[ ( ) >"},
    {"{\"123456789\":1}", 1, "<{ 12345678+1 <1 > >"},
    {"{\"\":1}", 1, "<{  <1 > >"},
    {"{\"l\xc3\xa9gs\":\"\\u0000\"}", 1, "<{ l\xff\xffgs <\" > >"},
    {"{\"\\u00e9\\ud83d\\ude00\":1}", 1, "<{ \xff\xff\xff <1 > >"},
    {"[\"\\u0000\",1]", 1, "<[ <\" > <1 > >"},
    {"{\"a\\u0000\":[]}", 0, "<{ ( ) >"},
};

static size_t put_event(char *at, enum json_event event, const struct json_scan *scan)
{
    size_t shown = scan->name_len < JSON_NAME_BYTES ? scan->name_len : JSON_NAME_BYTES;
    switch (event) {
    case JSON_NAME:
        if (scan->name_len > JSON_NAME_BYTES)
            return (size_t)sprintf(at, "%.*s+%zu ", (int)shown, scan->name, scan->name_len - shown);
        return (size_t)sprintf(at, "%.*s ", (int)shown, scan->name);
    case JSON_BEGIN:
        return (size_t)sprintf(at, "<%c ", scan->kind);
    case JSON_END:
        return (size_t)sprintf(at, "> ");
    case JSON_NEST:
        return (size_t)sprintf(at, "( ");
    case JSON_UNNEST:
        return (size_t)sprintf(at, ") ");
    case JSON_MORE:
    case JSON_ERROR:
        return 0;
    }
    return 0;
}

START_TEST(events)
{
    const char *text = event_rows[_i].text;
    size_t len = strlen(text);
    for (size_t piece = 1; piece <= len; piece++) {
        char told[200] = "";
        size_t told_len = 0;
        struct json_scan scan;
        json_scan_init(&scan, event_rows[_i].watch);
        for (size_t at = 0, used; at < len; at += used) {
            enum json_event event = json_scan_feed(&scan, text + at, piece < len - at ? piece : len - at, &used);
            ck_assert_int_ne(event, JSON_ERROR);
            told_len += put_event(told + told_len, event, &scan);
        }
        ck_assert(json_scan_finish(&scan));
        /* A number ends only with the text here, so no event tells its end. */
        if (_i > 0)
            told[told_len - 1] = '\0';
        ck_assert_str_eq(told, _i > 0 ? event_rows[_i].events : "<1 ");
    }
}
END_TEST

/* Members of sound text */

static const struct {
    const char *object;
    const char *members; /* name, kind, value, name, … */
} walk_rows[] = {
    {"{}", ""},
    {" { } ", ""},
    {"{\"a\":1}", "a#1 "},
    {"{ \"a\" : 1 , \"b\" : \"x\" }", "a#1 b$x "},
    {"{\"a\":-0,\"b\":1.5e+3,\"c\":0}", "a#-0 b#1.5e+3 c#0 "},
    {"{\"a\":true,\"b\":null,\"c\":[],\"d\":{},\"e\":false}", "a? b? c? d? e? "},
    {"{\"a\":{},\"b\":[] ,\"c\":{}\n}", "a? b? c? "},
    {"{\"\":\"\",\"a,b:{}\":\"},[]:\"}", "$ a,b:{}$},[]: "},
    {"{\"a\\\"b\":\"c\\\\\",\"d\":\"\\\"\"}", "a\\\"b$c\\\\ d$\\\" "},
};

START_TEST(walk)
{
    static const char marks[] = {[JSON_KIND_STRING] = '$', [JSON_KIND_NUMBER] = '#', [JSON_KIND_OTHER] = '?'};
    char told[200] = "";
    struct json_walk at;
    struct json_member member;
    json_walk_begin(&at, slice_of(walk_rows[_i].object));
    while (json_walk_next(&at, &member))
        sprintf(told + strlen(told), "%.*s%c%.*s ", (int)member.name.raw.len, member.name.raw.data, marks[member.kind],
                (int)member.value.raw.len, member.value.raw.data);
    ck_assert_str_eq(told, walk_rows[_i].members);
}
END_TEST

static const struct {
    const char *raw;
    const char *bytes;
    size_t len;
} unescape_rows[] = {
    {"", BYTES("")},
    {"plain \xc3\xa9", BYTES("plain \xc3\xa9")},
    {"\\\"\\\\\\/\\b\\f\\n\\r\\t", BYTES("\"\\/\b\f\n\r\t")},
    {"a\\u0000b", BYTES("a\0b")},
    {"\\u0041\\u007f\\u0080\\u07ff\\u0800\\uFFFF", BYTES("A\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf")},
    {"\\ud800\\udc00\\uDBFF\\uDFFF", BYTES("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
    {"\\\\u0041", BYTES("\\u0041")},
    {"\\ud936\\udc00", BYTES("\xf1\x9d\xa0\x80")}, /* its lower 16 bits look like half a pair: U+FFFD to json-c 0.16 */
};

START_TEST(unescape)
{
    char text[100];
    size_t len = json_unescape(slice_of(unescape_rows[_i].raw), text);
    ck_assert_uint_eq(len, unescape_rows[_i].len);
    ck_assert_mem_eq(text, unescape_rows[_i].bytes, len);
}
END_TEST

/* Bodies */

struct outcome {
    enum err err;
    char detail[256];
    uint32_t logs;
    uint32_t shown;
    uint64_t total;
    struct log_fault faults[LIMIT_LOG_ERRORS];
    struct log_record first; /* the first log, if it is good */
    char domain[LIMIT_DOMAIN_BYTES + 1];
};

/* The first piece has `first` bytes, the others `piece`. */
static void run(const char *body, size_t len, size_t first, size_t piece, struct outcome *ret)
{
    struct batch_budget budget = {0, LIMIT_BATCH_MEMORY_BYTES};
    struct batch batch;
    struct fault fault = {0};
    batch_init(&batch, &budget);
    struct json_logs *reader = json_logs_open(&batch);
    ck_assert_ptr_nonnull(reader);
    memset(ret, 0, sizeof *ret);
    for (size_t at = 0, here; at < len && !ret->err; at += here) {
        here = at < first ? first - at : piece;
        here = here < len - at ? here : len - at;
        ret->err = json_logs_feed(reader, body + at, here, &fault);
    }
    if (ret->err) /* an error stays the same error */
        ck_assert_int_eq(json_logs_feed(reader, " ", 1, &fault), ret->err);
    enum err end = json_logs_finish(reader, &fault);
    ck_assert(!ret->err || end == ret->err);
    ret->err = end;
    ck_assert_int_eq(fault.err, ret->err);
    memcpy(ret->detail, fault.detail, sizeof ret->detail);
    const struct log_fault *faults = json_logs_faults(reader, &ret->shown, &ret->total);
    memcpy(ret->faults, faults, ret->shown * sizeof *faults);
    ret->logs = batch.log_count;
    if (ret->err == OK && batch.log_count > 0) {
        ret->first = batch.logs[0];
        struct slice domain = batch_name(&batch, batch.logs[0].name[NAME_DOMAIN]);
        memcpy(ret->domain, domain.data, domain.len);
    }
    json_logs_close(reader);
    batch_release(&batch);
    ck_assert_uint_eq(budget.used_bytes, 0);
}

static void check_same(const struct outcome *one, const struct outcome *other)
{
    ck_assert_int_eq(one->err, other->err);
    ck_assert_str_eq(one->detail, other->detail);
    ck_assert_uint_eq(one->total, other->total);
    ck_assert_uint_eq(one->shown, other->shown);
    ck_assert(one->err || one->logs == other->logs);
    ck_assert_mem_eq(one->faults, other->faults, sizeof one->faults);
    ck_assert_mem_eq(&one->first, &other->first, sizeof one->first);
    ck_assert_str_eq(one->domain, other->domain);
}

/* Feeds the body whole, byte by byte and, if it is small, cut in two at every place. */
static void run_all(const char *body, size_t len, struct outcome *ret)
{
    struct outcome other;
    run(body, len, 0, SIZE_MAX, ret);
    run(body, len, 0, 1, &other);
    check_same(ret, &other);
    for (size_t cut = 1; cut < len && len < 600; cut++) {
        run(body, len, cut, SIZE_MAX, &other);
        check_same(ret, &other);
    }
}

/* The members that a log must have. */
#define LEAST "\"ts\":\"2026-03-15 10:15:00\",\"user_id\":1,\"order_id\":3,\"domain\":\"google.com\",\"count\":12"
#define LOG "{" LEAST "}"

static const struct {
    const char *bytes;
    size_t len;
    enum err err;
    const char *detail; /* part of it */
} body_rows[] = {
    {BYTES(""), ERR_BODY_INVALID, "byte 0:"},
    {BYTES(" "), ERR_BODY_INVALID, "byte 1:"},
    {BYTES("\0"), ERR_BODY_INVALID, "byte 0: expected an object"},
    {BYTES("{"), ERR_BODY_INVALID, "byte 1: the body ends here"},
    {BYTES("[]"), ERR_BODY_INVALID, "byte 0: expected an object"},
    {BYTES("1"), ERR_BODY_INVALID, "byte 0: expected an object"},
    {BYTES("null"), ERR_BODY_INVALID, "byte 0: expected an object"},
    {BYTES("\"logs\""), ERR_BODY_INVALID, "byte 0: expected an object"},
    /* what people send instead of a body */
    {BYTES("\xef\xbb\xbf{\"logs\":[]}"), OK, ""}, /* a byte order mark */
    {BYTES("\xef\xbb\xbf{\"logs\":x}"), ERR_BODY_INVALID, "byte 11: expected"},
    {BYTES("\xef\xbb{\"logs\":[]}"), ERR_BODY_INVALID, "byte 0: expected"},
    {BYTES("\xef{\"logs\":[]}"), ERR_BODY_INVALID, "byte 0: expected"},
    {BYTES("\xef\xbb\xbf\xef\xbb\xbf{\"logs\":[]}"), ERR_BODY_INVALID, "byte 3: expected"},
    {BYTES("\xef\xbb"), ERR_BODY_INVALID, "byte 0: expected"},
    {BYTES("\xff\xfe{\0\"\0"), ERR_BODY_INVALID, "UTF-16"},
    {BYTES("\xfe\xff\0{\0\""), ERR_BODY_INVALID, "UTF-16"},
    {BYTES("{\0\"\0"), ERR_BODY_INVALID, "UTF-16"},
    {BYTES("\0{\0\""), ERR_BODY_INVALID, "UTF-16"},
    {BYTES("\x1f\x8b\x08\0\0"), ERR_BODY_INVALID, "Content-Encoding: gzip"},
    {BYTES("[" LOG "]"), ERR_BODY_INVALID, "the body is an array"},
    {BYTES(LOG "\n" LOG "\n"), ERR_BODY_INVALID, "the body is NDJSON"},
    {BYTES("{\"logs\":[]}\n{\"logs\":[]}"), ERR_BODY_INVALID, "byte 12: expected"},
    {BYTES("{}"), ERR_BODY_INVALID, "byte 1: expected a member \"logs\""},
    {BYTES("{\"log\":[]}\n"), ERR_BODY_INVALID, "byte 9: expected a member \"logs\""},
    {BYTES("{\"Logs\":[]}"), ERR_BODY_INVALID, "a member \"logs\""},
    {BYTES("{\"logsx\":[]}"), ERR_BODY_INVALID, "a member \"logs\""},
    {BYTES("{\"logs\\u0000\":[]}"), ERR_BODY_INVALID, "a member \"logs\""},
    {BYTES("{\"a\":{\"logs\":[]}}"), ERR_BODY_INVALID, "a member \"logs\""},
    {BYTES("{\"a\":\"logs\"}"), ERR_BODY_INVALID, "a member \"logs\""},
    {BYTES("{\"logs\":{}}"), ERR_BODY_INVALID, "byte 8: expected an array"},
    {BYTES("{\"logs\":null}"), ERR_BODY_INVALID, "byte 8: expected an array"},
    {BYTES("{\"logs\":\"\"}"), ERR_BODY_INVALID, "byte 8: expected an array"},
    {BYTES("{\"logs\":[]}"), OK, ""},
    {BYTES(" \t\r\n{ \"logs\" : [ ] } \t\r\n"), OK, ""},
    {BYTES("{\"logs\":[" LOG "]}"), OK, ""},
    {BYTES("{\"logs\":[ " LOG " , " LOG " ]}"), OK, ""},
    {BYTES("{\"\\u006cogs\":[" LOG "]}"), OK, ""},
    {BYTES("{\"\\u006C\\u006f\\u0067\\u0073\":[]}"), OK, ""},
    {BYTES("{\"logs\":[],\"logs\":[]}"), ERR_BODY_INVALID, "byte 17: expected only one member \"logs\""},
    {BYTES("{\"logs\":[],\"l\\u006fgs\":1}"), ERR_BODY_INVALID, "only one member \"logs\""},
    {BYTES("{\"logs\":[]}{}"), ERR_BODY_INVALID, "byte 11: expected nothing more"},
    {BYTES("{\"logs\":[]}\0"), ERR_BODY_INVALID, "byte 11: expected nothing more"},
    {BYTES("{\"logs\":[]},"), ERR_BODY_INVALID, "byte 11: expected nothing more"},
    {BYTES("{\"logs\":[]"), ERR_BODY_INVALID, "byte 10: the body ends here, expected ',' or '}'"},
    {BYTES("{\"logs\":[" LOG), ERR_BODY_INVALID, "the body ends here, expected ',' or ']'"},
    {BYTES("{\"logs\":[" LOG ",]}"), ERR_BODY_INVALID, "expected a JSON value"},
    {BYTES("{\"logs\":[{]}"), ERR_BODY_INVALID, "byte 10: expected a name"},
    {BYTES("{\"logs\":[{\"x\":NaN}]}"), ERR_BODY_INVALID, "byte 14: expected a JSON value"},
    {BYTES("{\"logs\":[{\"x\":-Infinity}]}"), ERR_BODY_INVALID, "byte 15: expected a digit"},
    {BYTES("{\"logs\":[{\"x\":-01}]}"), ERR_BODY_INVALID, "byte 16:"},
    {BYTES("{\"logs\":[{\"x\":1.}]}"), ERR_BODY_INVALID, "byte 16:"},
    {BYTES("{\"logs\":[{\"x\":\"\xc0\x80\"}]}"), ERR_BODY_INVALID, "byte 15: expected valid UTF-8"},
    {BYTES("{\"logs\":[{\"x\":\"\x01\"}]}"), ERR_BODY_INVALID, "byte 15:"},
    {BYTES("{\"logs\":[{\"x\":\"\\ud800\"}]}"), ERR_BODY_INVALID, "byte 21:"},
    {BYTES("{\"logs\":[{\"\\udc00\":1}]}"), ERR_BODY_INVALID, "byte 16:"},
    {BYTES("{\"logs\":[5],\"x\":[}"), ERR_BODY_INVALID, "byte 17:"}, /* whatever the logs are */
    {BYTES("{\"a\":1,\"b\":[[],{},{\"logs\":[1]}],\"logs\":[" LOG "],\"c\":{\"d\":\"\\u0000\"},\"\\u0000\":-0}"), OK,
     ""},
    {BYTES("{\"a\":NaN,\"logs\":[]}"), ERR_BODY_INVALID, "byte 5:"},
    {BYTES("{\"logs\":[]}\xff"), ERR_BODY_INVALID, "byte 11:"},
};

START_TEST(body_row)
{
    struct outcome outcome;
    run_all(body_rows[_i].bytes, body_rows[_i].len, &outcome);
    ck_assert_int_eq(outcome.err, body_rows[_i].err);
    ck_assert_msg(strstr(outcome.detail, body_rows[_i].detail) != NULL, "%s", outcome.detail);
}
END_TEST

/* Logs */

#define INTEGER_0 "must be an integer from 0 to 9007199254740991"
#define INTEGER_1 "must be an integer from 1 to 9007199254740991"
#define TWICE "stands twice"
#define HAS_NUL "must not contain the NUL character, \\u0000"
#define STRING "must be a string"
#define TIME "must be a date and time such as 2026-03-15 10:15:00, but is "
#define RESEMBLES(spelling) "is missing; '" spelling "' is probably meant to be it"
#define ADDRESS "must be an IPv4 or IPv6 address, or empty"
#define NO_OBJECT "must be an object"

/* A log in which one member is added or takes the place of another; NULL for a good log, else what is refused. */
static const struct {
    const char *log;
    const char *field;
    const char *message;
} log_rows[] = {
    {"{}", "ts", "is required"},
    {"5", "", NO_OBJECT},
    {"-0", "", NO_OBJECT},
    {"null", "", NO_OBJECT},
    {"true", "", NO_OBJECT},
    {"[]", "", NO_OBJECT},
    {"[[[]],{}]", "", NO_OBJECT},
    {"[" LOG "]", "", NO_OBJECT},
    {"\"{}\"", "", NO_OBJECT},
    {"\"\\u0000\"", "", NO_OBJECT},
    {LOG, NULL, NULL},
    /* equal names */
    {"{" LEAST ",\"count\":12}", "count", TWICE},
    {"{" LEAST ",\"c\\u006funt\":12}", "count", TWICE},
    {"{\"c\\u006fun\\u0074\":12," LEAST "}", "count", TWICE},
    {"{" LEAST ",\"x\":1,\"x\":1}", NULL, NULL}, /* an unknown member */
    {"{" LEAST ",\"\":1,\"\":1}", NULL, NULL},
    {"{" LEAST ",\"x\":{\"y\":1,\"y\":1}}", NULL, NULL}, /* within an unknown member */
    {"{" LEAST ",\"Count\":0}", NULL, NULL},             /* another spelling of a member that is there */
    {"{" LEAST ",\"bytesSent\":5}", "bytes_sent", RESEMBLES("bytesSent")},
    {"{" LEAST ",\"BYTES-SENT\":5}", "bytes_sent", RESEMBLES("BYTES-SENT")},
    {"{\"bytesSent\":5," LEAST ",\"bytes_sent\":5}", NULL, NULL},
    {"{" LEAST ",\"bytes\":5,\"sent\":6,\"bytes_send\":7}", NULL, NULL}, /* other words */
    /* NUL */
    {"{" LEAST ",\"x\":\"\\u0000\"}", NULL, NULL}, /* an unknown member */
    {"{" LEAST ",\"x\\u0000\":1}", NULL, NULL},
    {"{" LEAST ",\"count\\u0000\":5}", NULL, NULL}, /* another name than count */
    {"{" LEAST ",\"error\\u0000\":5}", NULL, NULL},
    {"{" LEAST ",\"error\":\"a\\u0000b\"}", "error", HAS_NUL},
    {"{" LEAST ",\"x\":[[\"\\u0000\"]]}", NULL, NULL},
    {"{" LEAST ",\"error\":\"\\\\u0000\"}", NULL, NULL}, /* a backslash, then text */
    /* unknown members */
    {"{" LEAST ",\"x\":[1,[2,{\"y\":[]}],\"z\"],\"y\":{\"a\":{}},\"z\":-0,\"\":null,\"w\":1e400,\"v\":[-0]}", NULL,
     NULL},
    {"{\"x\":{},\"y\":[{}],\"z\":\"\\ud83d\\ude00\"," LEAST "}", NULL, NULL},
    /* integers */
    {"{" LEAST ",\"bytes_sent\":0}", NULL, NULL},
    {"{" LEAST ",\"bytes_sent\":9007199254740991}", NULL, NULL},
    {"{" LEAST ",\"bytes_sent\":9007199254740992}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":9223372036854775807}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":9223372036854775808}", "bytes_sent", INTEGER_0}, /* 2^63 */
    {"{" LEAST ",\"bytes_sent\":18446744073709551615}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":18446744073709551616}", "bytes_sent", INTEGER_0}, /* 2^64 */
    {"{" LEAST ",\"bytes_sent\":18446744073709551617}", "bytes_sent", INTEGER_0}, /* 2^64 + 1: 1 if it wrapped */
    {"{" LEAST ",\"bytes_sent\":100000000000000000000000000000000000000000}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":-1}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":-9223372036854775808}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":-9223372036854775809}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":-18446744073709551617}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":-0}", "bytes_sent", INTEGER_0},
    {"{\"bytes_sent\":-0 , " LEAST "}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":0.0}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":1.0}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":1e3}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":1E0}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":1e400}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":-1e400}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":true}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":null}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":\"5\"}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":\"\"}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":[]}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":[5]}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_sent\":{}}", "bytes_sent", INTEGER_0},
    {"{" LEAST ",\"bytes_received\":-1}", "bytes_received", INTEGER_0},
    {"{" LEAST ",\"error_count\":-1}", "error_count", INTEGER_0},
    {"{" LEAST ",\"duration_ms\":-1}", "duration_ms", INTEGER_0},
    {"{" LEAST ",\"max_concurrency\":-1}", "max_concurrency", INTEGER_0},
    {"{" LEAST ",\"port\":0}", NULL, NULL},
    {"{" LEAST ",\"port\":65535}", NULL, NULL},
    {"{" LEAST ",\"port\":65536}", "port", "must be an integer from 0 to 65535"},
    {"{" LEAST ",\"port\":-0}", "port", "must be an integer from 0 to 65535"},
    {"{" LEAST ",\"port\":4294967297}", "port", "must be an integer from 0 to 65535"},
    {"{" LEAST ",\"port\":\"443\"}", "port", "must be an integer from 0 to 65535"},
    /* texts */
    {"{" LEAST ",\"protocol\":null}", "protocol", STRING},
    {"{" LEAST ",\"protocol\":5}", "protocol", STRING},
    {"{" LEAST ",\"protocol\":[\"a\"]}", "protocol", STRING},
    {"{" LEAST ",\"worker\":{}}", "worker", STRING},
    {"{" LEAST ",\"peer_id\":false}", "peer_id", STRING},
    {"{" LEAST ",\"error\":-0}", "error", STRING},
    {"{" LEAST ",\"error\":\"\",\"peer_id\":\"\",\"worker\":\"\",\"protocol\":\"\",\"ip_out\":\"\",\"ip_from\":\"\"}",
     NULL, NULL},
    {"{" LEAST ",\"error\":\"a\\nb\\u001b \\ud83d\\ude00 \xd0\xba\"}", NULL, NULL},
    {"{" LEAST ",\"ip_out\":\"1.2.3.4\",\"ip_from\":\"2001:db8::1\"}", NULL, NULL},
    {"{" LEAST ",\"ip_out\":\"1.2.3.400\"}", "ip_out", ADDRESS},
    {"{" LEAST ",\"ip_from\":\"fe80::1%eth0\"}", "ip_from", ADDRESS},
    {"{" LEAST ",\"ip_from\":null}", "ip_from", STRING},
    {"{" LEAST ",\"ip_from\":16909060}", "ip_from", STRING},
};

/* The message begins with these words; what was seen follows: see seen_rows. */
static bool begins_with(const char *message, const char *words)
{
    return strncmp(message, words, strlen(words)) == 0;
}

START_TEST(log_row)
{
    char text[1000];
    struct outcome outcome;
    int len = snprintf(text, sizeof text, "{\"logs\":[%s]}", log_rows[_i].log);
    run_all(text, (size_t)len, &outcome);
    if (!log_rows[_i].field) {
        ck_assert_msg(outcome.err == OK, "%s %s", outcome.faults[0].field, outcome.faults[0].message);
        ck_assert_uint_eq(outcome.logs, 1);
        return;
    }
    ck_assert_int_eq(outcome.err, ERR_LOGS_INVALID);
    ck_assert_uint_eq(outcome.total, strcmp(log_rows[_i].log, "{}") == 0 ? 5 : 1);
    ck_assert_uint_eq(outcome.faults[0].index, 0);
    ck_assert_str_eq(outcome.faults[0].field, log_rows[_i].field);
    ck_assert_msg(begins_with(outcome.faults[0].message, log_rows[_i].message), "%s", outcome.faults[0].message);
}
END_TEST

/* Every row of the scanner's table as a value in a body: of a log's member, of the envelope's, or of an unknown one. A
 * row that is no JSON is always refused; otherwise it depends on the place. */
enum place_kind { ANY, OBJECT_LOG, NUMBER, TEXT };

static const struct {
    const char *head;
    const char *tail;
    enum place_kind kind;
    const char *field;
} places[] = {
    {"{\"x\":", ",\"logs\":[" LOG "]}", ANY, ""},
    {"{\"logs\":[" LOG "],\"x\":", "}", ANY, ""},
    {"{\"logs\":[{" LEAST ",\"x\":", "}]}", ANY, ""},
    {"{\"logs\":[{\"x\":[[],", "]," LEAST "}]}", ANY, ""},
    {"{\"logs\":[" LOG ",", "]}", OBJECT_LOG, ""},
    {"{\"logs\":[{" LEAST ",\"port\":", "}]}", NUMBER, "port"},
    {"{\"logs\":[{\"error\":", "," LEAST "}]}", TEXT, "error"},
};

/* The table has no log, no integer over 65,535 but those of ten digits and more, and no text of 256 bytes. */
static bool fits(enum place_kind kind, const char *value, size_t len)
{
    if (kind == ANY)
        return true;
    if (kind == NUMBER)
        return strspn(value, "0123456789") == len && len < 6;
    return kind == TEXT && value[0] == '"' && !memmem(value, len, "\\u0000", 6);
}

START_TEST(in_place)
{
    const char *value = scan_rows[_i].bytes;
    size_t value_len = scan_rows[_i].len;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char text[1000];
        struct outcome outcome, bytes;
        size_t head = strlen(places[i].head), tail = strlen(places[i].tail);
        memcpy(text, places[i].head, head);
        memcpy(text + head, value, value_len);
        memcpy(text + head + value_len, places[i].tail, tail);
        run(text, head + value_len + tail, 0, SIZE_MAX, &outcome);
        run(text, head + value_len + tail, 0, 1, &bytes);
        check_same(&outcome, &bytes);
        enum err wanted = ERR_BODY_INVALID;
        if (scan_rows[_i].wrong_at == GOOD)
            wanted = fits(places[i].kind, value, value_len) ? OK : ERR_LOGS_INVALID;
        ck_assert_msg(outcome.err == wanted, "%.*s: %d, not %d: %s", (int)(head + value_len + tail), text, outcome.err,
                      wanted, outcome.detail);
        if (wanted == ERR_LOGS_INVALID)
            ck_assert_str_eq(outcome.faults[0].field,
                             places[i].kind == OBJECT_LOG && value[strspn(value, " \t\r\n")] == '{' ? "ts"
                                                                                                    : places[i].field);
    }
}
END_TEST

#define FIFTY "012345678901234567890123456789012345678901234567\xd0\xba" /* bytes */

/* Messages quote a value as the sender wrote it. */
static const struct {
    const char *member;
    const char *message;
} seen_rows[] = {
    {"\"bytes_sent\":-1", INTEGER_0 ", but is -1"},
    {"\"bytes_sent\":1e400", INTEGER_0 ", but is 1e400"},
    {"\"bytes_sent\":\"5\"", INTEGER_0 ", but is \"5\""},
    {"\"bytes_sent\":\"\"", INTEGER_0 ", but is \"\""},
    {"\"bytes_sent\":null", INTEGER_0 ", but is true, false, null, an array or an object"},
    {"\"port\":65536", "must be an integer from 0 to 65535, but is 65536"},
    {"\"worker\":5", STRING ", but is 5"},
    {"\"worker\":[\"5\"]", STRING ", but is true, false, null, an array or an object"},
    {"\"ip_out\":\"1.2.3.400\"", ADDRESS ", but is \"1.2.3.400\""},
    {"\"ip_out\":\"a\\n\\u007f\\\"\"", ADDRESS ", but is \"a??\"\""},
    {"\"ip_out\":\"" FIFTY "1234567890\"", ADDRESS ", but is \"" FIFTY "1234567890\""},
    {"\"ip_out\":\"" FIFTY "12345678901\"", ADDRESS ", but is \"" FIFTY "1234567890…\""},
    {"\"ip_out\":\"" FIFTY "123456789\xd0\xba\"", ADDRESS ", but is \"" FIFTY "123456789…\""}, /* not half a letter */
    {"\"protocol\":\"" FIFTY "\"", "must have at most 32 bytes, but has 50"},
};

START_TEST(seen_row)
{
    char text[1000];
    struct outcome outcome;
    int len = snprintf(text, sizeof text, "{\"logs\":[{" LEAST ",%s}]}", seen_rows[_i].member);
    run_all(text, (size_t)len, &outcome);
    ck_assert_uint_eq(outcome.total, 1);
    ck_assert_str_eq(outcome.faults[0].message, seen_rows[_i].message);
}
END_TEST

/* One of the required members, with this value. */
static const struct {
    const char *field;
    const char *value;   /* NULL: left out */
    const char *message; /* NULL: good */
} required_rows[] = {
    {"ts", NULL, "is required"},
    {"user_id", NULL, "is required"},
    {"order_id", NULL, "is required"},
    {"domain", NULL, "is required"},
    {"count", NULL, "is required"},
    {"ts", "null", STRING},
    {"ts", "1773569700", STRING},
    {"ts", "\"\"", TIME "\"\": it is empty"},
    {"ts", "\"yesterday\"", TIME "\"yesterday\": it does not begin with a date such as 2026-03-15"},
    {"ts", "\"2026-02-29 00:00:00\"", TIME "\"2026-02-29 00:00:00\": the month has no such day"},
    {"ts", "\"1969-12-31\"", TIME "\"1969-12-31\": the year is not from 1970 to 2999"},
    {"ts", "\"2026-03-15 10:15:00 \"",
     TIME "\"2026-03-15 10:15:00 \": the zone is neither Z nor an offset such as +03:00, at most 14:00"},
    {"ts", "\"2016-12-31 23:59:60\"", TIME "\"2016-12-31 23:59:60\": second 60 (a leap second) is not accepted"},
    {"ts", "\"2026-03-15 24:00:00\"", TIME "\"2026-03-15 24:00:00\": 24:00 is written 00:00 of the next day"},
    {"ts", "\"1773569700000\"", TIME "\"1773569700000\": it looks like milliseconds since 1970"},
    {"ts", "\"1773569700\"", TIME "\"1773569700\": it looks like seconds since 1970"},
    {"ts", "\"3000-01-01\"", TIME "\"3000-01-01\": the year is not from 1970 to 2999"},
    {"ts", "\"2026-13-01\"", TIME "\"2026-13-01\": there is no such month"},
    {"ts", "\"2026-03-15 10:61\"", TIME "\"2026-03-15 10:61\": there is no such time of day"},
    {"ts", "\"2026-03-15 10\"", TIME "\"2026-03-15 10\": no time such as 10:15:00 follows the date"},
    {"ts", "\"2026-03-15T10:15:00.\"", TIME "\"2026-03-15T10:15:00.\": the fraction of a second has no 1 to 9 digits"},
    {"ts", "\"1970-01-01T00:00:00+01:00\"",
     TIME "\"1970-01-01T00:00:00+01:00\": it is before 1970 or after 2999 in UTC"},
    {"ts", "\"2026-03-15\"", NULL},
    {"ts", "\"2026-03-15T10:15:00.999+02:00\"", NULL},
    {"ts", "\"\\u0032026-03-15\"", NULL}, /* escaped or not */
    {"user_id", "0", INTEGER_1},
    {"user_id", "-1", INTEGER_1},
    {"user_id", "1.0", INTEGER_1},
    {"user_id", "null", INTEGER_1},
    {"user_id", "9007199254740991", NULL},
    {"user_id", "9007199254740992", INTEGER_1},
    {"order_id", "0", INTEGER_1},
    {"order_id", "\"3\"", INTEGER_1},
    {"count", "0", NULL},
    {"count", "-0", INTEGER_0},
    {"count", "null", INTEGER_0},
    {"domain", "null", STRING},
    {"domain", "\"\"", NULL},
    {"domain", "\"a\\nb\"", "must not contain control characters"},
    {"domain", "\"\\u007f\"", "must not contain control characters"},
    {"domain", "[]", STRING},
};

START_TEST(required)
{
    static const char *const good[][2] = {{"ts", "\"2026-03-15 10:15:00\""},
                                          {"user_id", "1"},
                                          {"order_id", "3"},
                                          {"domain", "\"google.com\""},
                                          {"count", "12"}};
    char text[1000] = "{\"logs\":[{\"z\":1";
    size_t len = strlen(text);
    for (size_t i = 0; i < 5; i++) {
        bool here = strcmp(good[i][0], required_rows[_i].field) == 0;
        const char *value = here ? required_rows[_i].value : good[i][1];
        if (value)
            len += (size_t)snprintf(text + len, sizeof text - len, ",\"%s\":%s", good[i][0], value);
    }
    len += (size_t)snprintf(text + len, sizeof text - len, "}]}");
    struct outcome outcome;
    run_all(text, len, &outcome);
    ck_assert_int_eq(outcome.err, required_rows[_i].message ? ERR_LOGS_INVALID : OK);
    ck_assert_uint_eq(outcome.total, required_rows[_i].message ? 1 : 0);
    if (!required_rows[_i].message)
        return;
    ck_assert_str_eq(outcome.faults[0].field, required_rows[_i].field);
    ck_assert_msg(begins_with(outcome.faults[0].message, required_rows[_i].message), "%s", outcome.faults[0].message);
}
END_TEST

/* Texts at their limit and one byte over it, also in characters that take more bytes when they are escaped. */
static const struct {
    const char *field;
    size_t limit;
} length_rows[] = {{"error", 256}, {"peer_id", 128}, {"worker", 128}, {"protocol", 32}, {"domain", 253}};

START_TEST(text_length)
{
    static const char *const letters[] = {"a", "\\u0061", "\xc3\xa9", "\\u00e9"}; /* of 1, 1, 2 and 2 bytes */
    bool is_domain = strcmp(length_rows[_i].field, "domain") == 0;
    for (size_t letter = 0; letter < 4; letter++)
        for (size_t over = 0; over < 2; over++) {
            char text[4000];
            size_t width = letter < 2 ? 1 : 2;
            size_t letter_count = length_rows[_i].limit / width + over;
            size_t len = (size_t)sprintf(text, "{\"logs\":[{%s%s,\"%s\":\"",
                                         "\"ts\":\"2026-03-15\",\"user_id\":1,\"order_id\":1,\"count\":1",
                                         is_domain ? "" : ",\"domain\":\"\"", length_rows[_i].field);
            for (size_t i = 0; i < letter_count; i++)
                len += (size_t)sprintf(text + len, "%s", letters[letter]);
            len += (size_t)sprintf(text + len, "\"}]}");
            struct outcome outcome;
            run_all(text, len, &outcome);
            ck_assert_int_eq(outcome.err, over ? ERR_LOGS_INVALID : OK);
            ck_assert_uint_eq(outcome.total, over);
            ck_assert_str_eq(outcome.faults[0].field, over ? length_rows[_i].field : "");
        }
}
END_TEST

/* The vendor's example, and what must be read from it. */
START_TEST(sample)
{
    static const char text[] =
        "{\"logs\": [{\"ts\": \"2026-03-15 10:15:00\", \"user_id\": 1, \"order_id\": 3, \"port\": 443, \"protocol\": "
        "\"HTTPS\",\n \"ip_out\": \"185.199.100.10\", \"ip_from\": \"78.100.50.12\", \"peer_id\": \"peer-001\", "
        "\"worker\": \"worker-01\",\n \"domain\": \"Google.com.\", \"error\": \"\", \"count\": 12, \"bytes_sent\": "
        "10240, "
        "\"bytes_received\": 524800,\n \"error_count\": 0, \"duration_ms\": 15000, \"max_concurrency\": 5}]}";
    struct batch batch;
    struct fault fault;
    batch_init(&batch, NULL);
    struct json_logs *reader = json_logs_open(&batch);
    ck_assert_int_eq(json_logs_feed(reader, text, sizeof text - 1, &fault), OK);
    ck_assert_int_eq(json_logs_finish(reader, &fault), OK);
    json_logs_close(reader);
    ck_assert_uint_eq(batch.log_count, 1);
    const struct log_record *log = &batch.logs[0];
    ck_assert_int_eq(log->ts, 1773569700);
    ck_assert_int_eq(log->user_id, 1);
    ck_assert_int_eq(log->order_id, 3);
    ck_assert_int_eq(log->port, 443);
    ck_assert_int_eq(log->count, 12);
    ck_assert_int_eq(log->bytes_sent, 10240);
    ck_assert_int_eq(log->bytes_received, 524800);
    ck_assert_int_eq(log->error_count, 0);
    ck_assert_int_eq(log->duration_ms, 15000);
    ck_assert_int_eq(log->max_concurrency, 5);
    ck_assert_mem_eq(log->ip_out.bytes, "\xb9\xc7\x64\x0a", 4);
    ck_assert_mem_eq(log->ip_from.bytes, "\x4e\x64\x32\x0c", 4);
    ck_assert_int_eq(log->ip_from.len, 4);
    ck_assert(slice_equals(batch_name(&batch, log->name[NAME_DOMAIN]), "google.com"));
    ck_assert(slice_equals(batch_name(&batch, log->name[NAME_PROTOCOL]), "HTTPS"));
    ck_assert(slice_equals(batch_name(&batch, log->name[NAME_PEER]), "peer-001"));
    ck_assert(slice_equals(batch_name(&batch, log->name[NAME_WORKER]), "worker-01"));
    ck_assert_uint_eq(log->name[NAME_ERROR], 0);
    ck_assert_uint_eq(batch.name_count, 5);
    batch_release(&batch);
}
END_TEST

START_TEST(values)
{
    static const char text[] = "{\"logs\":[{\"max_concurrency\":9,\"domain\":\"A\\u0062\\ud83d\\ude00.\",\"count\":7,"
                               "\"order_id\":2,\"user_id\":9007199254740991,\"ts\":\"2026-03-15T12:15:00.9+02:00\"}]}";
    struct outcome outcome;
    run_all(text, sizeof text - 1, &outcome);
    ck_assert_int_eq(outcome.err, OK);
    ck_assert_int_eq(outcome.first.ts, 1773569700);
    ck_assert_int_eq(outcome.first.user_id, INT64_C(9007199254740991));
    ck_assert_int_eq(outcome.first.count, 7);
    ck_assert_int_eq(outcome.first.max_concurrency, 9);
    ck_assert_int_eq(outcome.first.bytes_sent, 0);
    ck_assert_int_eq(outcome.first.port, 0);
    ck_assert_int_eq(outcome.first.ip_out.len, 0);
    ck_assert_str_eq(outcome.domain, "ab\xf0\x9f\x98\x80");
}
END_TEST

START_TEST(faults_in_order)
{
    static const char text[] = "{\"logs\":[" LOG ",{\"count\":-1,\"ts\":5},7," LOG ",{" LEAST
                               ",\"port\":-1,\"error\":1},{" LEAST ",\"z\":0,\"count\":0}]}";
    static const struct {
        uint32_t index;
        const char *field;
    } wanted[] = {{1, "count"}, {1, "ts"},   {1, "user_id"}, {1, "order_id"}, {1, "domain"},
                  {2, ""},      {4, "port"}, {4, "error"},   {5, "count"}};
    struct outcome outcome;
    run_all(text, sizeof text - 1, &outcome);
    ck_assert_int_eq(outcome.err, ERR_LOGS_INVALID);
    ck_assert_uint_eq(outcome.total, ROWS(wanted));
    for (size_t i = 0; i < ROWS(wanted); i++) {
        ck_assert_uint_eq(outcome.faults[i].index, wanted[i].index);
        ck_assert_str_eq(outcome.faults[i].field, wanted[i].field);
    }
}
END_TEST

/* Large bodies */

/* head, then `text` `count` times with commas between, then tail. */
static char *repeat(const char *head, const char *text, size_t count, const char *tail, size_t *ret_len)
{
    size_t text_len = strlen(text), len = strlen(head);
    char *body = malloc(len + count * (text_len + 1) + strlen(tail) + 1);
    memcpy(body, head, len);
    for (size_t i = 0; i < count; i++) {
        memcpy(body + len, text, text_len);
        len += text_len;
        body[len++] = ',';
    }
    len -= count > 0;
    strcpy(body + len, tail);
    *ret_len = len + strlen(tail);
    return body;
}

static const struct {
    const char *head;
    const char *text;
    size_t count;
    const char *tail;
    enum err err;
    const char *field; /* of the first fault */
    uint64_t total;
} large_rows[] = {
    {"{\"logs\":[", LOG, 50000, "]}", OK, "", 0},
    {"{\"logs\":[", LOG, 50001, "]}", ERR_BODY_TOO_LARGE, "", 0},
    {"{\"logs\":[", "{}", 50000, "]}", ERR_LOGS_INVALID, "ts", 250000},
    {"{\"logs\":[", "{}", 2000000, "]}", ERR_BODY_TOO_LARGE, "ts", 250000},
    {"{\"logs\":[", "0", 50001, "]}", ERR_BODY_TOO_LARGE, "", 50000},
    {"{\"x\":[", "{}", 2000000, "],\"logs\":[" LOG "]}", OK, "", 0},
    {"{\"logs\":[" LOG "],\"x\":[", "{}", 2000000, "]}", OK, "", 0},
    {"{\"x\":[", "[[]]", 2000000, "],\"logs\":[" LOG "]}", OK, "", 0},
    {"{", "\"x\":-0", 2000000, ",\"logs\":[" LOG "]}", OK, "", 0},
    {"{\"x\":{", "\"k\":1", 1000000, "},\"logs\":[" LOG "]}", OK, "", 0},
    {"{\"logs\":[{", "\"k\":1", 1000000, "}]}", ERR_LOGS_INVALID, "", 1},
    {"{\"logs\":[{" LEAST ",\"x\":[", "{}", 2000000, "]}]}", ERR_LOGS_INVALID, "", 1},
    {"{\"logs\":[{" LEAST ",\"x\":[", "{}", 21000, "]}]}", OK, "", 0},
    {"{\"logs\":[{" LEAST ",", "\"k\":-0", 9000, "}]}", OK, "", 0},
    {"{\"logs\":[{\"x\":\"", "AAAAAAAAAAAAAAA", 1000000, "\"}]}", ERR_LOGS_INVALID, "", 1},
    {"{\"x\":\"", "AAAAAAAAAAAAAAA", 1000000, "\",\"logs\":[]}", OK, "", 0},
    {"{\"x\":\"", "AAAAAAAAAAAAAAA", 1100000, "\",\"logs\":[]}", ERR_BODY_TOO_LARGE, "", 0},
    {"{\"logs\":[{\"x\":", "1", 1, "1111111]}", ERR_BODY_INVALID, "", 0},
};

/* A generous limit in kB, for the body, its batch, and the test itself. As json-c values, 2 million objects take 500
 * MB. Under a sanitizer everything takes more. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_KB 2000000
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define MEMORY_KB 2000000
#endif
#ifndef MEMORY_KB
#define MEMORY_KB 150000
#endif

START_TEST(large)
{
    size_t len;
    struct outcome outcome, other;
    struct rusage usage;
    char *body = repeat(large_rows[_i].head, large_rows[_i].text, large_rows[_i].count, large_rows[_i].tail, &len);
    run(body, len, 0, SIZE_MAX, &outcome);
    ck_assert_int_eq(outcome.err, large_rows[_i].err);
    ck_assert_uint_eq(outcome.total, large_rows[_i].total);
    if (outcome.shown > 0)
        ck_assert_str_eq(outcome.faults[0].field, large_rows[_i].field);
    run(body, len, 0, 1, &other);
    check_same(&outcome, &other);
    run(body, len, 0, 4093, &other);
    check_same(&outcome, &other);
    free(body);
    getrusage(RUSAGE_SELF, &usage);
    ck_assert_int_lt(usage.ru_maxrss, MEMORY_KB);
}
END_TEST

static const char *const nest_rows[] = {"", "{\"logs\":", "{\"logs\":[", "{\"logs\":[{\"x\":", "{\"x\":"};

START_TEST(nested_100000)
{
    for (int square = 0; square < 2; square++) {
        size_t head = strlen(nest_rows[_i]), count = 100000, len = head;
        const char *opening = square ? "[" : "{\"a\":";
        char *body = malloc(head + count * 5);
        struct outcome outcome;
        memcpy(body, nest_rows[_i], head);
        for (size_t i = 0; i < count; i++, len += strlen(opening))
            memcpy(body + len, opening, strlen(opening));
        run_all(body, len, &outcome);
        ck_assert_int_eq(outcome.err, ERR_BODY_INVALID);
        free(body);
    }
}
END_TEST

/* A log of exactly so many bytes. */
static const struct {
    size_t len;
    enum err err;
} log_length_rows[] = {
    {65535, OK}, {65536, OK}, {65537, ERR_LOGS_INVALID}, {65538, ERR_LOGS_INVALID}, {200000, ERR_LOGS_INVALID}};

START_TEST(log_length)
{
    size_t wanted = log_length_rows[_i].len;
    char *body = malloc(wanted + 1000);
    size_t head = (size_t)sprintf(body, "{\"logs\":[");
    size_t len = head + (size_t)sprintf(body + head, "{" LEAST ",\"x\":\"");
    for (; len < head + wanted - 2; len++)
        body[len] = 'a';
    len += (size_t)sprintf(body + len, "\"}, " LOG "]}");
    struct outcome outcome;
    run_all(body, len, &outcome);
    free(body);
    ck_assert_int_eq(outcome.err, log_length_rows[_i].err);
    if (outcome.err) {
        ck_assert_uint_eq(outcome.total, 1);
        ck_assert_str_eq(outcome.faults[0].field, "");
        ck_assert_str_eq(outcome.faults[0].message, "must be at most 65536 bytes of JSON");
    } else
        ck_assert_uint_eq(outcome.logs, 2);
}
END_TEST

START_TEST(body_length)
{
    for (size_t over = 0; over < 2; over++) {
        size_t len = LIMIT_BODY_BYTES + over;
        char *body = malloc(len);
        struct outcome outcome, other;
        memset(body, ' ', len);
        memcpy(body, "{\"logs\":[]}", 11);
        run(body, len, 0, SIZE_MAX, &outcome);
        ck_assert_int_eq(outcome.err, over ? ERR_BODY_TOO_LARGE : OK);
        run(body, len, 0, 65536, &other);
        check_same(&outcome, &other);
        memcpy(body, "{\"logs\":[]]", 11); /* the first fault is reported, however the body is cut */
        run(body, len, 0, SIZE_MAX, &outcome);
        ck_assert_int_eq(outcome.err, ERR_BODY_INVALID);
        run(body, len, 0, 65536, &other);
        check_same(&outcome, &other);
        free(body);
    }
}
END_TEST

START_TEST(budget_used_up)
{
    size_t len;
    char *body = repeat("{\"logs\":[", LOG, 1000, "]}", &len);
    for (size_t max = 0; max < 200000; max += 10000) {
        struct batch_budget budget = {0, max};
        struct batch batch;
        struct fault fault = {0};
        batch_init(&batch, &budget);
        struct json_logs *reader = json_logs_open(&batch);
        enum err err = json_logs_feed(reader, body, len, &fault);
        ck_assert_int_eq(err, max < 141000 ? ERR_UNAVAILABLE : OK); /* 1,024 records of 136 bytes, and a little */
        ck_assert_int_eq(fault.err, err);
        json_logs_close(reader);
        batch_release(&batch);
        ck_assert_uint_eq(budget.used_bytes, 0);
    }
    free(body);
}
END_TEST

START_TEST(closed_halfway)
{
    static const char text[] = "{\"logs\":[{\"domain\":\"a";
    struct batch batch;
    struct fault fault;
    batch_init(&batch, NULL);
    struct json_logs *reader = json_logs_open(&batch);
    ck_assert_int_eq(json_logs_feed(reader, text, sizeof text - 1, &fault), OK);
    json_logs_close(reader);
    batch_release(&batch);
    json_logs_close(NULL);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("json_logs");
    TCase *tc = suite_case(s, "scanner");
    tcase_add_loop_test(tc, scanner, 0, ROWS(scan_rows));
    tcase_add_test(tc, scanner_bytes);
    tcase_add_test(tc, scanner_depth);
    tcase_add_test(tc, scanner_splits);
    tcase_add_loop_test(tc, events, 0, ROWS(event_rows));
    tcase_add_loop_test(tc, walk, 0, ROWS(walk_rows));
    tcase_add_loop_test(tc, unescape, 0, ROWS(unescape_rows));
    tc = suite_case(s, "bodies");
    tcase_add_loop_test(tc, body_row, 0, ROWS(body_rows));
    tcase_add_loop_test(tc, log_row, 0, ROWS(log_rows));
    tcase_add_loop_test(tc, seen_row, 0, ROWS(seen_rows));
    tcase_add_loop_test(tc, in_place, 0, ROWS(scan_rows));
    tcase_add_loop_test(tc, required, 0, ROWS(required_rows));
    tcase_add_loop_test(tc, text_length, 0, ROWS(length_rows));
    tcase_add_test(tc, sample);
    tcase_add_test(tc, values);
    tcase_add_test(tc, faults_in_order);
    tcase_add_test(tc, budget_used_up);
    tcase_add_test(tc, closed_halfway);
    tc = suite_case(s, "large");
    tcase_add_loop_test(tc, large, 0, ROWS(large_rows));
    tcase_add_loop_test(tc, nested_100000, 0, ROWS(nest_rows));
    tcase_add_loop_test(tc, log_length, 0, ROWS(log_length_rows));
    tcase_add_test(tc, body_length);
    return s;
}

int main(void)
{
    return suite_run_together(suite());
}
