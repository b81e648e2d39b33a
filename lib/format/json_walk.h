/* json_walk.h: the members of one JSON object, in place. For text that json_scan has read to its end, so that it is
 * known to be sound, and whose inner arrays and objects are empty. Copies nothing, allocates nothing. Knows no field.
 */
#ifndef FORMAT_JSON_WALK_H
#define FORMAT_JSON_WALK_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

enum json_kind { JSON_KIND_STRING, JSON_KIND_NUMBER, JSON_KIND_OTHER }; /* other: true, false, null, [] or {} */

/* A string without its quotes, or a number as written. */
struct json_text {
    struct slice raw;
    bool escaped; /* a backslash is in it: json_unescape gives the text that is meant */
};

struct json_member {
    struct json_text name;
    enum json_kind kind;
    struct json_text value; /* empty for JSON_KIND_OTHER */
};

struct json_walk {
    const char *at;
    const char *end;
};

/* Before the first member of `object`, which begins with its brace and is borrowed. */
void json_walk_begin(struct json_walk *walk, struct slice object);

/* The next member; false after the last. */
bool json_walk_next(struct json_walk *walk, struct json_member *ret_member);

/* Writes the text that `raw` stands for, in UTF-8: at most raw.len bytes. Returns its length. */
size_t json_unescape(struct slice raw, char *ret_text);

#endif
