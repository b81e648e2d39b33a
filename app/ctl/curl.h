/* curl.h: libcurl, set up one way for all commands. */
#ifndef CTL_CURL_H
#define CTL_CURL_H

#include <curl/curl.h>

/* A handle for `url`: straight to the server, by http or https and nothing else, without a redirection, a proxy of the
 * environment or a signal. NULL without memory. To be ended with curl_easy_cleanup. */
CURL *ctl_curl_open(const char *url);

#endif
