/* json_scan.c: the grammar of RFC 8259 as a state machine. Knows bytes, brackets, escapes and UTF-8. Knows no
 * allocation, no library, no field. */
#include "format/json_scan.h"

#include <assert.h>
#include <string.h>

#include "base/banned.h"

/* Where the scanner stands between two bytes. The number states are rows of number_next. */
enum json_state {
    NUMBER_MINUS,
    NUMBER_MINUS_ZERO,
    NUMBER_ZERO,
    NUMBER_INTEGER,
    NUMBER_POINT,
    NUMBER_FRACTION,
    NUMBER_E,
    NUMBER_E_SIGN,
    NUMBER_EXPONENT,
    NUMBER_STATES,

    VALUE = NUMBER_STATES, /* before a value */
    FIRST_ELEMENT,         /* after [ */
    FIRST_BYTE,            /* at a value's first byte, already reported */
    FIRST_MEMBER,          /* after { */
    MEMBER,                /* after a comma in an object */
    COLON,
    AFTER_ELEMENT,
    AFTER_MEMBER,
    STRING,
    ESCAPE,
    HEX,
    LOW_BACKSLASH, /* after the first half of a surrogate pair */
    LOW_U,
    UTF8,
    LITERAL,
    DONE, /* after the outermost value */
    FAILED,
    STATES
};

static const char *const expected[STATES] = {
    [NUMBER_MINUS] = "a digit",
    [NUMBER_MINUS_ZERO] = "the end of the number, a point or an exponent",
    [NUMBER_ZERO] = "the end of the number, a point or an exponent",
    [NUMBER_INTEGER] = "a digit or the end of the number",
    [NUMBER_POINT] = "a digit",
    [NUMBER_FRACTION] = "a digit or the end of the number",
    [NUMBER_E] = "a digit or a sign",
    [NUMBER_E_SIGN] = "a digit",
    [NUMBER_EXPONENT] = "a digit or the end of the number",
    [VALUE] = "a JSON value",
    [FIRST_ELEMENT] = "a JSON value or ']'",
    [FIRST_BYTE] = "a JSON value",
    [FIRST_MEMBER] = "a name in double quotes or '}'",
    [MEMBER] = "a name in double quotes",
    [COLON] = "':'",
    [AFTER_ELEMENT] = "',' or ']'",
    [AFTER_MEMBER] = "',' or '}'",
    [STRING] = "a character of a string (control characters must be escaped) or its closing quote",
    [ESCAPE] = "one of \"\\/bfnrtu after the backslash",
    [HEX] = "a hexadecimal digit",
    [LOW_BACKSLASH] = "the second half of a surrogate pair, \\uDC00 to \\uDFFF",
    [LOW_U] = "the second half of a surrogate pair, \\uDC00 to \\uDFFF",
    [UTF8] = "valid UTF-8",
    [LITERAL] = "true, false or null",
    [DONE] = "nothing more after the value",
};
static const char too_deep[] = "at most 32 nested arrays and objects";
_Static_assert(LIMIT_JSON_DEPTH == 32, "the text above says 32");
_Static_assert(LIMIT_JSON_DEPTH <= 64, "objects has a bit for each");

/* Bytes that stand for themselves in a string: ASCII without controls, quote and backslash. */
static const bool plain[256] = {
#define YES8 1, 1, 1, 1, 1, 1, 1, 1
#define NO8 0, 0, 0, 0, 0, 0, 0, 0
    NO8,  NO8,  NO8,  NO8,                 /* controls */
    1,    1,    0,    1,    1,    1, 1, 1, /* 0x20: the quote is 0x22 */
    YES8,                                  /* 0x28 */
    YES8, YES8, YES8, YES8, YES8,          /* 0x30 */
    1,    1,    1,    1,    0,    1, 1, 1, /* 0x58: the backslash is 0x5c */
    YES8, YES8, YES8, YES8,                /* 0x60 */
#undef YES8
#undef NO8
};

enum { END, ZERO, DIGIT, POINT, EXPONENT, SIGN, MINUS, CLASSES };

