/* ops.c: the writing side as an engine's operations. Knows which function does which. Knows no SQL. */
#include "store/sqlite/ops.h"

#include "store/sqlite/write/beside.h"
#include "store/sqlite/write/writer.h"

#include <assert.h>

#include "base/banned.h"

struct sqlite_writer *sqlite_writer_of(struct store_writer *writer)
{
    assert(writer->engine == &store_engine_sqlite);
    return (struct sqlite_writer *)writer;
}

static enum err writer_open(const struct store_place *place, struct store_writer **ret_writer, struct fault *fault)
{
    struct sqlite_writer *writer = NULL;
    enum err err = sqlite_writer_open(place->data_dir, false, &writer, fault);
    if (!err)
        *ret_writer = &writer->base;
    return err;
}

static void writer_close(struct store_writer *writer)
{
    sqlite_writer_close(sqlite_writer_of(writer));
}

static void write_items(struct store_writer *writer, struct store_item *items, size_t count, int64_t now,
                        struct store_times *ret_times)
{
    sqlite_write(sqlite_writer_of(writer), items, count, now, ret_times);
}

static enum err maintain(struct store_writer *writer, int64_t now, int64_t idempotency_seconds, bool *ret_more,
                         struct fault *fault)
{
    return sqlite_maintain(sqlite_writer_of(writer), now, idempotency_seconds, ret_more, fault);
}

/* Whoever can be woken writes batches meanwhile, so a thread reads what is to be closed. */
static enum err set_wake(struct store_writer *base, const struct store_wake *wake, struct fault *fault)
{
    struct sqlite_writer *writer = sqlite_writer_of(base);
    return sqlite_beside_start(writer->db.path, wake, &writer->closing.beside, fault);
}

static void set_retention(struct store_writer *writer, const struct store_retention *retention)
{
    sqlite_set_retention(sqlite_writer_of(writer), retention);
}

static enum err writer_health(struct store_writer *writer, struct fault *fault)
{
    return sqlite_writer_health(sqlite_writer_of(writer), fault);
}

static void probe(struct store_writer *writer)
{
    sqlite_writer_probe(sqlite_writer_of(writer));
}

const struct store_writer_ops sqlite_writer_ops = {
    .open = writer_open,
    .close = writer_close,
    .write = write_items,
    .maintain = maintain,
    .set_wake = set_wake,
    .set_retention = set_retention,
    .health = writer_health,
    .probe = probe,
};
