/* accept.c: media ranges and their qualities. Knows RFC 9110's grammar of Accept. Knows no request, no report. */
#include "http/accept.h"

#include "base/text.h"

#include <string.h>

#include "base/banned.h"

/* How well a media range fits: the best fit decides, whatever the others say (RFC 9110, 12.5.1). */
enum fit { FIT_NONE, FIT_ANY, FIT_TYPE, FIT_EXACT };

/* How the header rates one of our formats. */
struct verdict {
    const char *type;  /* "text" */
    const char *whole; /* "text/csv" */
    enum fit fit;
    int quality; /* thousandths */
};
static struct slice trim(struct slice text)
{
    while (text.len > 0 && (*text.data == ' ' || *text.data == '\t'))
        text = (struct slice){text.data + 1, text.len - 1};
    while (text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* Cuts off what stands before the first `end` outside of a quoted string, and leaves what comes after it. */
static struct slice cut(struct slice *rest, char end)
{
    bool quoted = false;
    size_t at = 0;
    for (; at < rest->len && (quoted || rest->data[at] != end); at++) {
        if (rest->data[at] == '"')
            quoted = !quoted;
        if (quoted && rest->data[at] == '\\' && at + 1 < rest->len)
            at++;
    }
    struct slice piece = trim((struct slice){rest->data, at});
    at += at < rest->len;
    *rest = (struct slice){rest->data + at, rest->len - at};
    return piece;
}

/* "0", "0.5", "1.000": in thousandths, or -1. */
static int parse_quality(struct slice text)
{
    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.data[1] != '.'))
        return -1;
    int quality = 0, weight = 1000;
    for (size_t i = 0; i < text.len; i++) {
        if (i == 1)
            continue;
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        quality += (text.data[i] - '0') * weight;
        weight /= 10;
    }
    return quality <= 1000 ? quality : -1;
}

/* The quality among a range's parameters; 1000 without, -1 when it can't be read. Other parameters say how the text is
 * to be written (charset=utf-8, header=present): there is one way. */
static int find_quality(struct slice parameters)
{
    while (parameters.len > 0) {
        struct slice value = cut(&parameters, ';');
        struct slice name = cut(&value, '=');
        if (slice_equals_nocase(name, "q"))
            return parse_quality(trim(value));
    }
    return 1000;
}

static enum fit fit_of(struct slice range, const struct verdict *verdict)
{
    if (slice_equals(range, "*/*"))
        return FIT_ANY;
    if (slice_equals_nocase(range, verdict->whole))
        return FIT_EXACT;
    size_t type_len = strlen(verdict->type);
    if (range.len == type_len + 2 && memcmp(range.data + type_len, "/*", 2) == 0 &&
        slice_equals_nocase((struct slice){range.data, type_len}, verdict->type))
        return FIT_TYPE;
    return FIT_NONE;
}

static void hear(struct verdict *verdict, struct slice range, int quality)
{
    enum fit fit = fit_of(range, verdict);
    if (fit == FIT_NONE || fit < verdict->fit || (fit == verdict->fit && quality <= verdict->quality))
        return;
    verdict->fit = fit;
    verdict->quality = quality;
}

bool accept_prefers_csv(const char *accept)
{
    struct verdict csv = {.type = "text", .whole = "text/csv"};
    struct verdict json = {.type = "application", .whole = "application/json"};
    struct slice rest = slice_of(accept);
    while (rest.len > 0) {
        struct slice parameters = cut(&rest, ',');
        struct slice range = cut(&parameters, ';');
        int quality = find_quality(parameters);
        if (quality < 0)
            continue;
        hear(&csv, range, quality);
        hear(&json, range, quality);
    }
    return csv.quality > json.quality;
}