static const uint8_t number_class[256] = {
    ['0'] = ZERO,  ['1'] = DIGIT,    ['2'] = DIGIT,    ['3'] = DIGIT, ['4'] = DIGIT,
    ['5'] = DIGIT, ['6'] = DIGIT,    ['7'] = DIGIT,    ['8'] = DIGIT, ['9'] = DIGIT,
    ['.'] = POINT, ['e'] = EXPONENT, ['E'] = EXPONENT, ['+'] = SIGN,  ['-'] = MINUS,
};

/* RFC 8259, section 6. STATES: wrong here. DONE: the number ended before this byte. */
static const uint8_t number_next[NUMBER_STATES][CLASSES] = {
#define ROW(end, zero, digit, point, exponent, sign)                                                                   \
    {                                                                                                                  \
        [END] = end, [ZERO] = zero, [DIGIT] = digit, [POINT] = point, [EXPONENT] = exponent, [SIGN] = sign,            \
        [MINUS] = sign                                                                                                 \
    }
    [NUMBER_MINUS] = ROW(STATES, NUMBER_MINUS_ZERO, NUMBER_INTEGER, STATES, STATES, STATES),
    [NUMBER_MINUS_ZERO] = ROW(DONE, STATES, STATES, NUMBER_POINT, NUMBER_E, STATES),
    [NUMBER_ZERO] = ROW(DONE, STATES, STATES, NUMBER_POINT, NUMBER_E, STATES),
    [NUMBER_INTEGER] = ROW(DONE, NUMBER_INTEGER, NUMBER_INTEGER, NUMBER_POINT, NUMBER_E, STATES),
    [NUMBER_POINT] = ROW(STATES, NUMBER_FRACTION, NUMBER_FRACTION, STATES, STATES, STATES),
    [NUMBER_FRACTION] = ROW(DONE, NUMBER_FRACTION, NUMBER_FRACTION, STATES, NUMBER_E, STATES),
    [NUMBER_E] = ROW(STATES, NUMBER_EXPONENT, NUMBER_EXPONENT, STATES, STATES, NUMBER_E_SIGN),
    [NUMBER_E_SIGN] = ROW(STATES, NUMBER_EXPONENT, NUMBER_EXPONENT, STATES, STATES, STATES),
    [NUMBER_EXPONENT] = ROW(DONE, NUMBER_EXPONENT, NUMBER_EXPONENT, STATES, STATES, STATES),
#undef ROW
};

/* The part of the piece that is still to be read. */
struct input {
    const unsigned char *at;
    const unsigned char *end;
};

void json_scan_init(struct json_scan *scan, unsigned watch)
{
    *scan = (struct json_scan){.watch = watch, .state = VALUE};
}

static enum json_event fail(struct json_scan *scan, const char *what)
{
    scan->expected = what;
    scan->state = FAILED;
    return JSON_ERROR;
}

/* The byte can't stand in this state. */
static enum json_event fail_here(struct json_scan *scan)
{
    return fail(scan, expected[scan->state]);
}

static enum json_event end_value(struct json_scan *scan)
{
    uint8_t after = scan->objects & 1 ? AFTER_MEMBER : AFTER_ELEMENT;
    scan->state = scan->depth ? after : DONE;
    return scan->depth <= scan->watch ? JSON_END : JSON_MORE;
}

static enum json_event open_container(struct json_scan *scan, struct input *in)
{
    if (scan->depth == LIMIT_JSON_DEPTH)
        return fail(scan, too_deep);
    bool is_object = *in->at++ == '{';
    scan->depth++;
    scan->objects = scan->objects << 1 | is_object;
    scan->state = is_object ? FIRST_MEMBER : FIRST_ELEMENT;
    return scan->depth == scan->watch + 2 ? JSON_NEST : JSON_MORE;
}

static enum json_event close_container(struct json_scan *scan)
{
    bool nested = scan->depth == scan->watch + 2;
    scan->depth--;
    scan->objects >>= 1;
    enum json_event event = end_value(scan);
    return nested ? JSON_UNNEST : event;
}

