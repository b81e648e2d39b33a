/* pairs.c: the pairs of a query string, as they are written. Decodes nothing. Knows no parameter and no key. */
#include "http/pairs.h"

#include <string.h>

#include "base/banned.h"

struct slice pairs_next(const char **at)
{
    struct slice pair = {*at, strcspn(*at, "&")};
    *at += pair.len;
    *at += **at == '&';
    return pair;
}

struct slice pairs_name(struct slice pair)
{
    const char *equals = memchr(pair.data, '=', pair.len);
    return (struct slice){pair.data, equals ? (size_t)(equals - pair.data) : pair.len};
}

bool pairs_add(char *text, size_t size, struct slice pairs)
{
    size_t len = strlen(text), joint = len > 0;
    if (pairs.len == 0)
        return true;
    if (len + joint + pairs.len >= size)
        return false;
    memcpy(text + len, "&", joint);
    memcpy(text + len + joint, pairs.data, pairs.len);
    text[len + joint + pairs.len] = '\0';
    return true;
}

static bool has_name(const char *query, struct slice name)
{
    while (*query) {
        struct slice other = pairs_name(pairs_next(&query));
        if (other.len == name.len && memcmp(other.data, name.data, name.len) == 0)
            return true;
    }
    return false;
}

bool pairs_without(const char *query, const char *bound, char *ret_text, size_t size)
{
    ret_text[0] = '\0';
    while (*query) {
        struct slice pair = pairs_next(&query);
        if (!has_name(bound, pairs_name(pair)) && !pairs_add(ret_text, size, pair))
            return false;
    }
    return true;
}
