/* rfc8259.h: the grammar of JSON a second time, to compare lib/format/json_scan and json_logs with. It has the whole
 * text in memory, and a function for each production. Knows nothing of the product. */
#ifndef RFC8259_H
#define RFC8259_H

#include <stdbool.h>
#include <stddef.h>

struct json_span {
    const char *data;
    size_t len;
};

/* True for one JSON value in UTF-8 (RFC 3629), perhaps with blanks around it, without lone surrogates, and with at most
 * `max_depth` arrays and objects inside each other. *ret_value is the value without the blanks. */
bool rfc8259_value(struct json_span text, unsigned max_depth, struct json_span *ret_value);

/* The members of an object, or the elements of an array, in a value that rfc8259_value has accepted. *at is NULL at
 * first. False after the last. Names come with their quotes. */
bool rfc8259_next_member(struct json_span object, const char **at, struct json_span *ret_name,
                         struct json_span *ret_value);
bool rfc8259_next_element(struct json_span array, const char **at, struct json_span *ret_value);

#endif
