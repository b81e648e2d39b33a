/* probe.h: asks the two programs, and nginx in front of them, whether they answer; for analyticsctl doctor. */
#ifndef CTL_PROBE_H
#define CTL_PROBE_H

#include <stdbool.h>

#define PROBE_WORDS_BYTES 256

/* GET /analytics/health by FastCGI on a Unix socket, 5 s at most. The HTTP status, and the answer's words; or
 * minus an error number. */
int probe_socket(const char *path, char ret_words[PROBE_WORDS_BYTES]);

/* GET URL/analytics/health, 10 s at most. The HTTP status; 0 when none came, with libcurl's words. *ret_untrusted: the
 * server's certificate is none that this machine trusts, for the reason in the words; the status is that behind it. */
int probe_url(const char *url, bool *ret_untrusted, char ret_words[PROBE_WORDS_BYTES]);

#endif
