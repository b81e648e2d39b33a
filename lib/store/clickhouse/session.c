/* session.c: a command's talk with the servers. Knows where a spool says that reports are answered. */
#include "store/clickhouse/session.h"

#include "store/clickhouse/blocks.h"

#include <string.h>

#include "base/banned.h"

/* The first that has everything, from the one on at which reports are answered. */
static enum err choose_replica(struct session *session, size_t shard, struct fault *fault)
{
    size_t count = session->servers.shards[shard].replica_count, first = session->position.target.replica[shard];
    enum err err = ERR_UNAVAILABLE;
    for (size_t i = 0; err && i < count; i++) {
        size_t replica = (first + i) % count;
        session->position.target.replica[shard] = (unsigned char)replica;
        err = blocks_sync(session->client, session->deleting.config, session->servers.shards[shard].urls[replica],
                          session->deleting.config->timeout_ms, fault);
    }
    return err;
}

enum err session_open(const struct store_place *place, struct session *session, struct fault *fault)
{
    *session = (struct session){0};
    enum err err = servers_parse(place->clickhouse->urls, &session->servers, fault);
    if (!err)
        err = http_client_open(place->clickhouse, HTTP_WRITER, &session->client, fault);
    if (!err)
        err = spool_reader_open(place->data_dir, &session->spool, fault);
    if (!err)
        err = spool_position(session->spool, &session->position, fault);
    session->deleting = (struct deleting){.client = session->client,
                                          .config = place->clickhouse,
                                          .servers = &session->servers,
                                          .replica = session->position.target.replica};
    for (size_t shard = 0; !err && shard < session->servers.shard_count; shard++)
        err = choose_replica(session, shard, fault);
    if (err)
        session_close(session);
    return err;
}

void session_close(struct session *session)
{
    http_client_close(session->client);
    spool_reader_close(session->spool);
    *session = (struct session){0};
}
