/* writer.c: the writing side of this engine: batches go into the spool, and between them the spool is shipped. Knows
 * when the spool is full. Leaves the batches to SQLite, and shipping to its thread. */
#include "store/clickhouse/writer.h"

#include "store/clickhouse/servers.h"
#include "store/clickhouse/ship.h"
#include "store/clickhouse/shipped.h"
#include "store/sqlite/spool/spool.h"
#include "store/sqlite/write/writer.h"

#include <stdlib.h>

#include "base/banned.h"

/* Logs stay in the spool for so long after they were shipped: a replica that loses what it had not synced can be
 * helped. */
#define KEPT_SECONDS 3600

/* What may go is looked for so often: that reads the list of blocks. */
#define LOOK_SECONDS 10

struct clickhouse_writer {
    struct store_writer base;
    struct store_place place;
    struct sqlite_writer *spool;
    struct shipper *shipper; /* NULL: nobody ships */
    struct shipped shipped;
    int64_t shards;
    int64_t limit_bytes;
    int64_t keep_days; /* of logs in ClickHouse; 0: for ever */
    bool is_full;
    int64_t looked_at;            /* for what may go; Unix seconds */
    struct shipper_wishes wishes; /* that are not granted yet */
    int64_t uncut;                /* logs that came since something was cut, or since the shipper was told of them */
};

static struct clickhouse_writer *writer_of(struct store_writer *writer)
{
    return (struct clickhouse_writer *)writer;
}

struct sqlite_writer *clickhouse_spool_of(struct store_writer *writer)
{
    return writer->engine == &store_engine_clickhouse ? writer_of(writer)->spool : NULL;
}

static void close_writer(struct store_writer *base)
{
    struct clickhouse_writer *writer = writer_of(base);
    shipper_stop(writer->shipper);
    sqlite_writer_close(writer->spool);
    shipped_close(&writer->shipped);
    free(writer);
}

static enum err start(struct clickhouse_writer *writer, const struct store_place *place, struct fault *fault)
{
    enum err err = clickhouse_config_check(place->clickhouse, fault);
    struct servers servers;
    if (!err)
        err = servers_parse(place->clickhouse->urls, &servers, fault);
    if (err)
        return err;
    writer->shards = (int64_t)servers.shard_count;
    writer->limit_bytes = place->clickhouse->spool_limit_mib << 20;
    writer->place = *place;
    return sqlite_writer_open(place->data_dir, true, &writer->spool, fault);
}

static enum err open_writer(const struct store_place *place, struct store_writer **ret_writer, struct fault *fault)
{
    struct clickhouse_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    writer->base.engine = &store_engine_clickhouse;
    enum err err = start(writer, place, fault);
    if (err)
        close_writer(&writer->base);
    else
        *ret_writer = &writer->base;
    return err;
}

static enum err set_wake(struct store_writer *base, const struct store_wake *wake, struct fault *fault)
{
    struct clickhouse_writer *writer = writer_of(base);
    shipped_open(writer->place.data_dir, true, &writer->shipped);
    return shipper_start(writer->place.clickhouse, writer->place.data_dir, writer->keep_days, wake, &writer->shipper,
                         fault);
}

/* ---- batches ---- */

static enum err check_room(struct clickhouse_writer *writer, struct fault *fault)
{
    int64_t bytes = 0;
    enum err err = spool_bytes(writer->spool, &bytes, fault);
    writer->is_full = !err && bytes > writer->limit_bytes;
    if (writer->is_full)
        err = fault_set(
            fault, ERR_UNAVAILABLE,
            "the spool has reached its limit (clickhouse_spool_limit_mib is %lld): ClickHouse does not take what is in"
            " it",
            (long long)(writer->limit_bytes >> 20));
    return err;
}

static void count_uncut(struct clickhouse_writer *writer, const struct store_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!items[i].result && !items[i].replayed)
            writer->uncut += (int64_t)(items[i].batch->log_count - items[i].already);
    if (writer->uncut <= SPOOL_BLOCK_LOGS || !writer->shipper)
        return;
    writer->uncut = 0;
    shipper_fill(writer->shipper);
}

