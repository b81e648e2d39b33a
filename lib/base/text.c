/* text.c: UTF-8, whole numbers, escaping. Knows bytes and code points. Knows no file, field or protocol. */
#include "base/text.h"

#include <string.h>
#include <strings.h>

#include "base/banned.h"

static const char hex_digits[] = "0123456789abcdef";

struct slice slice_of(const char *cstr)
{
    return (struct slice){cstr, strlen(cstr)};
}

bool slice_equals(struct slice text, const char *cstr)
{
    return strlen(cstr) == text.len && (text.len == 0 || memcmp(text.data, cstr, text.len) == 0);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool slice_equals_nocase(struct slice text, const char *cstr)
{
    if (strlen(cstr) != text.len)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (lower(text.data[i]) != lower(cstr[i]))
            return false;
    return true;
}

bool slice_contains_nocase(struct slice text, struct slice part)
{
    for (size_t at = 0; at + part.len <= text.len; at++) {
        size_t same = 0;
        while (same < part.len && lower(text.data[at + same]) == lower(part.data[same]))
            same++;
        if (same == part.len)
            return true;
    }
    return false;
}

/* The next character that counts, in lower case; -1 at the end. Moves `*at` behind it. */
static int next_counting(const char *data, size_t len, size_t *at)
{
    while (*at < len && (data[*at] == '_' || data[*at] == '-'))
        ++*at;
    if (*at == len)
        return -1;
    unsigned char c = (unsigned char)data[(*at)++];
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

bool slice_resembles(struct slice text, const char *cstr)
{
    size_t len = strlen(cstr), i = 0, j = 0;
    int a, b;
    do {
        a = next_counting(text.data, text.len, &i);
        b = next_counting(cstr, len, &j);
    } while (a == b && a >= 0);
    return a == b;
}

/* The bytes of the character that begins at `at` (RFC 3629, section 4), 0 when it is not well formed. */
static size_t utf8_length(const unsigned char *at, size_t len)
{
    unsigned char lead = at[0];
    if (lead < 0x80)
        return 1;
    if (lead < 0xc2 || lead > 0xf4)
        return 0;
    size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (length > len || at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

bool text_is_utf8(const char *data, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)data;
    for (size_t i = 0; i < len;) {
        size_t length = utf8_length(bytes + i, len - i);
        if (length == 0)
            return false;
        i += length;
    }
    return true;
}

bool text_has_control(const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)data[i] < 0x20 || data[i] == 0x7f)
            return true;
    return false;
}

/* Digits only, at most 19 of them, so that an unsigned 64-bit integer holds any. */
static bool parse_digits(const char *digits, size_t len, uint64_t *ret_value)
{
    if (len == 0 || len > 19 || (len > 1 && digits[0] == '0'))
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < len; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(digits[i] - '0');
    }
    *ret_value = value;
    return true;
}

