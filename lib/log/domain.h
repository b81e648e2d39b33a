/* domain.h: the one spelling of a domain. */
#ifndef LOG_DOMAIN_H
#define LOG_DOMAIN_H

#include "base/limit.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>

/* Writes the domain of `text` into `ret_text` of LIMIT_DOMAIN_BYTES + 1 bytes; *ret_len without the NUL. Lower case
 * (ASCII); without blanks around it, scheme and path of a URL, port, brackets around an IPv6 address, dots at the end.
 * False, with *ret_why in plain English (static), when it is too long, has control characters, or is not UTF-8. The
 * rule for logs and for the `domain` filter alike (docs/api.md). */
bool domain_normalise(struct slice text, char *ret_text, size_t *ret_len, const char **ret_why);

/* The same by the rule of versions up to 0.2.0, which knew only lower case and dots at the end. False for what they
 * refused. */
bool domain_fold(struct slice text, char *ret_text, size_t *ret_len, const char **ret_why);

/* Is it the domain `name`, or, with `is_below`, one below it? Both are normalised. */
bool domain_is(struct slice domain, struct slice name, bool is_below);

#endif
