/* fcgi.h: a FastCGI responder on the Unix socket that a process manager gives as descriptor 0. */
#ifndef HTTP_FCGI_H
#define HTTP_FCGI_H

#include "base/err.h"
#include "http/http.h"

#include <stdbool.h>

/* Fills *response (from response_init). Called by many threads at once when there are many. */
typedef void (*fcgi_handler)(void *ctx, const struct request *request, struct response *response);

/* Call first, before any thread: checks descriptor 0, blocks the signals that stop the program (SIGTERM, SIGINT) in
 * this thread and all later ones, ignores SIGPIPE. ERR_INTERNAL when descriptor 0 is not a listening Unix socket. */
enum err fcgi_init(struct fault *fault);

/* Answers requests with `threads` threads until SIGTERM or SIGINT; then takes no more, answers those under way, and
 * returns. ERR_INTERNAL when no thread can be started. */
enum err fcgi_serve(fcgi_handler handler, void *ctx, int threads, struct fault *fault);

#endif
