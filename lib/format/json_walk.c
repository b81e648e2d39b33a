/* json_walk.c: members, values and escapes of sound JSON text. Knows RFC 8259. Relies on json_scan for the grammar:
 * text that is not sound gives wrong members, but nothing beyond its end is read. */
#include "format/json_walk.h"

#include <stdint.h>
#include <string.h>

#include "base/banned.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The next byte that is neither blank nor one of the marks between names and values; NUL at the end. */
static char skip_to_token(struct json_walk *walk)
{
    while (walk->at < walk->end && (is_blank(*walk->at) || *walk->at == ',' || *walk->at == ':' || *walk->at == '{'))
        walk->at++;
    return walk->at < walk->end ? *walk->at : '\0';
}

/* `at` is the opening quote. */
static void take_string(struct json_walk *walk, struct json_text *ret_text)
{
    const char *at = walk->at + 1, *begin = at;
    bool escaped = false;
    for (; at < walk->end && *at != '"'; at++)
        if (*at == '\\') {
            escaped = true;
            at++;
        }
    at = at < walk->end ? at : walk->end;
    *ret_text = (struct json_text){{begin, (size_t)(at - begin)}, escaped};
    walk->at = at < walk->end ? at + 1 : at;
}

/* A number, true, false, null, [] or {}: up to what follows a value. */
static struct slice take_plain(struct json_walk *walk)
{
    const char *begin = walk->at;
    if (*begin == '{' && walk->end - begin > 1)
        walk->at += 2; /* its own brace would look like the object's last one */
    while (walk->at < walk->end && *walk->at != ',' && *walk->at != '}' && !is_blank(*walk->at))
        walk->at++;
    return (struct slice){begin, (size_t)(walk->at - begin)};
}

static bool is_number(char first)
{
    return first == '-' || (first >= '0' && first <= '9');
}

/* Moves to the value's first byte: past the colon, which stands alone among blanks. */
static char skip_colon(struct json_walk *walk)
{
    while (walk->at < walk->end && (is_blank(*walk->at) || *walk->at == ':'))
        walk->at++;
    return walk->at < walk->end ? *walk->at : '\0';
}

void json_walk_begin(struct json_walk *walk, struct slice object)
{
    *walk = (struct json_walk){object.data, object.data + object.len};
}

bool json_walk_next(struct json_walk *walk, struct json_member *ret_member)
{
    if (skip_to_token(walk) != '"')
        return false;
    take_string(walk, &ret_member->name);
    char first = skip_colon(walk);
    ret_member->value = (struct json_text){{"", 0}, false};
    ret_member->kind = first == '"' ? JSON_KIND_STRING : is_number(first) ? JSON_KIND_NUMBER : JSON_KIND_OTHER;
    if (first == '"')
        take_string(walk, &ret_member->value);
    else if (first != '\0') {
        struct slice plain = take_plain(walk);
        if (ret_member->kind == JSON_KIND_NUMBER)
            ret_member->value.raw = plain;
    }
    return true;
}

/* Escapes. */

static uint32_t hex_unit(const char *digits)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = digits[i];
        unit = unit << 4 | (uint32_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return unit;
}

static size_t put_utf8(char *at, uint32_t code)
{
    size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    at[0] = (char)(lead[more] | code >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        at[i] = (char)(0x80 | (code >> (6 * (more - i)) & 0x3f));
    return more + 1;
}

/* A \u escape, or the two of a surrogate pair; `at` is its u. */
static const char *unescape_unit(const char *at, const char *end, char **to)
{
    if (end - at < 5)
        return end;
    uint32_t code = hex_unit(at + 1);
    at += 5;
    if ((code & 0xfc00) == 0xd800 && end - at >= 6) {
        code = 0x10000 + ((code & 0x3ff) << 10 | (hex_unit(at + 2) & 0x3ff));
        at += 6;
    }
    *to += put_utf8(*to, code);
    return at;
}

size_t json_unescape(struct slice raw, char *ret_text)
{
    static const char meaning[256] = {['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};
    const char *at = raw.data, *end = raw.data + raw.len;
    char *to = ret_text;
    while (at < end) {
        if (*at != '\\' || at + 1 == end) {
            *to++ = *at++;
            continue;
        }
        at++;
        if (*at == 'u') {
            at = unescape_unit(at, end, &to);
            continue;
        }
        char named = meaning[(unsigned char)*at];
        *to++ = named ? named : *at;
        at++;
    }
    return (size_t)(to - ret_text);
}
