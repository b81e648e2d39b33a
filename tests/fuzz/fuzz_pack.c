/* fuzz_pack.c: a packed rollup chunk from a damaged file. Whatever the bytes: reading ends, within them, and either
 * says that they are damaged or gives entries that are written and read again as the same. And whatever entries are
 * written come back.
 *
 * Planted to see it fail, and found: a varint that is not ended by the last byte, a shift of 70, a difference of the
 * wrong sign. */
#include "fuzz.h"
#include "pack.h"

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
           one->max_concurrency == other->max_concurrency && one->first == other->first && one->last == other->last;
}

/* False for damaged bytes. */
static bool read_all(const char *bytes, size_t len, struct entries *ret_entries)
{
    struct pack_reader reader;
    struct totals totals;
    char *exact = fuzz_copy(bytes, len);
    ret_entries->count = 0;
    pack_open(&reader, exact, len, BASE);
    const unsigned char *last = reader.at;
    while (pack_next(&reader, &totals)) {
        CHECK(reader.at > last && reader.at <= reader.end && !reader.damaged);
        CHECK(totals.count >= 0 && totals.bytes_sent >= 0 && totals.bytes_received >= 0 && totals.errors >= 0);
        CHECK(totals.max_concurrency >= 0 && totals.first >= BASE && totals.last >= totals.first);
        last = reader.at;
        CHECK(ret_entries->count < MOST_ENTRIES);
        ret_entries->entry[ret_entries->count++] = (struct fold_entry){.key = reader.key, .totals = totals};
    }
    CHECK(!pack_next(&reader, &totals)); /* the end stays the end */
    CHECK(reader.damaged || reader.at == reader.end);
    free(exact);
    return !reader.damaged;
}

static void check_written_and_read(const struct entries *entries)
{
    static struct entries again;
    struct fold_key last = {0};
    struct buf buf;
    buf_init(&buf, 1u << 20);
    for (size_t i = 0; i < entries->count; i++)
        pack_put(&buf, &last, BASE, &entries->entry[i]);
    CHECK(!buf.failed);
    CHECK(read_all(buf.data, buf.len, &again));
    CHECK(again.count == entries->count);
    for (size_t i = 0; i < entries->count; i++) {
        CHECK(same_key(&entries->entry[i].key, &again.entry[i].key));
        CHECK(same_totals(&entries->entry[i].totals, &again.entry[i].totals));
    }
    buf_release(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct entries entries;
    if (size > MOST_ENTRIES * 10)
        return 0;
    (void)read_all((const char *)data, size, &entries);
    check_written_and_read(&entries);
    return 0;
}