static void write_items(struct store_writer *base, struct store_item *items, size_t count, int64_t now,
                        struct store_times *ret_times)
{
    struct clickhouse_writer *writer = writer_of(base);
    struct fault fault = {0};
    if (!check_room(writer, &fault)) {
        sqlite_write(writer->spool, items, count, now, ret_times);
        count_uncut(writer, items, count);
        return;
    }
    *ret_times = (struct store_times){0};
    sqlite_refuse(items, count, &fault);
}

/* ---- between them ---- */

/* A wish that fails stays. */
static enum err grant(struct clickhouse_writer *writer, int64_t now, struct fault *fault)
{
    struct shipper_wishes *wishes = &writer->wishes;
    enum err err = OK;
    if (wishes->has_target) /* first: a report that sees a block settled must ask the replica that took it */
        err = spool_set_target(writer->spool, &wishes->target, fault);
    wishes->has_target &= err != OK;
    if (!err && wishes->outcome_count > 0)
        err = spool_settle(writer->spool, wishes->outcomes, wishes->outcome_count, now, fault);
    if (err)
        return err;
    wishes->outcome_count = 0;
    shipped_tell(&writer->shipped);
    if (wishes->has_audit)
        err = spool_set_audit(writer->spool, &wishes->audit, fault);
    wishes->has_audit &= err != OK;
    return err;
}

/* The shipper waits for it, also when it fails. */
static enum err cut(struct clickhouse_writer *writer, struct fault *fault)
{
    if (!writer->wishes.cut)
        return OK;
    enum err err = spool_cut(writer->spool, writer->wishes.which, writer->shards, &writer->wishes.cut, fault);
    if (writer->wishes.cut)
        return err;
    writer->uncut = 0;
    shipper_cut(writer->shipper);
    return err;
}

/* What the shipper wishes. */
static enum err serve(struct clickhouse_writer *writer, int64_t now, struct fault *fault)
{
    if (!writer->shipper)
        return OK;
    shipper_collect(writer->shipper, &writer->wishes);
    enum err err = grant(writer, now, fault);
    return err ? err : cut(writer, fault);
}

/* While the spool is full, what was shipped goes at once. */
static enum err forget(struct clickhouse_writer *writer, int64_t now, bool *ret_more, struct fault *fault)
{
    if (!writer->is_full && now >= writer->looked_at && now - writer->looked_at < LOOK_SECONDS)
        return OK;
    enum err err = spool_forget(writer->spool, writer->is_full ? now : now - KEPT_SECONDS, ret_more, fault);
    if (!err && !*ret_more)
        writer->looked_at = now;
    return err;
}

static enum err maintain(struct store_writer *base, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault)
{
    struct clickhouse_writer *writer = writer_of(base);
    enum err err = serve(writer, now, fault);
    *ret_more = writer->wishes.cut;
    if (err || *ret_more)
        return err;
    err = forget(writer, now, ret_more, fault);
    return err || *ret_more ? err : sqlite_maintain(writer->spool, now, idempotency_seconds, ret_more, fault);
}

/* Before set_wake. The settings refuse sums that outlive logs. */
static void set_retention(struct store_writer *base, const struct store_retention *retention)
{
    writer_of(base)->keep_days = retention->raw_days;
}

static enum err health(struct store_writer *base, struct fault *fault)
{
    struct clickhouse_writer *writer = writer_of(base);
    enum err err = sqlite_writer_health(writer->spool, fault);
    return err || !writer->is_full ? err : check_room(writer, fault);
}

static void probe(struct store_writer *base)
{
    struct clickhouse_writer *writer = writer_of(base);
    sqlite_writer_probe(writer->spool);
    struct fault fault;
    check_room(writer, &fault);
}

const struct store_writer_ops clickhouse_writer_ops = {
    .open = open_writer,
    .set_wake = set_wake,
    .close = close_writer,
    .write = write_items,
    .maintain = maintain,
    .set_retention = set_retention,
    .health = health,
    .probe = probe,
};
