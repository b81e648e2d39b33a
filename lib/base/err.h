/* err.h: the outcomes that a caller treats differently, each with its message key and HTTP status. Knows no HTTP beyond
 * that number. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

/* X(name, message key, HTTP status). The two parameter rows are templates: %s is the parameter in snake case. */
#define ERR_LIST(X)                                                                                                    \
    X(ERR_BODY_INVALID, "analytics.body_invalid", 400)                                                                 \
    X(ERR_LOGS_INVALID, "analytics.logs_invalid", 400)                                                                 \
    X(ERR_RANGE_INVALID, "analytics.range_invalid", 400)                                                               \
    X(ERR_RANGE_TOO_LONG, "analytics.range_too_long", 400)                                                             \
    X(ERR_PARAMETER_INVALID, "analytics.%s_invalid", 400)                                                              \
    X(ERR_PARAMETER_REQUIRED, "analytics.%s_required", 400)                                                            \
    X(ERR_QUERY_INVALID, "analytics.query_invalid", 400)                                                               \
    X(ERR_UNAUTHORIZED, "auth.unauthorized", 401)                                                                      \
    X(ERR_FORBIDDEN, "auth.forbidden", 403)                                                                            \
    X(ERR_NOT_FOUND, "analytics.not_found", 404)                                                                       \
    X(ERR_METHOD_NOT_ALLOWED, "analytics.method_not_allowed", 405)                                                     \
    X(ERR_IMPORT_UNCLEAR, "analytics.import_unclear", 409)                                                             \
    X(ERR_BODY_TOO_LARGE, "analytics.body_too_large", 413)                                                             \
    X(ERR_CONTENT_TYPE_UNSUPPORTED, "analytics.content_type_unsupported", 415)                                         \
    X(ERR_CONTENT_ENCODING_UNSUPPORTED, "analytics.content_encoding_unsupported", 415)                                 \
    X(ERR_IDEMPOTENCY_KEY_REUSED, "analytics.idempotency_key_reused", 422)                                             \
    X(ERR_LOGS_PRUNED, "analytics.logs_pruned", 422)                                                                   \
    X(ERR_INTERNAL, "analytics.internal_error", 500)                                                                   \
    X(ERR_UNAVAILABLE, "analytics.unavailable", 503)                                                                   \
    X(ERR_QUERY_TIMEOUT, "analytics.query_timeout", 503)

enum err {
    OK = 0,
#define ERR_ENUM(name, key, status) name,
    ERR_LIST(ERR_ENUM)
#undef ERR_ENUM
};

/* The fault in words, for the person who reads the answer. `detail` is plain English, one line, safe to show. */
struct fault {
    enum err err;
    bool is_stopped;    /* nothing failed: whoever waits for the work has ended it */
    char parameter[32]; /* snake case, for the two parameter rows, else empty */
    char detail[256];   /* may hold text from the client: escape it on the way out */
};

/* The message key with its %s still in it for parameter rows; "" for OK. Static storage. */
const char *err_key(enum err err);

/* The HTTP status; 200 for OK. */
int err_status(enum err err);

/* Fills *fault (overwriting it) and returns `err`, so that a gate can be `return fault_set(fault, ERR_…, "…", …)`.
 * `format` is a printf format; text beyond sizeof detail is cut at a UTF-8 boundary. */
enum err fault_set(struct fault *fault, enum err err, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Fills *fault with ERR_UNAVAILABLE and is_stopped, and returns that error. */
enum err fault_stopped(struct fault *fault);

/* The same for ERR_PARAMETER_INVALID and ERR_PARAMETER_REQUIRED. `parameter` is in snake case. */
enum err fault_set_parameter(struct fault *fault, enum err err, const char *parameter, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
