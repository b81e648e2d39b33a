/* access.c: which role may do what. Knows roles and rights. Knows no request and no key. */
#include "http/access.h"

#include "base/banned.h"

bool access_allows(enum role role, enum right right)
{
    static const bool allowed[][RIGHTS] = {
        [ROLE_NONE] = {[RIGHT_NONE] = true},
        [ROLE_WORKER] = {[RIGHT_INGEST] = true},
        [ROLE_USER] = {[RIGHT_READ] = true},
        [ROLE_ADMIN] = {[RIGHT_READ] = true, [RIGHT_INGEST] = true, [RIGHT_METRICS] = true, [RIGHT_SHARE] = true},
        [ROLE_VIEWER] = {[RIGHT_READ] = true},
    };
    bool is_anyones = right == RIGHT_NONE || (right == RIGHT_WHOAMI && role != ROLE_NONE);
    return is_anyones || allowed[role][right];
}

bool access_to_dimension(enum role role, bool users_see_network, enum dimension by)
{
    bool is_open = users_see_network || dimensions[by].owner == OF_EVERYONE;
    return access_allows(role, RIGHT_READ) && (is_open || role == ROLE_ADMIN);
}

const char *access_what(enum right right)
{
    static const char *const words[] = {[RIGHT_NONE] = "",
                                        [RIGHT_WHOAMI] = "ask who it is",
                                        [RIGHT_READ] = "read reports",
                                        [RIGHT_INGEST] = "send batches",
                                        [RIGHT_METRICS] = "read the metrics",
                                        [RIGHT_SHARE] = "share views"};
    return words[right];
}
