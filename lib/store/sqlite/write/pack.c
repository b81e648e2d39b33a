/* pack.c: adds entries to the packed rollups: finds the chunks they belong to, merges, writes them again. Knows
 * the table rollup_chunk. Does not know why entries come. */
#include "store/sqlite/write/pack.h"

#include "store/sqlite/write/sql.h"

#include "base/banned.h"

/* A chunk ends before the domain that would make it larger than this. A row of a WITHOUT ROWID table spills to overflow
 * pages at about a quarter of a page, here 1002 of 4096 bytes with its key
 * (sqlite.org/fileformat2.html#cell_payload). */
#define CHUNK_BYTES 950

/* A domain's entries stay together: as many orders as it has in one bucket. */
#define MAX_CHUNK_BYTES (64u << 20)

void sqlite_pack_init(struct writer_pack *pack, struct db *db)
{
    pack->db = db;
    pack_writer_init(&pack->packer, MAX_CHUNK_BYTES);
}

void sqlite_pack_release(struct writer_pack *pack)
{
    fold_release(&pack->chunk);
    pack_writer_release(&pack->packer);
}

/* Entries of one (tier, bucket, user, kind), in order. */
struct run {
    const struct fold_entry *entries;
    size_t count;
    int64_t base; /* start of the bucket */
};

static int64_t kind_of(const struct fold_key *key)
{
    return key->error != 0;
}

/* Binds what all chunk statements share: tier, bucket, user, kind, and a domain. */
static sqlite3_stmt *chunk_statement(struct writer_pack *pack, enum writer_statement which, const struct fold_key *key,
                                     int64_t domain)
{
    sqlite3_stmt *statement = sql_of(pack->db, which);
    BIND_ALL(statement, key->tier, key->bucket, key->user_id, kind_of(key), domain);
    return statement;
}

static enum err damaged(const struct fold_key *key, struct fault *fault)
{
    return fault_set(fault, ERR_UNAVAILABLE, "rollup_chunk is damaged: tier %lld, bucket %lld, user %lld",
                     (long long)key->tier, (long long)key->bucket, (long long)key->user_id);
}

/* Adds a stored chunk's entries to pack->chunk. */
static enum err unpack(struct writer_pack *pack, const struct fold_key *key, int64_t base, sqlite3_stmt *statement,
                       int column, struct fault *fault)
{
    struct pack_reader reader;
    pack_open(&reader, sqlite3_column_blob(statement, column), (size_t)sqlite3_column_bytes(statement, column), base,
              true);
    struct totals totals;
    enum err err = OK;
    while (!err && pack_next(&reader, &totals)) {
        struct fold_key entry = *key;
        entry.domain = reader.key.domain;
        entry.error = reader.key.error;
        entry.order_id = reader.key.order_id;
        err = fold_add(&pack->chunk, &entry, &totals);
    }
    if (err)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    return reader.damaged ? damaged(key, fault) : OK;
}

static enum err drop_chunk(struct writer_pack *pack, const struct fold_key *key, int64_t domain, struct fault *fault)
{
    return db_run(pack->db, chunk_statement(pack, W_CHUNK_DROP, key, domain), "replace a chunk", fault);
}

/* Takes the chunk that `key`'s domain falls into out of the table and into pack->chunk, if there is one. */
static enum err take_chunk(struct writer_pack *pack, const struct fold_key *key, int64_t base, struct fault *fault)
{
    sqlite3_stmt *statement = chunk_statement(pack, W_CHUNK_AT, key, key->domain);
    bool row = false;
    enum err err = db_step(pack->db, statement, "find a chunk", &row, fault);
    if (err || !row)
        return err;
    int64_t domain = sqlite3_column_int64(statement, 0);
    err = unpack(pack, key, base, statement, 1, fault);
    sqlite3_reset(statement);
    return err ? err : drop_chunk(pack, key, domain, fault);
}

/* The first domain of the chunk after the one that `key` falls into: entries from there on belong to it. */
static enum err find_limit(struct writer_pack *pack, const struct fold_key *key, int64_t *ret_domain,
                           struct fault *fault)
{
    sqlite3_stmt *statement = chunk_statement(pack, W_CHUNK_AFTER, key, key->domain);
    return db_step_i64(pack->db, statement, "find a chunk", INT64_MAX, ret_domain, fault);
}

