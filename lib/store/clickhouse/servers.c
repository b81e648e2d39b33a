/* servers.c: the list of servers in the settings, taken apart. Knows URLs. Asks nobody. */
#include "store/clickhouse/servers.h"

#include "base/text.h"

#include <string.h>

#include "base/banned.h"

static bool has_scheme(const char *url, size_t len)
{
    return (len > 7 && memcmp(url, "http://", 7) == 0) || (len > 8 && memcmp(url, "https://", 8) == 0);
}

static enum err add_url(struct servers *servers, const char *url, size_t len, struct fault *fault)
{
    size_t shard = servers->shard_count - 1, replica = servers->shards[shard].replica_count;
    if (len > 0 && url[len - 1] == '/')
        len--;
    if (!has_scheme(url, len) || memchr(url, '?', len) || memchr(url, '@', len))
        return fault_set(fault, ERR_UNAVAILABLE,
                         "clickhouse_urls: \"%.*s\" must be http://HOST:PORT or https://HOST:PORT", (int)len, url);
    if (len >= SERVERS_URL_BYTES || replica == SERVERS_REPLICAS)
        return fault_set(fault, ERR_UNAVAILABLE,
                         "clickhouse_urls: a URL has at most %u bytes, and a shard at most %d replicas",
                         SERVERS_URL_BYTES - 1, SERVERS_REPLICAS);
    memcpy(servers->shards[shard].urls[replica], url, len);
    servers->shards[shard].urls[replica][len] = '\0';
    servers->shards[shard].replica_count++;
    return OK;
}

static enum err add_shard(struct servers *servers, const char *word, size_t len, struct fault *fault)
{
    if (servers->shard_count == SERVERS_SHARDS)
        return fault_set(fault, ERR_UNAVAILABLE, "clickhouse_urls: there can be %d shards", SERVERS_SHARDS);
    servers->shard_count++;
    enum err err = OK;
    for (size_t at = 0; !err && at <= len;) {
        const char *comma = memchr(word + at, ',', len - at);
        size_t end = comma ? (size_t)(comma - word) : len;
        err = add_url(servers, word + at, end - at, fault);
        at = end + 1;
    }
    return err;
}

enum err servers_parse(const char *urls, struct servers *ret_servers, struct fault *fault)
{
    memset(ret_servers, 0, sizeof *ret_servers);
    enum err err = OK;
    for (size_t at = strspn(urls, " \t"); !err && urls[at]; at += strspn(urls + at, " \t")) {
        size_t len = strcspn(urls + at, " \t");
        err = add_shard(ret_servers, urls + at, len, fault);
        at += len;
    }
    if (!err && ret_servers->shard_count == 0)
        return fault_set(fault, ERR_UNAVAILABLE, "clickhouse_urls names no server");
    return err;
}