static bool is_blank(unsigned char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* False when the piece ends there. */
static inline bool skip_blanks(struct input *in)
{
    while (in->at < in->end && is_blank(*in->at))
        in->at++;
    return in->at < in->end;
}

/* The most frequent next states are called directly, without a turn through step(), which took a third of the time. */
static enum json_event colon(struct json_scan *scan, struct input *in);
static enum json_event before_member(struct json_scan *scan, struct input *in);

/* Numbers. */

static enum json_event in_number(struct json_scan *scan, struct input *in)
{
    uint8_t state = scan->state;
    for (; in->at < in->end; in->at++) {
        uint8_t next = number_next[state][number_class[*in->at]];
        if (next == DONE)
            return end_value(scan);
        if (next == STATES)
            return fail(scan, expected[state]);
        state = next;
    }
    scan->state = state;
    return JSON_MORE;
}

static enum json_event begin_number(struct json_scan *scan, struct input *in)
{
    unsigned char first = *in->at++;
    scan->state = first == '-' ? NUMBER_MINUS : first == '0' ? NUMBER_ZERO : NUMBER_INTEGER;
    if (scan->state == NUMBER_INTEGER) /* the table would say the same, more slowly */
        while (in->at < in->end && *in->at >= '0' && *in->at <= '9')
            in->at++;
    return in_number(scan, in);
}

/* Strings. */

static void keep_bytes(struct json_scan *scan, const unsigned char *bytes, size_t len)
{
    size_t room = scan->name_len < JSON_NAME_BYTES ? JSON_NAME_BYTES - scan->name_len : 0;
    size_t n = len < room ? len : room;
    if (n > 0)
        memcpy(scan->name + scan->name_len, bytes, n);
    scan->name_len += len;
}

/* One unescaped character. Names that we look for are ASCII, so any other may stand as 0xff. */
static void keep_character(struct json_scan *scan, uint32_t unit)
{
    unsigned char byte = unit < 0x80 ? (unsigned char)unit : 0xff;
    if (scan->keep_name)
        keep_bytes(scan, &byte, 1);
}

static enum json_event end_string(struct json_scan *scan, struct input *in)
{
    if (!scan->in_name)
        return end_value(scan);
    scan->in_name = false;
    scan->state = COLON;
    if (scan->depth <= scan->watch)
        return JSON_NAME;
    return skip_blanks(in) ? colon(scan, in) : JSON_MORE;
}

/* The first byte of a character beyond ASCII (RFC 3629, section 4: the bounds of the second byte keep out overlong
 * forms, surrogates and what lies above U+10FFFF). */
static enum json_event begin_utf8(struct json_scan *scan, unsigned char lead)
{
    if (lead < 0xc2 || lead > 0xf4)
        return fail(scan, expected[lead < 0x20 ? STRING : UTF8]);
    scan->left = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    scan->low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    scan->high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    scan->state = UTF8;
    return JSON_MORE;
}

static enum json_event in_utf8(struct json_scan *scan, struct input *in)
{
    for (; scan->left > 0 && in->at < in->end; in->at++, scan->left--) {
        if (*in->at < scan->low || *in->at > scan->high)
            return fail_here(scan);
        scan->low = 0x80;
        scan->high = 0xbf;
        keep_character(scan, 0xff);
    }
    if (scan->left == 0)
        scan->state = STRING;
    return JSON_MORE;
}

#define EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The high bit of each byte that is not plain; those above the lowest may be wrong (a borrow). */
static uint64_t special_bytes(uint64_t word)
{
    uint64_t quote = word ^ EACH_BYTE('"');
    uint64_t backslash = word ^ EACH_BYTE('\\');
    uint64_t below = (word - EACH_BYTE(0x20)) | (quote - EACH_BYTE(1)) | (backslash - EACH_BYTE(1));
    return ((below & ~word) | word) & EACH_BYTE(0x80);
}

/* The first byte from `at` on that is not plain. Eight at a time where the machine's byte order allows. */
static const unsigned char *skip_plain(const unsigned char *at, const unsigned char *end)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t special = special_bytes(word);
        if (special)
            return at + (__builtin_ctzll(special) >> 3);
    }