static enum err put_chunk(struct writer_pack *pack, const struct fold_key *first, struct fault *fault)
{
    struct buf *bytes = &pack->packer.bytes;
    if (bytes->failed)
        return fault_set(fault, ERR_UNAVAILABLE, "no room for a chunk: tier %lld, bucket %lld, user %lld, domain %lld",
                         (long long)first->tier, (long long)first->bucket, (long long)first->user_id,
                         (long long)first->domain);
    sqlite3_stmt *statement = chunk_statement(pack, W_CHUNK_PUT, first, first->domain);
    sqlite3_bind_blob(statement, 6, bytes->data, (int)bytes->len, SQLITE_STATIC);
    return db_run(pack->db, statement, "store a chunk", fault);
}

/* Does the chunk that begins with the group at `first` end before the one at `entry`? When it is full, but never within
 * a domain. */
static bool ends_chunk(const struct pack_writer *packer, const struct fold_entry *first, const struct fold_entry *entry)
{
    return entry > first && packer->bytes.len > CHUNK_BYTES && entry[0].key.domain != entry[-1].key.domain;
}

/* Writes the run as chunks. */
static enum err put_run(struct writer_pack *pack, const struct run *run, struct fault *fault)
{
    struct pack_writer *packer = &pack->packer;
    const struct fold_entry *entries = run->entries;
    size_t first = 0; /* of the chunk being written */
    pack_begin(packer, run->base);
    enum err err = OK;
    for (size_t i = 0, n; !err && i < run->count; i += n) {
        size_t before = packer->bytes.len;
        n = pack_group_length(&entries[i], run->count - i);
        pack_put(packer, &entries[i], n);
        if (!ends_chunk(packer, &entries[first], &entries[i]))
            continue;
        packer->bytes.len = before;
        err = put_chunk(pack, &entries[first].key, fault);
        first = i;
        pack_begin(packer, run->base);
        pack_put(packer, &entries[i], n);
    }
    if (!err && run->count)
        err = put_chunk(pack, &entries[first].key, fault);
    return err;
}

/* Adds the first entries of the run to the chunk they fall into; *ret_done is how many. */
static enum err merge_chunk(struct writer_pack *pack, const struct run *run, size_t *ret_done, struct fault *fault)
{
    fold_clear(&pack->chunk);
    enum err err = take_chunk(pack, &run->entries[0].key, run->base, fault);
    int64_t limit = 0;
    if (!err)
        err = find_limit(pack, &run->entries[0].key, &limit, fault);
    if (err)
        return err;
    size_t done = 0;
    while (done < run->count && run->entries[done].key.domain < limit)
        done++;
    *ret_done = done;
    if (pack->chunk.count == 0)
        return put_run(pack, &(struct run){run->entries, done, run->base}, fault);
    for (size_t i = 0; i < done; i++)
        if (fold_add(&pack->chunk, &run->entries[i].key, &run->entries[i].totals))
            return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    fold_sort(&pack->chunk);
    return put_run(pack, &(struct run){pack->chunk.entries, pack->chunk.count, run->base}, fault);
}

static bool same_run(const struct fold_key *a, const struct fold_key *b)
{
    return a->tier == b->tier && a->bucket == b->bucket && a->user_id == b->user_id && kind_of(a) == kind_of(b);
}

static size_t run_length(const struct fold_entry *entries, size_t count)
{
    size_t n = 1;
    while (n < count && same_run(&entries[0].key, &entries[n].key))
        n++;
    return n;
}

static enum err merge_run(struct writer_pack *pack, struct run run, struct fault *fault)
{
    enum err err = OK;
    while (!err && run.count) {
        size_t done = 0;
        err = merge_chunk(pack, &run, &done, fault);
        run.entries += done;
        run.count -= done;
    }
    return err;
}

enum err sqlite_pack(struct writer_pack *pack, struct fold *entries, bool fresh, struct fault *fault)
{
    fold_sort(entries);
    enum err err = OK;
    for (size_t i = 0, n; !err && i < entries->count; i += n) {
        const struct fold_key *key = &entries->entries[i].key;
        n = run_length(&entries->entries[i], entries->count - i);
        struct run run = {&entries->entries[i], n, key->bucket * tier_width((enum tier)key->tier)};
        err = fresh ? put_run(pack, &run, fault) : merge_run(pack, run, fault);
    }
    fold_clear(entries);
    return err;
}
