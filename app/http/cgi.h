/* cgi.h: CGI variables (RFC 3875) into a request, a response into CGI header lines. */
#ifndef HTTP_CGI_H
#define HTTP_CGI_H

#include "base/buf.h"
#include "http/http.h"
#include "base/limit.h"

/* Room for text that is made, not borrowed. */
struct cgi_room {
    char caller[LIMIT_CALLER_BYTES + 1];
    char distrust[192];
};

/* Reads "NAME=value" strings, ended by NULL, into *ret_request; text is borrowed from `env` and `room`. Always gives a
 * request: one whose identity is doubtful (an ANALYTICS_* variable given twice, a role that there is not, a user
 * without a valid id, a caller that is too long) has none, no key either, and `distrust` says why. Header fields given
 * twice become a value that no endpoint accepts. now_ms, read_body and read_ctx are left 0. */
void cgi_request(const char *const *env, struct cgi_room *room, struct request *ret_request);

/* "Status: …" and all header lines, with the empty line that ends them. `is_whole`: the body is all there, so its
 * length is told. */
void cgi_put_head(const struct response *response, bool is_whole, struct buf *out);

#endif
