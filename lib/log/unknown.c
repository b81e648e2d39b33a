/* unknown.c: counts names that no log has. Knows how a name that may hold anything is shown. */
#include "log/unknown.h"

#include <string.h>

#include "base/banned.h"

/* Where a text of at most `max` bytes may be cut without cutting a character of UTF-8. */
static size_t cut(struct slice text, size_t max)
{
    size_t len = text.len;
    if (len <= max)
        return len;
    for (len = max; len > 0 && ((unsigned char)text.data[len] & 0xc0) == 0x80;)
        len--;
    return len;
}

void log_unknown_show(struct slice name, char ret_text[UNKNOWN_NAME_BYTES])
{
    size_t len = cut(name, UNKNOWN_NAME_BYTES - 1);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        ret_text[i] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    ret_text[len] = '\0';
}

size_t log_unknown_find(struct log_unknown *unknown, struct slice name)
{
    char shown[UNKNOWN_NAME_BYTES] = "";
    log_unknown_show(name, shown);
    size_t i = 0;
    while (i < unknown->count && strcmp(unknown->names[i].name, shown) != 0)
        i++;
    if (i == unknown->count && i < UNKNOWN_NAMES)
        memcpy(unknown->names[unknown->count++].name, shown, sizeof shown);
    return i;
}

void log_unknown_count(struct log_unknown *unknown, size_t place)
{
    if (place < UNKNOWN_NAMES)
        unknown->names[place].count++;
    else
        unknown->others++;
}
