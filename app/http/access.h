/* access.h: which role may do what. */
#ifndef HTTP_ACCESS_H
#define HTTP_ACCESS_H

#include "keys/role.h"
#include "report/dimension.h"

#include <stdbool.h>

enum right { RIGHT_NONE, RIGHT_WHOAMI, RIGHT_READ, RIGHT_INGEST, RIGHT_METRICS, RIGHT_SHARE, RIGHTS };

/* docs/api.md, "Authentication". */
bool access_allows(enum role role, enum right right);

/* May it filter and break down by the dimension? `users_see_network` is the setting of this name. */
bool access_to_dimension(enum role role, bool users_see_network, enum dimension by);

/* What the right is, behind "may": "ask who it is", "read reports", "send batches", "read the metrics", "share views";
 * "" for RIGHT_NONE. Static. */
const char *access_what(enum right right);

#endif
