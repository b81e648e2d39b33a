/* role.c: roles and the words for them. Knows no keys. */
#include "keys/role.h"

#include "base/banned.h"

static const char *const role_names[] = {
    [ROLE_NONE] = "", [ROLE_WORKER] = "worker", [ROLE_USER] = "user", [ROLE_ADMIN] = "admin", [ROLE_VIEWER] = "viewer"};

const char *role_name(enum role role)
{
    return role_names[role];
}

enum role role_parse(struct slice text)
{
    for (enum role role = ROLE_WORKER; role <= ROLE_VIEWER; role++)
        if (slice_equals(text, role_names[role]))
            return role;
    return ROLE_NONE;
}
