/* test_pack.c: packed rollup chunks: bytes worked out by hand from the format in pack.h, and bytes that a damaged file
 * may hold. tests/fuzz/fuzz_pack.c tries random ones. */
#include "rollup/pack.h"
#include "support/runner.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define BYTES(literal) literal, sizeof(literal) - 1
#define BASE 1000
#define GREATEST "\xff\xff\xff\xff\xff\xff\xff\x7f"  /* 2^63-1 */
#define TOO_GREAT "\x00\x00\x00\x00\x00\x00\x00\x80" /* 2^63 */

/* As versions up to 0.2.0 wrote: domain 2, no error, order 6, sums 1 … 7 */
#define ENTRY "\x01\x11\x11\x11\x11\x02\x06\x01\x02\x03\x04\x05\x06\x07"
/* The sums of a group, and an order of it. */
#define GROUP "\x01\x1f\x11\x11\x11\x02\x01\x02\x03\x04\x05\x06\x07"
#define IN_GROUP "\x00\x11\x11\x11\x11\x06\x01\x02\x03\x04\x05\x06\x07"

/* As we write: the same, with a duration of 8. Lengths, each 1, from the lowest bit on: 3, 3, 4, 4, … 4, 3, 3 bits. */
#define LONG "\x41\x44\x44\x44\x24\x02\x06\x01\x02\x03\x04\x05\x08\x06\x07"
#define LONG_GROUP "\xc1\x47\x44\x44\x24\x02\x01\x02\x03\x04\x05\x08\x06\x07"
#define IN_LONG_GROUP "\x40\x44\x44\x44\x24\x06\x01\x02\x03\x04\x05\x08\x06\x07"

/* The same with the short tag: 3, 3, 4, 2, 2, 2, 1, 1, 2, 2, 2 bits, and 10 or 13 for the order. */
#define SHORT "\x81\x56\x57\x02\x06\x01\x02\x03\x04\x05\x08\x06\x07"
#define SHORT_GROUP "\x41\x57\x57\x02\x01\x02\x03\x04\x05\x08\x06\x07"
#define IN_SHORT_GROUP "\x80\x56\x57\x06\x01\x02\x03\x04\x05\x08\x06\x07"

