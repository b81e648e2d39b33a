/* access.h: which role may do what. */
#ifndef HTTP_ACCESS_H
#define HTTP_ACCESS_H

#include "keys/role.h"

#include <stdbool.h>

enum right { RIGHT_NONE, RIGHT_WHOAMI, RIGHT_READ, RIGHT_INGEST, RIGHT_METRICS, RIGHTS };

/* docs/api.md, "Authentication". */
bool access_allows(enum role role, enum right right);

/* What the right is, behind "may": "ask who it is", "read reports", "send batches", "read the metrics"; "" for
 * RIGHT_NONE. Static. */
const char *access_what(enum right right);

#endif
