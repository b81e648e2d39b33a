/* role.h: what a caller may do, and the words for it. Knows no keys. */
#ifndef KEYS_ROLE_H
#define KEYS_ROLE_H

#include "base/text.h"

enum role { ROLE_NONE, ROLE_WORKER, ROLE_USER, ROLE_ADMIN, ROLE_VIEWER };

/* "worker", "user", "admin", "viewer"; "" for ROLE_NONE. Static. */
const char *role_name(enum role role);

/* ROLE_NONE for any other text. */
enum role role_parse(struct slice text);

#endif
