/* curl.c: libcurl, set up one way for all commands. */
#include "ctl/curl.h"

#include <signal.h>

#include "base/banned.h"

#define CONNECT_SECONDS 10L

CURL *ctl_curl_open(const char *url)
{
    signal(SIGPIPE, SIG_IGN); /* a connection that breaks is an error like others */
    CURL *curl = curl_global_init(CURL_GLOBAL_DEFAULT) ? NULL : curl_easy_init();
    if (!curl)
        return NULL;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    return curl;
}
