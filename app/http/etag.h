/* etag.h: entity tags of reports (RFC 9110, 8.8.3) and the header that asks with them. Knows no SQL and no report. */
#ifndef HTTP_ETAG_H
#define HTTP_ETAG_H

#include "http/http.h"
#include "http/params.h"
#include "store/store.h"

#include <stdbool.h>

#define ETAG_BYTES 35 /* 32 hex digits in quotes, and a NUL */

/* The tag of the answer to this request, which params are read from and scoped to the caller, when `state` is what is
 * stored: a strong one, known before the report is made. */
void etag_make(const struct request *request, const struct params *params, const struct store_state *state,
               char ret_etag[ETAG_BYTES]);

/* True when If-None-Match names the tag, or is "*". Weak tags count as strong ones (RFC 9110, 13.1.2): a proxy that
 * compresses makes them weak. What is not such a list names nothing. NULL is no header. */
bool etag_matches(const char *if_none_match, const char *etag);

#endif
