/* fastcgi.h: a FastCGI request as bytes, so that a test can stop sending at any of them, and the answer. Knows the
 * FastCGI specification. Knows nothing of libfcgi. */
#ifndef FASTCGI_H
#define FASTCGI_H

#include <stddef.h>

/* `params`: name, value, …, NULL. To be freed. */
char *fastcgi_request(const char *const *params, const char *body, size_t body_len, size_t *ret_len);

/* What comes until the connection's end, to be freed; *ret_whole says whether the request was ended properly. */
char *fastcgi_answer(int fd, int *ret_whole);

#endif
