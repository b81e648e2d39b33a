/* test_import_match.c: compares the stored logs of a second with the logs of the same second that an import brings, in
 * rows worked out by hand: "a2:3" are three logs "a", with edges 2 (1: their piece may begin here, 2: it may end here).
 * And the keys in which an import describes a batch.
 *
 * Planted to see it fail, and found: a neighbour that is taken for the same log; pieces that begin together taken for
 * neighbours; edges that stay when a piece goes on there; a base that is not subtracted; a second with logs of its own
 * on both sides that is let in. */
#include "log/import_key.h"
#include "log/import_match.h"
#include "support/runner.h"

#include "support/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define MOST 32

enum { WHOLE = 0, FIRST = IMPORT_BEGINS, LAST = IMPORT_ENDS, ALONE = IMPORT_BEGINS | IMPORT_ENDS };
enum { REPEATS = 1, MIXED = 2, PART = 4 };

static const struct {
    const char *known;
    const char *now;
    int edges, flags;
    enum import_overlap overlap;
    const char *stored; /* which of them are new; NULL: it is unclear */
    const char *after;
} rows[] = {
    /* nothing is known, or nothing in common */
    {"", "a:1 b:2", WHOLE, 0, IMPORT_REFUSE, "a:1 b:2", "a0:1 b0:2"},
    {"a0:1", "b:1", WHOLE, 0, IMPORT_REFUSE, "b:1", "a0:1 b0:1"},
    {"a2:1", "b:1", FIRST, REPEATS, IMPORT_REFUSE, "b:1", "a2:1 b1:1"},
    /* the same again, a part of it, a continuation, a part that was missing */
    {"a0:1 b0:2", "a:1 b:2", WHOLE, 0, IMPORT_REFUSE, "", "a0:1 b0:2"},
    {"a0:1 b0:2", "b:2", FIRST, REPEATS, IMPORT_REFUSE, "", "a0:1 b0:2"},
    {"a2:1", "a:1 b:1", WHOLE, REPEATS, IMPORT_REFUSE, "b:1", "a0:1 b0:1"},
    {"a2:1", "a:2", WHOLE, REPEATS, IMPORT_REFUSE, "a:1", "a0:2"},
    {"a2:1", "a:3", LAST, REPEATS, IMPORT_REFUSE, "a:2", "a2:3"},
    {"a0:1 c0:1", "a:1 b:1 c:1", WHOLE, 0, IMPORT_REFUSE, "b:1", "a0:1 b0:1 c0:1"},
    {"a2:1 x0:1", "a:1 b:1", WHOLE, 0, IMPORT_REFUSE, "b:1", "a0:1 b0:1 x0:1"}, /* x is of another program */
    {"a3:2", "a:3", FIRST, REPEATS, IMPORT_REFUSE, "a:1", "a1:3"},              /* a small file that grew */
    {"a3:2", "a:2", ALONE, REPEATS, IMPORT_REFUSE, "", "a3:2"},
    {"a1:2", "a:2", FIRST, REPEATS, IMPORT_REFUSE, "", "a1:2"},
    {"a2:2", "a:2", LAST, REPEATS, IMPORT_REFUSE, "", "a2:2"},
    /* other logs of the same second, or the same logs? */
    {"a2:1", "a:1", FIRST, 0, IMPORT_REFUSE, "", "a0:1"},
    {"a2:1", "a:1", FIRST, REPEATS, IMPORT_REFUSE, NULL, ""},
    {"a2:1", "a:2", FIRST, 0, IMPORT_REFUSE, NULL, ""},
    {"a2:2", "a:1", FIRST, 0, IMPORT_REFUSE, NULL, ""},
    {"a1:1", "a:1", LAST, REPEATS, IMPORT_REFUSE, NULL, ""},
    {"a2:1", "a:1", ALONE, REPEATS, IMPORT_REFUSE, NULL, ""},
    {"a2:1", "a:2", FIRST, 0, IMPORT_SKIP, "a:1", "a0:1 a1:1"},
    {"a2:1", "a:2", FIRST, 0, IMPORT_COUNT, "a:2", "a2:1 a1:2"},
    {"a1:2 a2:1", "a:2", FIRST, REPEATS, IMPORT_REFUSE, "", "a1:2 a2:1"}, /* then the same again */
    {"a1:2 a2:1", "a:1", LAST, REPEATS, IMPORT_REFUSE, "", "a1:2 a2:1"},
    {"a1:2 a2:1", "a:3", WHOLE, REPEATS, IMPORT_REFUSE, "", "a0:3"}, /* and both together */
    {"a1:2 a2:1", "a:3", FIRST, REPEATS, IMPORT_REFUSE, NULL, ""},
    {"a1:2 a2:1", "a:3", FIRST, REPEATS, IMPORT_COUNT, "a:1", "a1:3 a2:1"},
    {"a2:1 b0:1", "a:1 b:1", FIRST, 0, IMPORT_REFUSE, "", "a0:1 b0:1"},
    /* both sides have logs that the other has not */
    {"a0:1 b0:1", "a:1 c:1", WHOLE, 0, IMPORT_REFUSE, NULL, ""},
    {"a0:1 b0:1", "a:1 c:1", FIRST, 0, IMPORT_REFUSE, NULL, ""},
    {"a0:2", "a:1 c:1", WHOLE, 0, IMPORT_REFUSE, NULL, ""},
    {"a0:1 b0:1", "a:1 c:1", WHOLE, 0, IMPORT_SKIP, "c:1", "a0:1 b0:1 c0:1"},
    {"a0:1 b0:1", "a:1 c:1", WHOLE, 0, IMPORT_COUNT, "a:1 c:1", "a0:2 b0:1 c0:1"},
    {"a0:2 b0:1 c0:1", "a:1 c:1", WHOLE, 0, IMPORT_COUNT, "", "a0:2 b0:1 c0:1"},
    {"a0:1 b0:1", "a:1 c:1", WHOLE, MIXED, IMPORT_REFUSE, "c:1", "a0:1 b0:1 c0:1"},
    {"a0:1 b0:1", "a:1 c:1", WHOLE, MIXED | REPEATS, IMPORT_REFUSE, NULL, ""},
    /* a second in parts */
    {"a0:1 b0:1", "a:1 c:1", WHOLE, PART, IMPORT_REFUSE, "c:1", "a0:1 b0:1 c0:1"},
};