bool text_to_i64(struct slice text, int64_t min, int64_t max, int64_t *ret_value)
{
    uint64_t magnitude;
    size_t sign = min < 0 && text.len > 0 && text.data[0] == '-' ? 1 : 0;
    if (text.len == 0 || !parse_digits(text.data + sign, text.len - sign, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + sign || (sign && magnitude == 0))
        return false;
    int64_t value = sign ? -(int64_t)(magnitude - 1) - 1 : (int64_t)magnitude;
    if (value < min || value > max)
        return false;
    *ret_value = value;
    return true;
}

void text_lower(char *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        data[i] = lower(data[i]);
}

void text_hex(const unsigned char *bytes, size_t n, char *ret_hex)
{
    for (size_t i = 0; i < n; i++) {
        ret_hex[2 * i] = hex_digits[bytes[i] >> 4];
        ret_hex[2 * i + 1] = hex_digits[bytes[i] & 0xf];
    }
    ret_hex[2 * n] = '\0';
}

static uint32_t code_point(const unsigned char *at, size_t length)
{
    static const unsigned char lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = at[0] & lead_bits[length];
    for (size_t i = 1; i < length; i++)
        code = code << 6 | (at[i] & 0x3fu);
    return code;
}

/* Which code points need an escape, besides those that every JSON string escapes. */
typedef bool (*escape_rule)(uint32_t code);

static bool escaped_in_html(uint32_t code)
{
    return code == '<' || code == '>' || code == '&' || code == 0x2028 || code == 0x2029;
}

/* What a terminal or a pager would act on: C1 controls, line separators, marks that reorder text. */
static bool escaped_in_log(uint32_t code)
{
    return (code >= 0x7f && code <= 0x9f) || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

static void put_escape(struct buf *buf, uint32_t code)
{
    static const char named[] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't', ['"'] = '"'};
    char text[6] = {'\\', code == '\\' ? '\\' : code < sizeof named ? named[code] : '\0'};
    if (text[1] != '\0') {
        buf_put(buf, text, 2);
        return;
    }
    text[1] = 'u';
    for (size_t i = 0; i < 4; i++)
        text[2 + i] = hex_digits[code >> (12 - 4 * i) & 0xf];
    buf_put(buf, text, sizeof text);
}

static void put_quoted(struct buf *buf, struct slice text, escape_rule rule)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    size_t done = 0; /* written so far; what lies between it and `at` goes out as it is */
    buf_putc(buf, '"');
    size_t at = 0;
    while (at < text.len) {
        size_t length = utf8_length(bytes + at, text.len - at);
        uint32_t code = length ? code_point(bytes + at, length) : 0xfffd;
        bool escape = code < 0x20 || code == '"' || code == '\\' || rule(code);
        if (length && !escape) {
            at += length;
            continue;
        }
        buf_put(buf, bytes + done, at - done);
        if (length)
            put_escape(buf, code);
        else
            buf_puts(buf, "\xef\xbf\xbd");
        at += length ? length : 1;
        done = at;
    }
    if (at > done)
        buf_put(buf, bytes + done, at - done);
    buf_putc(buf, '"');
}

const char *text_quote(struct slice text, char ret_quoted[TEXT_QUOTE_BYTES])
{
    size_t len = text.len < TEXT_QUOTED_MOST ? text.len : TEXT_QUOTED_MOST;
    while (len < text.len && len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80)
        len--; /* not inside of a character */
    char *at = ret_quoted;
    *at++ = '"';
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        *at++ = c < ' ' || c == 0x7f ? '?' : text.data[i];
    }
    memcpy(at, len < text.len ? "…\"" : "\"", len < text.len ? sizeof "…\"" : sizeof "\"");
    return ret_quoted;
}

void text_put_json(struct buf *buf, struct slice text)
{
    put_quoted(buf, text, escaped_in_html);
}

void text_put_log(struct buf *buf, struct slice text)
{
    put_quoted(buf, text, escaped_in_log);
}

static bool is_quoted_in_csv(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '"' || text.data[i] == ',' || text.data[i] == '\r' || text.data[i] == '\n')
            return true;
    return false;
}

/* The bytes; what is not UTF-8 becomes U+FFFD, and a quote two. */
static void put_csv_bytes(struct buf *buf, struct slice text)
{
    const unsigned char *bytes = (const unsigned char *)text.data;
    for (size_t at = 0; at < text.len;) {
        size_t length = utf8_length(bytes + at, text.len - at);
        if (bytes[at] == '"')
            buf_putc(buf, '"');
        if (length)
            buf_put(buf, bytes + at, length);
        else
            buf_puts(buf, "\xef\xbf\xbd");
        at += length ? length : 1;
    }
}

void text_put_csv(struct buf *buf, struct slice text)
{
    const char *quote = is_quoted_in_csv(text) ? "\"" : "";
    buf_puts(buf, quote);
    put_csv_bytes(buf, text);
    buf_puts(buf, quote);
}
