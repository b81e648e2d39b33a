/* accept.h: which of our formats a client would rather have, by its Accept header (RFC 9110, 12.5.1). Knows no request,
 * no report. */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include <stdbool.h>

/* True when `accept` gives text/csv a higher quality than application/json. "", what can't be read, and a header that
 * takes neither: false, since JSON is what everybody gets who does not ask for something else. */
bool accept_prefers_csv(const char *accept);

#endif
