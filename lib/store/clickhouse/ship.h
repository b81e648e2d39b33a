/* ship.h: the thread that ships the spool to ClickHouse. It reads the spool by a connection of its own and changes
 * nothing in it: what it wants changed, the writer's thread collects. Knows blocks, replicas and doubt. Knows no
 * batches. */
#ifndef STORE_CLICKHOUSE_SHIP_H
#define STORE_CLICKHOUSE_SHIP_H

#include "store/clickhouse/clickhouse.h"
#include "store/engine.h"
#include "store/sqlite/spool/spool.h"

struct shipper; /* opaque */

/* Starts the thread. `wake` is called from it whenever the writer's thread has something to collect. ERR_UNAVAILABLE;
 * servers that don't answer are no error. Logs that are older than `keep_days` days are deleted; 0: none. */
enum err shipper_start(const struct clickhouse_config *config, const char *data_dir, int64_t keep_days,
                       const struct store_wake *wake, struct shipper **ret_shipper, struct fault *fault);

/* Ends the thread, at the latest when its statement has its answer or its time-out. Takes NULL. */
void shipper_stop(struct shipper *shipper);

#define SHIPPER_OUTCOMES 64

/* What the writer's thread has to do. */
struct shipper_wishes {
    struct spool_outcome outcomes[SHIPPER_OUTCOMES];
    size_t outcome_count;
    bool has_target;
    struct spool_target target;
    bool has_audit;
    struct spool_audit audit;
    bool cut; /* cut `which` of the batches that came, and then say so with shipper_cut */
    enum spool_cutting which;
};

/* Adds what was wished since to *wishes: what is not granted yet stays there. */
void shipper_collect(struct shipper *shipper, struct shipper_wishes *wishes);

/* What was to be cut is cut, as far as that goes: an error keeps nothing that was cut before from being shipped. */
void shipper_cut(struct shipper *shipper);

/* More logs came since then than a block has room for: they need not wait until the next round is due. */
void shipper_fill(struct shipper *shipper);

#endif