static const struct {
    const char *bytes;
    size_t len;
    size_t groups; /* sound groups before the end or the damage */
    size_t orders; /* sound entries, read order by order */
    bool damaged;
} chunk_rows[] = {
    {BYTES(""), 0, 0, false},
    {BYTES("\x00\x00\x00\x00\x00"), 1, 1, false}, /* nothing but zeros */
    {BYTES(ENTRY), 1, 1, false},
    {BYTES(ENTRY ENTRY), 2, 2, false},
    {BYTES(ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY ENTRY), 15, 15, false},
    {BYTES("\x01\x11\x11\x11\x11\x02\x06\x01\x02\x03\x04\x05\x06"), 0, 0, true}, /* cut between numbers */
    {BYTES("\x01\x12\x11\x11\x11\x02\x06"), 0, 0, true},                         /* … within one */
    {BYTES(ENTRY "\x01"), 1, 1, true},                                           /* … within the lengths */
    {BYTES("\x01\x81\x11\x11\x11\x02\x06" GREATEST "\x02\x03\x04\x05\x06\x07"), 1, 1, false}, /* count */
    {BYTES("\x01\x81\x11\x11\x11\x02\x06" TOO_GREAT "\x02\x03\x04\x05\x06\x07"), 0, 0, true},
    {BYTES("\x01\x11\x18\x11\x11\x02\x06\x01" TOO_GREAT "\x03\x04\x05\x06\x07"), 0, 0, true}, /* bytes_sent */
    {BYTES("\x01\x11\x81\x11\x11\x02\x06\x01\x02" TOO_GREAT "\x04\x05\x06\x07"), 0, 0, true}, /* bytes_received */
    {BYTES("\x01\x11\x11\x18\x11\x02\x06\x01\x02\x03" TOO_GREAT "\x05\x06\x07"), 0, 0, true}, /* errors */
    {BYTES("\x01\x11\x11\x81\x11\x02\x06\x01\x02\x03\x04" TOO_GREAT "\x06\x07"), 0, 0, true}, /* max_concurrency */
    {BYTES("\x01\x11\x11\x11\x15\x02\x06\x01\x02\x03\x04\x05\xff\xff\xff\xff\xff\x07"), 1, 1, false}, /* first */
    {BYTES("\x01\x11\x11\x11\x16\x02\x06\x01\x02\x03\x04\x05\x00\x00\x00\x00\x00\x01\x07"), 0, 0, true},
    {BYTES("\x01\x11\x11\x11\x81\x02\x06\x01\x02\x03\x04\x05\x06" GREATEST), 0, 0, true},            /* last */
    {BYTES("\x01\x91\x11\x11\x11\x02\x06\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"), 0, 0, true}, /* 9 bytes */
    {BYTES("\x01\x1e\x11\x11\x11\x02\x06\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"), 0, 0, true}, /* 14 */
    {BYTES(GROUP "\x1a\x00\x00\x00" IN_GROUP IN_GROUP), 1, 2, false},
    {BYTES(GROUP "\x1a\x00\x00\x00" IN_GROUP IN_GROUP ENTRY), 2, 3, false},
    {BYTES(GROUP), 0, 0, true},                                      /* cut before the size */
    {BYTES(GROUP "\x1a\x00"), 0, 0, true},                           /* … within it */
    {BYTES(GROUP "\x00\x00\x00\x00"), 0, 0, true},                   /* of no orders */
    {BYTES(GROUP "\x1b\x00\x00\x00" IN_GROUP IN_GROUP), 0, 0, true}, /* of more than there is */
    {BYTES(GROUP "\xff\xff\xff\xff" IN_GROUP IN_GROUP), 0, 0, true},
    {BYTES("\x09"), 0, 0, false}, /* ours, of no entries */
    {BYTES("\x09" LONG), 1, 1, false},
    {BYTES("\x09" LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG LONG), 17, 17, false},
    {BYTES("\x09\x41\x44\x44\x44\x24\x02\x06\x01\x02\x03\x04\x05\x08\x06"), 0, 0, true}, /* cut between numbers */
    {BYTES("\x09" LONG "\x41"), 1, 1, true},
    {BYTES("\x09\x41\x60\x44\x44\x24\x02\x06" GREATEST "\x02\x03\x04\x05\x08\x06\x07"), 1, 1, false}, /* count */
    {BYTES("\x09\x41\x60\x44\x44\x24\x02\x06" TOO_GREAT "\x02\x03\x04\x05\x08\x06\x07"), 0, 0, true},
    {BYTES("\x09\x41\x04\x46\x44\x24\x02\x06\x01" TOO_GREAT "\x03\x04\x05\x08\x06\x07"), 0, 0, true}, /* bytes_sent */
    {BYTES("\x09\x41\x44\x44\x60\x24\x02\x06\x01\x02\x03\x04" TOO_GREAT "\x08\x06\x07"), 0, 0,
     true}, /* max_concurrency */
    {BYTES("\x09\x41\x44\x44\x04\x26\x02\x06\x01\x02\x03\x04\x05" GREATEST "\x06\x07"), 1, 1, false}, /* duration */
    {BYTES("\x09\x41\x44\x44\x04\x26\x02\x06\x01\x02\x03\x04\x05" TOO_GREAT "\x06\x07"), 0, 0, true},
    {BYTES("\x09\x41\x44\x44\x44\x34\x02\x06\x01\x02\x03\x04\x05\x08\xff\xff\xff\xff\xff\x07"), 1, 1,
     false}, /* first */
    {BYTES("\x09\x41\x44\x44\x44\x38\x02\x06\x01\x02\x03\x04\x05\x08\x00\x00\x00\x00\x00\x01\x07"), 0, 0, true},
    {BYTES("\x09\x41\x44\x44\x44\xe4\x02\x06\x01\x02\x03\x04\x05\x08\x06\xff\xff\xff\xff\xff\xff\x7f"), 0, 0,
     true}, /* last */
    {BYTES("\x09\x41\x64\x44\x44\x24\x02\x06\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"), 0, 0,
     true}, /* 9 bytes */
    {BYTES("\x09\x41\x44\x44\x44\x26\x02\x06\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"), 0, 0, true},
    {BYTES("\x09\x81\x47\x44\x44\x24\x02\x06\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c"), 0, 0, true}, /* 14 */
    {BYTES("\x09" LONG_GROUP "\x1c\x00\x00\x00" IN_LONG_GROUP IN_LONG_GROUP LONG), 2, 3, false},
    {BYTES("\x09" LONG_GROUP "\x00\x00\x00\x00"), 0, 0, true},
    {BYTES("\x09" LONG_GROUP "\x1d\x00\x00\x00" IN_LONG_GROUP IN_LONG_GROUP), 0, 0, true},
    {BYTES("\x09" SHORT), 1, 1, false},
    {BYTES("\x09" SHORT LONG SHORT), 3, 3, false},
    {BYTES("\x09" SHORT SHORT SHORT SHORT SHORT SHORT SHORT SHORT SHORT SHORT SHORT SHORT SHORT SHORT SHORT), 15, 15,
     false},
    {BYTES("\x09\x40\x02\x00"), 1, 1, false},                                    /* nothing but zeros */
    {BYTES("\x09\x81\x56\x57\x02\x06\x01\x02\x03\x04\x05\x08\x06"), 0, 0, true}, /* cut between numbers */
    {BYTES("\x09" SHORT "\x81\x56"), 1, 1, true},                                /* … within the lengths */
    {BYTES("\x09" SHORT_GROUP "\x18\x00\x00\x00" IN_SHORT_GROUP IN_SHORT_GROUP SHORT), 2, 3, false},
    {BYTES("\x09" SHORT_GROUP "\x1a\x00\x00\x00" IN_SHORT_GROUP IN_LONG_GROUP LONG), 2, 3, false},
    {BYTES("\x09" SHORT_GROUP "\x19\x00\x00\x00" IN_SHORT_GROUP IN_SHORT_GROUP), 0, 0, true},
};

