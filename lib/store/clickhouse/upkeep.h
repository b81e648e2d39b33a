/* upkeep.h: what the shipper does now and then: it compares what was shipped with what replicas have, and deletes what
 * is no longer kept. Knows when each is due. Private to the ClickHouse engine. */
#ifndef STORE_CLICKHOUSE_UPKEEP_H
#define STORE_CLICKHOUSE_UPKEEP_H

#include "store/clickhouse/audit.h"
#include "store/clickhouse/deleting.h"
#include "store/sqlite/spool/spool.h"

/* All-zero: nothing was done yet. */
struct upkeep {
    int64_t keep_days; /* 0: for ever */
    int64_t audit_due_ms, retention_due_ms;
    int64_t audited_until; /* blocks up to this one */
    int64_t clock_apart;   /* seconds by which the current replica's clock was ahead of ours then */
};

/* Blocks that were shipped before a restart are compared again, but not more than these. */
#define UPKEEP_BLOCKS 8000

/* Does what is due. *ret_audited is true when blocks were compared; then *differences has grown by those that differ.
 * `words` is the last of these. ERR_UNAVAILABLE: try again later. */
enum err upkeep_run(struct upkeep *upkeep, const struct deleting *deleting, struct spool_reader *spool,
                    int64_t newest_block, struct spool_audit *audit, bool *ret_audited, struct fault *fault);

#endif
