/* text.h: bytes as text. UTF-8, numbers parsed whole, escaping named by where the text lands. Knows no JSON library. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A borrowed piece of text; not terminated. */
struct slice {
    const char *data;
    size_t len;
};

struct slice slice_of(const char *cstr);
bool slice_equals(struct slice text, const char *cstr);
bool slice_equals_nocase(struct slice text, const char *cstr); /* ASCII */

/* True when the two differ at most by the case of ASCII letters, by '_' and by '-': sort_by, SORTBY and sort-by
 * resemble sortBy. */
bool slice_resembles(struct slice text, const char *cstr);

/* Does `text` contain `part`? The case of ASCII letters makes no difference; all other bytes are compared as they are.
 */
bool slice_contains_nocase(struct slice text, struct slice part);

/* True for well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). NUL is allowed. */
bool text_is_utf8(const char *data, size_t len);

/* True when a byte below 0x20 or 0x7f is in it. */
bool text_has_control(const char *data, size_t len);

/* Parses the whole of `text` as a decimal integer in [min, max]: digits, with a leading '-' only when min < 0; no sign
 * otherwise, no blanks, at most 19 digits, no leading zeros. */
bool text_to_i64(struct slice text, int64_t min, int64_t max, int64_t *ret_value);

/* Lower-cases ASCII letters in place. */
void text_lower(char *data, size_t len);

/* Lower-case hex of `n` bytes into `ret_hex`, which holds 2n+1. */
void text_hex(const unsigned char *bytes, size_t n, char *ret_hex);

/* What a person or a program wrote, as a message quotes it: in quotation marks, '?' for each control character, the end
 * of a long text cut off. Returns `ret_quoted`. */
#define TEXT_QUOTE_BYTES 72
#define TEXT_QUOTED_MOST 60 /* bytes of the text */
const char *text_quote(struct slice text, char ret_quoted[TEXT_QUOTE_BYTES]);

/* Escaping. Each writes the quotes too. Bytes that are not UTF-8 become U+FFFD. */
void text_put_json(struct buf *buf, struct slice text); /* a JSON string, RFC 8259; '<', '>', '&', U+2028 and U+2029 as
                                                           \u…, so it is safe inside HTML */
void text_put_log(struct buf *buf, struct slice text);  /* a value of a log line: quoted, printable, one line */

/* A field of CSV, RFC 4180: in quotes only where it holds a comma, a quote, CR or LF. */
void text_put_csv(struct buf *buf, struct slice text);

#endif