static size_t parse(const char *text, struct import_entry *entries)
{
    size_t count = 0;
    for (; *text; text += *text == ' ') {
        struct import_entry *entry = &entries[count++];
        *entry = (struct import_entry){.hash = *text++};
        if (*text != ':')
            entry->edges = *text++ - '0';
        entry->count = *++text - '0';
        text++;
    }
    return count;
}

static void add(struct import_entry *entries, size_t *count, const struct import_change *change)
{
    size_t i = 0;
    while (i < *count && (entries[i].hash != change->hash || entries[i].edges != change->edges))
        i++;
    if (i == *count)
        entries[(*count)++] = (struct import_entry){.hash = change->hash, .edges = change->edges};
    entries[i].count += change->count;
    ck_assert_int_ge(entries[i].count, 0);
}

static void check_after(size_t row, const struct import_second *second, const struct import_change *changes,
                        size_t change_count)
{
    struct import_entry is[MOST], should[MOST];
    size_t count = second->known_count, should_count = parse(rows[row].after, should), left = 0;
    memcpy(is, second->known, count * sizeof *is);
    for (size_t i = 0; i < change_count; i++)
        add(is, &count, &changes[i]);
    for (size_t i = 0; i < should_count; i++)
        add(is, &count, &(struct import_change){should[i].hash, should[i].edges, 0});
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < should_count; j++)
            if (is[i].hash == should[j].hash && is[i].edges == should[j].edges)
                is[i].count -= should[j].count;
    for (size_t i = 0; i < count; i++)
        left += is[i].count != 0;
    ck_assert_msg(left == 0, "row %zu: other entries afterwards", row);
}

START_TEST(a_second_is_decided)
{
    struct import_entry known[MOST], now[MOST], stored[MOST];
    struct import_change changes[3 * MOST];
    int64_t known_of[MOST];
    size_t change_count = 0, row = (size_t)_i;
    struct import_second second = {.known = known,
                                   .known_count = parse(rows[row].known, known),
                                   .now = now,
                                   .now_count = parse(rows[row].now, now),
                                   .edges = rows[row].edges,
                                   .repeats = rows[row].flags & REPEATS,
                                   .mixed = rows[row].flags & MIXED,
                                   .is_part = rows[row].flags & PART};
    bool told = import_match(&second, rows[row].overlap, known_of, changes, &change_count);
    ck_assert_msg(told == (rows[row].stored != NULL), "row %zu: told %d", row, told);
    if (!told)
        return;
    size_t stored_count = parse(rows[row].stored, stored), at = 0;
    for (size_t i = 0; i < second.now_count; i++) {
        int64_t more = now[i].count - known_of[i];
        if (more > 0)
            ck_assert_msg(at < stored_count && stored[at].hash == now[i].hash && stored[at].count == more,
                          "row %zu: %lld of %c are stored", row, (long long)more, (char)now[i].hash);
        at += more > 0;
    }
    ck_assert_uint_eq(at, stored_count);
    check_after(row, &second, changes, change_count);
}
END_TEST

