/* fuzz_pack.c: a packed rollup chunk from a damaged file. Whatever the bytes: reading ends, within them, and either
 * says that they are damaged or gives entries that are written and read again as the same, order by order and by the
 * sums of their groups. And whatever entries are written come back.
 *
 * Planted to see it fail, and found: no copy of a chunk's end, a length of 9, a size of a group that is not compared
 * with what is left. */
#include "fuzz.h"
#include "rollup/pack.h"

#include <stdbool.h>

#define BASE INT64_C(1773532800)
#define MOST_ENTRIES 2048

struct entries {
    size_t count;
    struct fold_entry entry[MOST_ENTRIES];
};

static bool same_key(const struct fold_key *one, const struct fold_key *other)
{
    return one->domain == other->domain && one->error == other->error && one->order_id == other->order_id;
}

static bool same_totals(const struct totals *one, const struct totals *other)
{
    return one->count == other->count && one->bytes_sent == other->bytes_sent &&
           one->bytes_received == other->bytes_received && one->errors == other->errors &&
           one->max_concurrency == other->max_concurrency && one->duration_ms == other->duration_ms &&
           one->first == other->first && one->last == other->last;
}

/* False for damaged bytes. */
static bool read_all(const char *bytes, size_t len, bool by_order, struct entries *ret_entries)
{
    struct pack_reader reader;
    struct totals totals;
    char *exact = fuzz_copy(bytes, len);
    ret_entries->count = 0;
    pack_open(&reader, exact, len, BASE, by_order);
    while (pack_next(&reader, &totals)) {
        CHECK(reader.at <= reader.end && !reader.damaged);
        CHECK(totals.count >= 0 && totals.bytes_sent >= 0 && totals.bytes_received >= 0 && totals.errors >= 0);
        CHECK(totals.max_concurrency >= 0 && totals.duration_ms >= 0 && totals.first >= BASE &&
              totals.last >= totals.first);
        CHECK(ret_entries->count < MOST_ENTRIES);
        ret_entries->entry[ret_entries->count++] = (struct fold_entry){.key = reader.key, .totals = totals};
    }
    CHECK(!pack_next(&reader, &totals)); /* the end stays the end */
    CHECK(reader.damaged || reader.at == reader.end);
    free(exact);
    return !reader.damaged;
}

/* Entries must be in order to be written; keys from the input need not be. */
static int by_key(const void *left, const void *right)
{
    const struct fold_key *a = left, *b = right; /* the key is the entry's first member */
    const int64_t members[][2] = {{a->domain, b->domain}, {a->error, b->error}, {a->order_id, b->order_id}};
    for (size_t i = 0; i < 3; i++)
        if (members[i][0] != members[i][1])
            return members[i][0] < members[i][1] ? -1 : 1;
    return 0;
}

static void write_groups(struct pack_writer *writer, const struct entries *entries)
{
    pack_begin(writer, BASE);
    for (size_t i = 0, n; i < entries->count; i += n) {
        n = pack_group_length(&entries->entry[i], entries->count - i);
        pack_put(writer, &entries->entry[i], n);
    }
}

#define LATEST ((INT64_C(1) << 40) - 1)      /* seconds after BASE */
#define LARGEST_ID ((UINT64_C(1) << 55) - 1) /* of a domain or an error: three bits tell its length */

/* Can the entries be written? Not if the sums of a group would overflow, a time is too late, or an id is larger than
 * those we write (old bytes may have such ids). */
static bool sums_fit(const struct entries *entries)
{
    struct totals all = {0};
    for (size_t i = 0; i < entries->count; i++) {
        const struct totals *t = &entries->entry[i].totals;
        const struct fold_key *key = &entries->entry[i].key;
        if (((uint64_t)key->domain | (uint64_t)key->error) > LARGEST_ID)
            return false;
        if (__builtin_add_overflow(all.count, t->count, &all.count) ||
            __builtin_add_overflow(all.bytes_sent, t->bytes_sent, &all.bytes_sent) ||
            __builtin_add_overflow(all.bytes_received, t->bytes_received, &all.bytes_received) ||
            __builtin_add_overflow(all.errors, t->errors, &all.errors) ||
            __builtin_add_overflow(all.duration_ms, t->duration_ms, &all.duration_ms) || t->last - BASE > LATEST)
            return false;
    }
    return true;
}

/* Each group of `groups` is the sum of its orders. */
static void check_groups(const struct entries *orders, const struct entries *groups)
{
    size_t at = 0;
    for (size_t i = 0; i < groups->count; i++) {
        size_t n = pack_group_length(&orders->entry[at], orders->count - at);
        struct totals sum = TOTALS_NONE;
        for (size_t j = at; j < at + n; j++)
            totals_add(&sum, &orders->entry[j].totals);
        CHECK(same_totals(&sum, &groups->entry[i].totals));
        CHECK(groups->entry[i].key.domain == orders->entry[at].key.domain);
        at += n;
    }
    CHECK(at == orders->count);
}

static void check_written_and_read(struct entries *entries)
{
    static struct entries again;
    struct pack_writer writer;
    if (!sums_fit(entries))
        return;
    qsort(entries->entry, entries->count, sizeof *entries->entry, by_key);
    pack_writer_init(&writer, 1u << 20);
    write_groups(&writer, entries);
    CHECK(!writer.bytes.failed);
    CHECK(read_all(writer.bytes.data, writer.bytes.len, true, &again));
    CHECK(again.count == entries->count);
    for (size_t i = 0; i < entries->count; i++) {
        CHECK(same_key(&entries->entry[i].key, &again.entry[i].key));
        CHECK(same_totals(&entries->entry[i].totals, &again.entry[i].totals));
    }
    CHECK(read_all(writer.bytes.data, writer.bytes.len, false, &again));
    check_groups(entries, &again);
    pack_writer_release(&writer);
}

static int64_t take_number(const uint8_t **at, uint64_t mask)
{
    uint64_t value;
    memcpy(&value, *at, sizeof value);
    *at += sizeof value;
    return (int64_t)(value & mask);
}

/* The input as entries: any keys, any sums, times from the base on. */
static void make_entries(const uint8_t *data, size_t size, struct entries *ret_entries)
{
    const uint8_t *at = data;
    for (ret_entries->count = 0; (size_t)(data + size - at) >= 11 * sizeof(uint64_t); ret_entries->count++) {
        struct fold_entry *entry = &ret_entries->entry[ret_entries->count];
        *entry = (struct fold_entry){.totals = {.first = BASE}};
        entry->key.domain = take_number(&at, LARGEST_ID);
        entry->key.error = take_number(&at, LARGEST_ID);
        entry->key.order_id = take_number(&at, UINT64_MAX);
        entry->totals.count = take_number(&at, INT64_MAX);
        entry->totals.bytes_sent = take_number(&at, INT64_MAX);
        entry->totals.bytes_received = take_number(&at, INT64_MAX);
        entry->totals.errors = take_number(&at, INT64_MAX);
        entry->totals.max_concurrency = take_number(&at, INT64_MAX);
        entry->totals.duration_ms = take_number(&at, INT64_MAX);
        entry->totals.first += take_number(&at, UINT32_MAX);
        entry->totals.last = entry->totals.first + take_number(&at, UINT32_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct entries entries;
    if (size > MOST_ENTRIES * 5)
        return 0;
    (void)read_all((const char *)data, size, false, &entries);
    (void)read_all((const char *)data, size, true, &entries);
    check_written_and_read(&entries);
    make_entries(data, size, &entries);
    check_written_and_read(&entries);
    return 0;
}
