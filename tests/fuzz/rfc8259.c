/* rfc8259.c: see rfc8259.h. Recursive descent, one function per production of the RFC; slow and plain on purpose. */
#include "rfc8259.h"

#include <stdint.h>
#include <string.h>

struct text {
    const unsigned char *at;
    const unsigned char *end;
    unsigned left; /* arrays and objects that may still be opened */
};

static bool value(struct text *text);

/* The next byte, or -1. */
static int peek(const struct text *text)
{
    return text->at < text->end ? *text->at : -1;
}

static bool take(struct text *text, int byte)
{
    if (peek(text) != byte)
        return false;
    text->at++;
    return true;
}

static bool take_any(struct text *text, const char *bytes)
{
    int byte = peek(text);
    return byte > 0 && strchr(bytes, byte) && take(text, byte);
}

static bool take_word(struct text *text, const char *word)
{
    for (; *word; word++)
        if (!take(text, *word))
            return false;
    return true;
}

static void ws(struct text *text)
{
    while (take_any(text, " \t\n\r"))
        continue;
}

static bool digits(struct text *text)
{
    if (!take_any(text, "0123456789"))
        return false;
    while (take_any(text, "0123456789"))
        continue;
    return true;
}

/* number = [ minus ] int [ frac ] [ exp ] */
static bool number(struct text *text)
{
    take(text, '-');
    if (!take(text, '0') && !digits(text))
        return false;
    if (take(text, '.') && !digits(text))
        return false;
    if (!take_any(text, "eE"))
        return true;
    take_any(text, "+-");
    return digits(text);
}

static bool hex4(struct text *text, unsigned *ret_unit)
{
    static const char hex[] = "0123456789abcdef0123456789ABCDEF";
    unsigned unit = 0;
    for (int i = 0; i < 4; i++) {
        int byte = peek(text);
        if (!take_any(text, hex))
            return false;
        unit = unit * 16 + (unsigned)(strchr(hex, byte) - hex) % 16;
    }
    *ret_unit = unit;
    return true;
}

/* What follows a backslash. A surrogate stands only in a pair (section 8.2 leaves the rest to the reader). */
static bool escape(struct text *text)
{
    unsigned unit, second;
    if (take_any(text, "\"\\/bfnrt"))
        return true;
    if (!take(text, 'u') || !hex4(text, &unit))
        return false;
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    return unit <= 0xdbff && take_word(text, "\\u") && hex4(text, &second) && second >= 0xdc00 && second <= 0xdfff;
}

/* One character beyond ASCII: decoded, then judged by its number and its length. */
static bool utf8(struct text *text)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    unsigned lead = *text->at++;
    unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    uint32_t point = lead & (0x3fu >> more);
    if (lead < 0xc0 || lead > 0xf7)
        return false;
    for (unsigned i = 0; i < more; i++) {
        if (peek(text) < 0x80 || peek(text) > 0xbf)
            return false;
        point = point << 6 | (*text->at++ & 0x3fu);
    }
    return point >= least[more] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
}

static bool string(struct text *text)
{
    if (!take(text, '"'))
        return false;
    while (!take(text, '"')) {
        int byte = peek(text);
        if (byte < 0x20) /* or the end */
            return false;
        if (byte >= 0x80 ? !utf8(text) : take(text, '\\') ? !escape(text) : !take(text, byte))
            return false;
    }
    return true;
}

static bool member(struct text *text)
{
    ws(text);
    if (!string(text))
        return false;
    ws(text);
    return take(text, ':') && value(text);
}

/* Members or elements, with commas between them, up to the closing bracket. */
static bool container(struct text *text, bool (*item)(struct text *), int closing)
{
    text->at++;
    if (text->left == 0)
        return false;
    text->left--;
    ws(text);
    if (!take(text, closing)) {
        do {
            if (!item(text))
                return false;
        } while (take(text, ','));
        if (!take(text, closing))
            return false;
    }
    text->left++;
    return true;
}

static bool bare_value(struct text *text)
{
    switch (peek(text)) {
    case '{':
        return container(text, member, '}');
    case '[':
        return container(text, value, ']');
    case '"':
        return string(text);
    case 't':
        return take_word(text, "true");
    case 'f':
        return take_word(text, "false");
    case 'n':
        return take_word(text, "null");
    default:
        return number(text);
    }
}

static bool value(struct text *text)
{
    ws(text);
    if (!bare_value(text))
        return false;
    ws(text);
    return true;
}

static struct json_span span(const unsigned char *from, const unsigned char *to)
{
    return (struct json_span){(const char *)from, (size_t)(to - from)};
}

bool rfc8259_value(struct json_span source, unsigned max_depth, struct json_span *ret_value)
{
    const unsigned char *data = (const unsigned char *)source.data;
    struct text text = {data, source.len ? data + source.len : data, max_depth};
    ws(&text);
    const unsigned char *start = text.at;
    if (!bare_value(&text))
        return false;
    *ret_value = span(start, text.at);
    ws(&text);
    return text.at == text.end;
}

/* Moves before the next item of the container; false when there is none. */
static bool next_item(struct json_span whole, const char **at, struct text *ret_text)
{
    const unsigned char *start = (const unsigned char *)(*at ? *at : whole.data);
    *ret_text = (struct text){start, (const unsigned char *)whole.data + whole.len, UINT32_MAX};
    ws(ret_text);
    ret_text->at++; /* the opening bracket, a comma, or the closing bracket */
    ws(ret_text);
    return ret_text->at < ret_text->end && peek(ret_text) != '}' && peek(ret_text) != ']';
}

bool rfc8259_next_element(struct json_span array, const char **at, struct json_span *ret_value)
{
    struct text text;
    if (!next_item(array, at, &text))
        return false;
    const unsigned char *start = text.at;
    bare_value(&text);
    *ret_value = span(start, text.at);
    *at = (const char *)text.at;
    return true;
}

bool rfc8259_next_member(struct json_span object, const char **at, struct json_span *ret_name,
                         struct json_span *ret_value)
{
    struct text text;
    if (!next_item(object, at, &text))
        return false;
    const unsigned char *start = text.at;
    string(&text);
    *ret_name = span(start, text.at);
    ws(&text);
    text.at++; /* the colon */
    ws(&text);
    start = text.at;
    bare_value(&text);
    *ret_value = span(start, text.at);
    *at = (const char *)text.at;
    return true;
}
