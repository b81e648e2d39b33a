/* rfc8259.h: the grammar of JSON, written down a second time: one whole text in memory, one function per production. To
 * compare lib/json_scan and lib/json_logs with. Knows nothing of the product. */
#ifndef RFC8259_H
#define RFC8259_H

#include <stdbool.h>
#include <stddef.h>

struct json_span {
    const char *data;
    size_t len;
};

/* True for one JSON value with blanks around it, UTF-8 as RFC 3629 has it, no lone surrogates, and at most `max_depth`
 * arrays and objects inside each other. *ret_value is the value without the blanks. */
bool rfc8259_value(struct json_span text, unsigned max_depth, struct json_span *ret_value);

/* The members of an object, the elements of an array: of a value that rfc8259_value found sound. *at is NULL at first.
 * False after the last. Names come with their quotes. */
bool rfc8259_next_member(struct json_span object, const char **at, struct json_span *ret_name,
                         struct json_span *ret_value);
bool rfc8259_next_element(struct json_span array, const char **at, struct json_span *ret_value);

#endif
