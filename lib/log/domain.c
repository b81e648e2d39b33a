/* domain.c: the one spelling of a domain, so that google.com:443 and https://google.com/ are the website google.com.
 * Knows URLs as far as that needs. Knows no DNS, and no Unicode but UTF-8: which letters of two scripts or cases are
 * one would change with Unicode's tables, and a stored name must not. */
#include "log/domain.h"

#include <string.h>

#include "base/banned.h"

static struct slice from(struct slice text, size_t begin)
{
    return (struct slice){text.data + begin, text.len - begin};
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static struct slice without_blanks(struct slice text)
{
    while (text.len > 0 && text.data[0] == ' ')
        text = from(text, 1);
    while (text.len > 0 && text.data[text.len - 1] == ' ')
        text.len--;
    return text;
}

static struct slice without_dots(struct slice text)
{
    while (text.len > 0 && text.data[text.len - 1] == '.')
        text.len--;
    return text;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The length of "https://" and its like (RFC 3986, 3.1), or 0. */
static size_t scheme_length(struct slice text)
{
    size_t len = 0;
    if (text.len == 0 || !is_letter(text.data[0]))
        return 0;
    while (len < text.len &&
           (is_letter(text.data[len]) || is_digit(text.data[len]) || is_one_of(text.data[len], "+-.")))
        len++;
    return text.len - len >= 3 && memcmp(text.data + len, "://", 3) == 0 ? len + 3 : 0;
}

/* Of a URL, what stands between its scheme, and a user before it, and the path. */
static struct slice authority(struct slice text)
{
    size_t scheme = scheme_length(text), begin = 0, len = 0;
    if (scheme == 0)
        return text;
    text = from(text, scheme);
    while (len < text.len && !is_one_of(text.data[len], "/?#"))
        len++;
    text.len = len;
    for (size_t i = 0; i < len; i++)
        if (text.data[i] == '@')
            begin = i + 1;
    return from(text, begin);
}

/* Where ":443" begins, or the text's length. */
static size_t port_begin(struct slice text)
{
    size_t at = text.len;
    unsigned port = 0;
    while (at > 0 && is_digit(text.data[at - 1]))
        at--;
    if (at == 0 || text.data[at - 1] != ':' || text.len - at > 5)
        return text.len;
    for (size_t i = at; i < text.len; i++)
        port = port * 10 + (unsigned)(text.data[i] - '0');
    return port <= LIMIT_PORT ? at - 1 : text.len;
}

/* Without a port; "" stays what it is. An IPv6 address has colons of its own, so it has a port only after brackets. */
static struct slice without_port(struct slice text)
{
    struct slice host = {text.data, port_begin(text)};
    bool is_bracketed =
        host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']' && !memchr(host.data, ']', host.len - 1);
    if (is_bracketed)
        return (struct slice){host.data + 1, host.len - 2};
    return host.len > 0 && !memchr(host.data, ':', host.len) ? host : text;
}

static const char *fault_of(struct slice text)
{
    if (text.len > LIMIT_DOMAIN_BYTES)
        return "must be at most 253 bytes, not counting a dot at the end";
    if (text_has_control(text.data, text.len))
        return "must not contain control characters";
    if (!text_is_utf8(text.data, text.len))
        return "must be valid UTF-8";
    return NULL;
}

static bool take(struct slice text, char *ret_text, size_t *ret_len, const char **ret_why)
{
    const char *why = fault_of(text);
    if (why) {
        *ret_why = why;
        return false;
    }
    if (text.len > 0)
        memcpy(ret_text, text.data, text.len);
    text_lower(ret_text, text.len);
    ret_text[text.len] = '\0';
    *ret_len = text.len;
    return true;
}

bool domain_fold(struct slice text, char *ret_text, size_t *ret_len, const char **ret_why)
{
    return take(without_dots(text), ret_text, ret_len, ret_why);
}

bool domain_normalise(struct slice text, char *ret_text, size_t *ret_len, const char **ret_why)
{
    struct slice host = without_port(without_blanks(authority(without_blanks(text))));
    return take(without_dots(without_blanks(host)), ret_text, ret_len, ret_why);
}

static bool is_same(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool domain_is(struct slice domain, struct slice name, bool is_below)
{
    if (is_same(domain, name))
        return true;
    bool is_longer = domain.len > name.len && domain.data[domain.len - name.len - 1] == '.';
    return is_below && is_longer && is_same(from(domain, domain.len - name.len), name);
}
