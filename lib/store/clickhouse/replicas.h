/* replicas.h: at which replica of each shard reports are answered, and whether they all have what was taken. Knows
 * silence, lag and marks. Knows no blocks. The shipper's thread alone uses it. */
#ifndef STORE_CLICKHOUSE_REPLICAS_H
#define STORE_CLICKHOUSE_REPLICAS_H

#include "store/clickhouse/http.h"
#include "store/clickhouse/servers.h"
#include "store/sqlite/spool/spool.h"

#include <stdatomic.h>

struct replicas {
    struct http_client *client;
    const struct clickhouse_config *config;
    const _Atomic bool *stopping; /* then nothing is begun any more */
    struct servers servers;
    char id[SPOOL_ID_BYTES];                         /* of the spool */
    struct spool_target target;                      /* its trouble is not looked at here */
    bool has_news;                                   /* the target is another; whoever tells the writer clears it */
    int64_t marks[SERVERS_SHARDS];                   /* at the current replicas; 0: it may lack something */
    bool is_ready[SERVERS_SHARDS][SERVERS_REPLICAS]; /* its tables are as they should be */
    int64_t get_ready_at_ms;                         /* when to see again whether others can be made ready */
    int64_t look_at_ms;                              /* when to see again whether the current ones are what they were */
};

const char *replicas_url(const struct replicas *replicas, size_t shard, size_t replica);
size_t replicas_count(const struct replicas *replicas, size_t shard);

/* The n-th replica of a shard, counted from the current one. */
size_t replicas_nth(const struct replicas *replicas, size_t shard, size_t n);

/* Goes on from where the spool of this id says that reports are answered. It has the mark of the first shard's replica:
 * the others have to catch up first. */
void replicas_begin(struct replicas *replicas, const struct spool_target *target, const char *id);

/* Makes a replica's tables, unless they were there: it may have been away when the shipper began. ERR_UNAVAILABLE. */
enum err replicas_get_ready(struct replicas *replicas, size_t shard, size_t replica, struct fault *fault);

/* One replica of each shard is ready at least. One that is away does not keep the others from their work; one that
 * answers and is not as it should be does. ERR_UNAVAILABLE. */
enum err replicas_get_shards_ready(struct replicas *replicas, struct fault *fault);

/* Makes this spool the only one that ships as the settings' node. ERR_UNAVAILABLE. */
enum err replicas_claim_node(struct replicas *replicas, struct fault *fault);

/* Reports go on at a replica, once it has what any took. */
void replicas_turn_to(struct replicas *replicas, size_t shard, size_t replica);

/* Where the servers choose themselves whom of a shard they ask (Distributed tables), may what was sent lastly `age_ms`
 * ago count as shipped?
 *   OK                  all replicas that may be asked have it. Those that are silent, lack the table, or lag are not
 * asked OK and *ret_waits   one has not got it, and will lag once it has not got it for REPLICAS_LAG_MS: ask again then
 *   ERR_UNAVAILABLE     one has not got it, and may be asked all the same */
enum err replicas_spread(struct replicas *replicas, int64_t age_ms, bool *ret_waits, struct fault *fault);
#define REPLICAS_LAG_MS 3000 /* a second more than HTTP_LAG_SECONDS, which are of clocks that show whole seconds */

/* Sees, once a second at most, whether the current replicas answer, and did not start again; where one did, reports go
 * on at the first that has everything. Makes, now and then, the tables of replicas that are not ready. ERR_UNAVAILABLE:
 * no replica of a shard has everything. */
enum err replicas_look_after(struct replicas *replicas, struct fault *fault);
#define REPLICAS_LOOK_MS 1000

#endif