static void check_chunk(int row, bool by_order)
{
    struct pack_reader reader;
    struct totals totals;
    size_t entries = 0, len = chunk_rows[row].len;
    char *exact = malloc(len + !len); /* so that a sanitizer sees a read beyond it */
    memcpy(exact, chunk_rows[row].bytes, len);
    pack_open(&reader, exact, len, BASE, by_order);
    while (pack_next(&reader, &totals))
        entries++;
    ck_assert_uint_eq(entries, by_order ? chunk_rows[row].orders : chunk_rows[row].groups);
    ck_assert_int_eq(reader.damaged, chunk_rows[row].damaged);
    ck_assert(!pack_next(&reader, &totals));
    free(exact);
}

START_TEST(chunk)
{
    check_chunk(_i, false);
    check_chunk(_i, true);
}
END_TEST

/* A group within a group is damage. */
START_TEST(group_in_group)
{
    static const char bytes[] = GROUP "\x11\x00\x00\x00" GROUP "\x0d\x00\x00\x00" IN_GROUP;
    struct pack_reader reader;
    struct totals totals;
    pack_open(&reader, bytes, sizeof bytes - 1, BASE, true);
    ck_assert(!pack_next(&reader, &totals));
    ck_assert(reader.damaged);
}
END_TEST

static const struct fold_entry entries[] = {
    {.key = {.domain = 2, .order_id = 3},
     .totals = {.count = 12,
                .bytes_sent = 1000,
                .bytes_received = 3,
                .errors = 4,
                .max_concurrency = 5,
                .duration_ms = 300,
                .first = BASE + 6,
                .last = BASE + 13}},
    {.key = {.domain = 5, .error = 3}, .totals = {.first = BASE, .last = BASE + 1}},
    {.key = {.domain = 7, .order_id = 1}, .totals = {.count = 1, .first = BASE, .last = BASE}},
    {.key = {.domain = 7, .order_id = 300},
     .totals = {.count = 2, .max_concurrency = 9, .duration_ms = 70000, .first = BASE + 1, .last = BASE + 1}},
    {.key = {.domain = 8, .order_id = 1},
     .totals = {.count = 1, .bytes_sent = 0x1000000, .first = BASE, .last = BASE}}, /* too much for the short tag */
};

static const char packed[] = "\x09"
                             "\x81\x66\x5b\x02\x03\x0c\xe8\x03\x03\x04\x05\x2c\x01\x06\x07"
                             "\x49\x02\x40\x03\x06\x01"
                             "\x49\x07\x4e\x02\x05\x03\x09\x70\x11\x01\x01\x10\x00\x00\x00"
                             "\x80\x06\x00\x01\x01"
                             "\xc0\x06\x1e\x2c\x01\x02\x09\x70\x11\x01\x01"
                             "\x41\x04\x01\x00\x00\x01\x01\x01\x00\x00\x00\x01";

