/* probe.h: asks the two programs, and nginx in front of them, whether they answer; for analyticsctl doctor. */
#ifndef CTL_PROBE_H
#define CTL_PROBE_H

#include <stdbool.h>

#define PROBE_WORDS_BYTES 256

/* GET /analytics/health by FastCGI on a Unix socket, 5 s at most. The HTTP status, and the answer's words; or
 * minus an error number. */
int probe_socket(const char *path, char ret_words[PROBE_WORDS_BYTES]);

/* GET URL/analytics/health, 10 s at most. The HTTP status and what an error of ours says (else ""); 0 when no answer
 * came, with libcurl's words. *ret_distrust: why this machine does not trust the server's certificate; "" when it does,
 * or there is none. The status is that behind it. */
int probe_url(const char *url, char ret_distrust[PROBE_WORDS_BYTES], char ret_words[PROBE_WORDS_BYTES]);

/* The TCP port that the URL names, by its scheme where it names none; 0 for what is no URL. */
int probe_port(const char *url);

#endif