/* One log a million times, in parts of 400,000: each part counts on from the parts before it. */
START_TEST(parts_of_one_hash_add_up)
{
    static const struct {
        int64_t known, base, count, stored;
    } parts[] = {
        {0, 0, 400000, 400000},  {400000, 400000, 400000, 400000},  {800000, 800000, 200000, 200000},
        {1000000, 0, 400000, 0}, {1000000, 800000, 400000, 200000}, {1200000, 800000, 400000, 0},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        struct import_entry known = {'a', 0, parts[i].known}, now = {'a', 0, parts[i].count};
        struct import_second second = {
            .known = &known, .known_count = parts[i].known > 0, .now = &now, .now_count = 1, .is_part = true};
        struct import_change changes[3];
        int64_t known_of = 0;
        size_t change_count = 0;
        second.base = parts[i].base;
        ck_assert(import_match(&second, IMPORT_REFUSE, &known_of, changes, &change_count));
        ck_assert_int_eq(parts[i].count - known_of, parts[i].stored);
    }
}
END_TEST

/* ---- keys ---- */

static const char *const good_keys[] = {
    "analyticsctl-import-2:check::0:0:0:",
    "analyticsctl-import-2:refuse:rmp:-1:32503680000:99999999999:n.o-d_E1",
    "analyticsctl-import-2:skip:r:1773569700:1773569701:0:a%3ab%20%c3%a9",
    "analyticsctl-import-2:count:p:1:2:3:x",
};

static const char *const bad_keys[] = {
    "",
    "analyticsctl-import-2",
    "analyticsctl-import-2:check::0:0:0",
    "analyticsctl-import-1:check::0:0:0:",
    "analyticsctl-import-2:store::0:0:0:",
    "analyticsctl-import-2:check:mr:0:0:0:",
    "analyticsctl-import-2:check:x:0:0:0:",
    "analyticsctl-import-2:check::00:0:0:",
    "analyticsctl-import-2:check::0:0:-1:",
    "analyticsctl-import-2:check::0:0:999999999999:",
    "analyticsctl-import-2:check::0:0:0:a:b",
    "analyticsctl-import-2:check::0:0:0:a%3Ab",
    "analyticsctl-import-2:check::0:0:0:a%3",
    "analyticsctl-import-2:check::0:0:0:a%",
    "analyticsctl-import-2:check::0:0:0:%61",
    "analyticsctl-import-2:check::0:0:0:%0a",
    "analyticsctl-import-2:check::0:0:0:%ff",
    "analyticsctl-import-2:check::0:0:0:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

START_TEST(keys_are_read_in_one_way_only)
{
    struct import_batch batch;
    char key[IMPORT_BATCH_KEY_BYTES];
    for (size_t i = 0; i < sizeof good_keys / sizeof *good_keys; i++) {
        ck_assert_msg(import_batch_parse(slice_of(good_keys[i]), &batch), "%s", good_keys[i]);
        import_batch_format(&batch, key);
        ck_assert_str_eq(key, good_keys[i]);
    }
    ck_assert(import_batch_parse(slice_of(good_keys[2]), &batch));
    ck_assert_str_eq(batch.source, "a:b \xc3\xa9");
    ck_assert(batch.repeats && !batch.mixed && !batch.is_part && !batch.check && batch.overlap == IMPORT_SKIP);
    ck_assert_int_eq(import_edges(&batch, 1773569700), IMPORT_BEGINS);
    ck_assert_int_eq(import_edges(&batch, 1773569701), IMPORT_ENDS);
    for (size_t i = 0; i < sizeof bad_keys / sizeof *bad_keys; i++)
        ck_assert_msg(!import_batch_parse(slice_of(bad_keys[i]), &batch), "%s", bad_keys[i]);
}
END_TEST

START_TEST(the_longest_key_has_room)
{
    struct import_batch batch = {.repeats = true,
                                 .mixed = true,
                                 .is_part = true,
                                 .base = 99999999999,
                                 .begins_until = 99999999999,
                                 .ends_from = 99999999999},
                        again;
    char key[IMPORT_BATCH_KEY_BYTES];
    for (size_t i = 0; i < IMPORT_SOURCE_BYTES; i += 2)
        memcpy(batch.source + i, "\xc3\xa9", 2);
    import_batch_format(&batch, key);
    ck_assert(import_batch_parse(slice_of(key), &again) && strcmp(again.source, batch.source) == 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("import match");
    TCase *match = suite_case(suite, "match"), *keys = suite_case(suite, "keys");
    tcase_add_loop_test(match, a_second_is_decided, 0, (int)(sizeof rows / sizeof *rows));
    tcase_add_test(match, parts_of_one_hash_add_up);
    tcase_add_test(keys, keys_are_read_in_one_way_only);
    tcase_add_test(keys, the_longest_key_has_room);
    return suite_run_together(suite);
}
