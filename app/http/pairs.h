/* pairs.h: the pairs of a query string, as they are written. */
#ifndef HTTP_PAIRS_H
#define HTTP_PAIRS_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* The pair at *at, without its '&', perhaps empty; *at moves behind it. At the end of the string there is none. */
struct slice pairs_next(const char **at);

/* What stands before the '=' of a pair. */
struct slice pairs_name(struct slice pair);

/* Adds pairs at the end of the NUL-terminated `text`, which has `size` bytes. False: they do not fit. */
bool pairs_add(char *text, size_t size, struct slice pairs);

/* The pairs of `query` whose names `bound` does not have, to `ret_text`. Names are compared as they are written: one
 * that is encoded in another way stays, and is then given twice, which is refused. False: they do not fit. */
bool pairs_without(const char *query, const char *bound, char *ret_text, size_t size);

#endif
