/* dimension.h: what logs are told apart by, in one list: parameters, statements and documents follow it. Knows no SQL,
 * no HTTP. */
#ifndef REPORT_DIMENSION_H
#define REPORT_DIMENSION_H

#include "base/limit.h"

/* What a value is: a text, a number, an address. */
enum dimension_kind { VALUE_NAME, VALUE_NUMBER, VALUE_ADDRESS };

/* Whose business a dimension is: everyone's who may read, or the operator's, from whom users learn how the proxies are
 * built. */
enum dimension_owner { OF_EVERYONE, OF_OPERATOR };

/* F(X, name, in URLs, member of a stored log, kind, bytes or greatest number, whose). A filter by one of the first six
 * is answered from single logs; the rest stand in rollups as well. */
#define DIMENSION_LIST(F, X)                                                                                           \
    F(X, WORKER, "worker", "worker", VALUE_NAME, LIMIT_WORKER_BYTES, OF_OPERATOR)                                      \
    F(X, PEER, "peer", "peer", VALUE_NAME, LIMIT_PEER_BYTES, OF_OPERATOR)                                              \
    F(X, PROTOCOL, "protocol", "protocol", VALUE_NAME, LIMIT_PROTOCOL_BYTES, OF_EVERYONE)                              \
    F(X, PORT, "port", "port", VALUE_NUMBER, LIMIT_PORT, OF_EVERYONE)                                                  \
    F(X, IP_OUT, "ip_out", "ip_out", VALUE_ADDRESS, 0, OF_OPERATOR)                                                    \
    F(X, IP_FROM, "ip_from", "ip_from", VALUE_ADDRESS, 0, OF_OPERATOR)                                                 \
    F(X, ORDER, "order", "order_id", VALUE_NUMBER, LIMIT_ID, OF_EVERYONE)                                              \
    F(X, USER, "user", "user_id", VALUE_NUMBER, LIMIT_ID, OF_EVERYONE)                                                 \
    F(X, ERROR, "error", "error", VALUE_NAME, LIMIT_ERROR_BYTES, OF_EVERYONE)                                          \
    F(X, DOMAIN, "domain", "domain", VALUE_NAME, LIMIT_DOMAIN_BYTES, OF_EVERYONE)

enum dimension {
#define DIMENSION_ENUM(x, name, ...) BY_##name,
    DIMENSION_LIST(DIMENSION_ENUM, )
#undef DIMENSION_ENUM
        DIMENSIONS
};

#define TERMS BY_ORDER /* those before it are filtered by a struct report_term */

struct dimension_row {
    const char *name; /* in URLs */
    enum dimension_kind kind;
    long long max; /* bytes of a text, or the greatest number */
    enum dimension_owner owner;
};

extern const struct dimension_row dimensions[DIMENSIONS];

#endif