START_TEST(written_by_hand)
{
    struct pack_writer writer;
    pack_writer_init(&writer, 1000);
    pack_begin(&writer, BASE);
    ck_assert_uint_eq(pack_group_length(entries, 4), 1);
    ck_assert_uint_eq(pack_group_length(entries + 2, 2), 2);
    pack_put(&writer, entries, 1);
    pack_put(&writer, entries + 1, 1);
    pack_put(&writer, entries + 2, 2);
    pack_put(&writer, entries + 4, 1);
    ck_assert(!writer.bytes.failed);
    ck_assert_uint_eq(writer.bytes.len, sizeof packed - 1);
    ck_assert_mem_eq(writer.bytes.data, packed, sizeof packed - 1);
    pack_writer_release(&writer);
}
END_TEST

/* Ids whose length does not fit into three bits. */
START_TEST(too_great_id)
{
    struct pack_writer writer;
    pack_writer_init(&writer, 1000);
    pack_begin(&writer, BASE);
    pack_put(&writer,
             &(struct fold_entry){.key = {.domain = INT64_C(1) << 56}, .totals = {.first = BASE, .last = BASE}}, 1);
    ck_assert(writer.bytes.failed);
    pack_writer_release(&writer);
}
END_TEST

static void check_entry(struct pack_reader *reader, const struct fold_key *key, const struct totals *wanted)
{
    struct totals totals;
    ck_assert(pack_next(reader, &totals));
    ck_assert_mem_eq(&totals, wanted, sizeof totals);
    ck_assert_int_eq(reader->key.domain, key->domain);
    ck_assert_int_eq(reader->key.error, key->error);
    ck_assert_int_eq(reader->key.order_id, key->order_id);
}

START_TEST(read_by_hand)
{
    static const struct totals sum = {
        .count = 3, .max_concurrency = 9, .duration_ms = 70000, .first = BASE, .last = BASE + 1};
    struct pack_reader reader;
    struct totals totals;
    pack_open(&reader, packed, sizeof packed - 1, BASE, true);
    for (int i = 0; i < ROWS(entries); i++)
        check_entry(&reader, &entries[i].key, &entries[i].totals);
    ck_assert(!pack_next(&reader, &totals) && !reader.damaged);
    pack_open(&reader, packed, sizeof packed - 1, BASE, false);
    check_entry(&reader, &entries[0].key, &entries[0].totals);
    check_entry(&reader, &entries[1].key, &entries[1].totals);
    check_entry(&reader, &(struct fold_key){.domain = 7}, &sum);
    check_entry(&reader, &entries[4].key, &entries[4].totals);
    ck_assert(!pack_next(&reader, &totals) && !reader.damaged);
}
END_TEST

/* A chunk that exceeds its limit is noticed. */
START_TEST(ceiling)
{
    struct pack_writer writer;
    pack_writer_init(&writer, sizeof packed - 2);
    pack_begin(&writer, BASE);
    pack_put(&writer, entries, 1);
    pack_put(&writer, entries + 1, 1);
    pack_put(&writer, entries + 2, 2);
    ck_assert(!writer.bytes.failed);
    pack_put(&writer, entries + 4, 1);
    ck_assert(writer.bytes.failed);
    pack_writer_release(&writer);
}
END_TEST

/* Rows of a damaged file may exceed the limits of the store. The sum is then wrong, but without undefined behaviour. */
START_TEST(sums_of_damage)
{
    struct totals totals = {.count = INT64_MAX, .bytes_sent = INT64_MAX, .first = 1, .last = 1};
    const struct totals more = {
        .count = 1, .bytes_sent = INT64_MAX, .bytes_received = INT64_MAX, .first = 2, .last = 2};
    totals_add(&totals, &more);
    ck_assert_int_eq(totals.count, INT64_MIN);
    ck_assert_int_eq(totals.bytes_sent, -2);
    ck_assert_int_eq(totals_bytes(&more), -2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pack");
    TCase *tcase = suite_case(suite, "pack");
    tcase_add_loop_test(tcase, chunk, 0, ROWS(chunk_rows));
    tcase_add_test(tcase, group_in_group);
    tcase_add_test(tcase, written_by_hand);
    tcase_add_test(tcase, too_great_id);
    tcase_add_test(tcase, read_by_hand);
    tcase_add_test(tcase, ceiling);
    tcase_add_test(tcase, sums_of_damage);
    return suite_run_together(suite);
}