#endif
    while (at < end && plain[*at])
        at++;
    return at;
}

static enum json_event in_string(struct json_scan *scan, struct input *in)
{
    const unsigned char *start = in->at;
    const unsigned char *at = skip_plain(start, in->end);
    in->at = at;
    if (scan->keep_name)
        keep_bytes(scan, start, (size_t)(at - start));
    if (at == in->end)
        return JSON_MORE;
    if (*at >= 0x80 || *at < 0x20) {
        enum json_event event = begin_utf8(scan, *at);
        in->at += event == JSON_MORE;
        keep_character(scan, 0xff);
        return event;
    }
    in->at++;
    if (*at == '"')
        return end_string(scan, in);
    scan->state = ESCAPE;
    return JSON_MORE;
}

static enum json_event begin_string(struct json_scan *scan, struct input *in)
{
    in->at++;
    scan->state = STRING;
    scan->keep_name = false;
    return in_string(scan, in);
}

static enum json_event begin_name(struct json_scan *scan, struct input *in)
{
    scan->in_name = true;
    scan->keep_name = scan->depth <= scan->watch;
    scan->name_len = 0;
    in->at++;
    scan->state = STRING;
    return in_string(scan, in);
}

static enum json_event in_escape(struct json_scan *scan, struct input *in)
{
    static const char meaning[256] = {
        ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
    unsigned char c = *in->at;
    if (c != 'u' && !meaning[c])
        return fail_here(scan);
    in->at++;
    scan->state = c == 'u' ? HEX : STRING;
    scan->left = 4;
    scan->unit = 0;
    if (c != 'u')
        keep_character(scan, (unsigned char)meaning[c]);
    return JSON_MORE;
}

/* All four digits of a \u escape are read. */
static bool end_unit(struct json_scan *scan)
{
    bool is_low = (scan->unit & 0xfc00) == 0xdc00;
    bool is_high = (scan->unit & 0xfc00) == 0xd800;
    if (is_low != scan->high_surrogate)
        return false;
    scan->high_surrogate = is_high;
    scan->state = is_high ? LOW_BACKSLASH : STRING;
    keep_character(scan, scan->unit);
    return true;
}

static int hex_value(unsigned char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum json_event in_hex(struct json_scan *scan, struct input *in)
{
    while (in->at < in->end) {
        int digit = hex_value(*in->at);
        if (digit < 0)
            return fail_here(scan);
        scan->unit = scan->unit << 4 | (uint32_t)digit;
        if (--scan->left == 0 && !end_unit(scan))
            return fail(scan, scan->high_surrogate ? expected[LOW_U]
                                                   : "the first half of a surrogate pair before its second");
        in->at++;
        if (scan->left == 0)
            return JSON_MORE;
    }
    return JSON_MORE;
}

/* One byte that must be `wanted`, after the first half of a surrogate pair. */
static enum json_event in_pair(struct json_scan *scan, struct input *in, unsigned char wanted, uint8_t next)
{
    if (*in->at != wanted)
        return fail_here(scan);
    in->at++;
    scan->state = next;
    scan->left = 4;
    scan->unit = 0;
    return JSON_MORE;
}

/* Values and what stands between them. */

static enum json_event in_literal(struct json_scan *scan, struct input *in)
{
    for (; *scan->rest && in->at < in->end; in->at++, scan->rest++)
        if (*in->at != (unsigned char)*scan->rest)
            return fail_here(scan);
    return *scan->rest ? JSON_MORE : end_value(scan);
}

static enum json_event begin_literal(struct json_scan *scan, struct input *in, const char *word)
{
    scan->rest = word;
    scan->state = LITERAL;
    return in_literal(scan, in);
}

static enum json_event first_byte(struct json_scan *scan, struct input *in)
{
    switch (*in->at) {
    case '"':
        return begin_string(scan, in);
    case '{':
    case '[':
        return open_container(scan, in);
    case 't':
        return begin_literal(scan, in, "true");
    case 'f':
        return begin_literal(scan, in, "false");
    case 'n':
        return begin_literal(scan, in, "null");
    default:
        if (*in->at != '-' && (*in->at < '0' || *in->at > '9'))
            return fail_here(scan);
        return begin_number(scan, in);
    }
}

static enum json_event before_value(struct json_scan *scan, struct input *in)
{
    if (scan->depth > scan->watch)
        return first_byte(scan, in);
    scan->kind = (char)*in->at;
    scan->state = FIRST_BYTE;
    return JSON_BEGIN;
}

static enum json_event after_value(struct json_scan *scan, struct input *in, unsigned char closing, uint8_t next)
{
    if (*in->at == closing) {
        in->at++;
        return close_container(scan);
    }
    if (*in->at != ',')
        return fail_here(scan);
    in->at++;
    scan->state = next;
    if (!skip_blanks(in))
        return JSON_MORE;
    return next == MEMBER ? before_member(scan, in) : before_value(scan, in);
}

static enum json_event before_member(struct json_scan *scan, struct input *in)
{
    if (*in->at == '"')
        return begin_name(scan, in);
    if (*in->at != '}' || scan->state != FIRST_MEMBER)
        return fail_here(scan);
    in->at++;
    return close_container(scan);
}

static enum json_event before_element(struct json_scan *scan, struct input *in)
{
    if (*in->at != ']')
        return before_value(scan, in);
    in->at++;
    return close_container(scan);
}

static enum json_event colon(struct json_scan *scan, struct input *in)
{
    if (*in->at != ':')
        return fail_here(scan);
    in->at++;
    scan->state = VALUE;
    return skip_blanks(in) ? before_value(scan, in) : JSON_MORE;
}

/* One step in a state where blanks may stand. */
static enum json_event between(struct json_scan *scan, struct input *in)
{
    if (!skip_blanks(in))
        return JSON_MORE;
    switch ((enum json_state)scan->state) {
    case VALUE:
        return before_value(scan, in);
    case FIRST_ELEMENT:
        return before_element(scan, in);
    case FIRST_MEMBER:
    case MEMBER:
        return before_member(scan, in);
    case COLON:
        return colon(scan, in);
    case AFTER_ELEMENT:
        return after_value(scan, in, ']', VALUE);
    case AFTER_MEMBER:
        return after_value(scan, in, '}', MEMBER);
    default:
        return fail_here(scan);
    }
}

static enum json_event step(struct json_scan *scan, struct input *in)
{
    switch ((enum json_state)scan->state) {
    case FIRST_BYTE:
        return first_byte(scan, in);
    case STRING:
        return in_string(scan, in);
    case ESCAPE:
        return in_escape(scan, in);
    case HEX:
        return in_hex(scan, in);
    case LOW_BACKSLASH:
        return in_pair(scan, in, '\\', LOW_U);
    case LOW_U:
        return in_pair(scan, in, 'u', HEX);
    case UTF8:
        return in_utf8(scan, in);
    case LITERAL:
        return in_literal(scan, in);
    case FAILED:
        return JSON_ERROR;
    default:
        return scan->state < NUMBER_STATES ? in_number(scan, in) : between(scan, in);
    }
}

enum json_event json_scan_feed(struct json_scan *scan, const char *data, size_t len, size_t *ret_used)
{
    struct input in = {(const unsigned char *)data, (const unsigned char *)data + len};
    enum json_event event = JSON_MORE;
    while (event == JSON_MORE && in.at < in.end)
        event = step(scan, &in);
    *ret_used = (size_t)(in.at - (const unsigned char *)data);
    scan->offset += *ret_used;
    return event;
}

bool json_scan_finish(struct json_scan *scan)
{
    if (scan->state < NUMBER_STATES && number_next[scan->state][END] == DONE)
        end_value(scan);
    if (scan->state == DONE)
        return true;
    if (scan->state != FAILED)
        scan->expected = expected[scan->state];
    return false;
}
