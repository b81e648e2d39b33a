/* probe.h: asks the two programs, and nginx in front of them, whether they answer; for analyticsctl doctor. */
#ifndef CTL_PROBE_H
#define CTL_PROBE_H

#define PROBE_WORDS_BYTES 256

/* GET /analytics/health by FastCGI on a Unix socket, 5 s at most. The HTTP status, and the answer's first words; or
 * minus an error number. */
int probe_socket(const char *path, char ret_words[PROBE_WORDS_BYTES]);

/* GET URL/analytics/health with curl(1). The HTTP status; 0 when none came, with what curl says; -1 when there is no
 * curl. */
int probe_url(const char *url, char ret_words[PROBE_WORDS_BYTES]);

#endif
