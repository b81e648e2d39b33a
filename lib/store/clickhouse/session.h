/* session.h: a command's talk with the servers: who they are, and whom of them to ask. Private to the ClickHouse
 * engine. */
#ifndef STORE_CLICKHOUSE_SESSION_H
#define STORE_CLICKHOUSE_SESSION_H

#include "store/clickhouse/deleting.h"
#include "store/sqlite/spool/spool.h"
#include "store/store.h"

/* All-zero is a closed one. */
struct session {
    struct servers servers;
    struct http_client *client;
    struct spool_reader *spool;
    struct spool_position position; /* when it began */
    struct deleting deleting;       /* borrows from the rest: a session is not copied */
};

/* As the user who writes. The servers to ask have everything that was taken before. ERR_UNAVAILABLE. */
enum err session_open(const struct store_place *place, struct session *session, struct fault *fault);
void session_close(struct session *session);

#endif
