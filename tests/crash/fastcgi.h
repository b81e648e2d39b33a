/* fastcgi.h: a FastCGI request as bytes, so that a test can stop sending at any of them, and the answer. Knows the
 * FastCGI specification. Knows nothing of libfcgi. */
#ifndef FASTCGI_H
#define FASTCGI_H

#include <stddef.h>

/* `params`: name, value, …, NULL. To be freed. */
char *fastcgi_request(const char *const *params, const char *body, size_t body_len, size_t *ret_len);

/* All that comes until the end of the connection, to be freed. *ret_whole: it ends with the record that ends a request.
 */
char *fastcgi_answer(int fd, int *ret_whole);

#endif
