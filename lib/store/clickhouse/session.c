/* session.c: a command's talk with the servers. Knows where a spool says that reports are answered. */
#include "store/clickhouse/session.h"

#include <string.h>

#include "base/banned.h"

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
