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

/* F(X, name, in URLs, member of a stored log, parameter of a filter, kind, least and greatest number or bytes of a
 * text, whose, what a filter accepts). A filter by one of the first six is answered from single logs; the rest stand in
 * rollups as well. */
#define DIMENSION_LIST(F, X)                                                                                           \
    F(X, WORKER, "worker", "worker", "worker", VALUE_NAME, 0, LIMIT_WORKER_BYTES, OF_OPERATOR, "at most 128 bytes")    \
    F(X, PEER, "peer", "peer", "peer", VALUE_NAME, 0, LIMIT_PEER_BYTES, OF_OPERATOR, "at most 128 bytes")              \
    F(X, PROTOCOL, "protocol", "protocol", "protocol", VALUE_NAME, 0, LIMIT_PROTOCOL_BYTES, OF_EVERYONE,               \
      "at most 32 bytes")                                                                                              \
    F(X, PORT, "port", "port", "port", VALUE_NUMBER, 0, LIMIT_PORT, OF_EVERYONE, "an integer from 0 to 65535")         \
    F(X, IP_OUT, "ip_out", "ip_out", "ip_out", VALUE_ADDRESS, 0, 0, OF_OPERATOR, ACCEPTS_ADDRESS)                      \
    F(X, IP_FROM, "ip_from", "ip_from", "ip_from", VALUE_ADDRESS, 0, 0, OF_OPERATOR, ACCEPTS_ADDRESS)                  \
    F(X, ORDER, "order", "order_id", "orderId", VALUE_NUMBER, 1, LIMIT_ID, OF_EVERYONE, ACCEPTS_ID)                    \
    F(X, USER, "user", "user_id", "userId", VALUE_NUMBER, 1, LIMIT_ID, OF_EVERYONE, ACCEPTS_ID)                        \
    F(X, ERROR, "error", "error", "error", VALUE_NAME, 1, LIMIT_ERROR_BYTES, OF_EVERYONE,                              \
      "an error's text, 1 to 256 bytes")                                                                               \
    F(X, DOMAIN, "domain", "domain", "domain", VALUE_NAME, 0, LIMIT_DOMAIN_BYTES, OF_EVERYONE, "a domain name in UTF-8")

#define ACCEPTS_ADDRESS "an IPv4 or IPv6 address, or empty"
#define ACCEPTS_ID "an integer from 1 to 9007199254740991"

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
    long long min, max; /* bytes of a text, or numbers */
    enum dimension_owner owner;
};

extern const struct dimension_row dimensions[DIMENSIONS];

#endif
