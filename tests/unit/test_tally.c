/* test_tally.c: sums by key, the n-th greatest of many values, and the cache of tallies. */
#include "report/tally_cache.h"
#include "support/fixture.h"

#include <stdlib.h>
#include <string.h>

static struct totals one(int64_t count)
{
    return (struct totals){.count = count, .first = count, .last = count};
}

static void add(struct tally *tally, int64_t domain, int64_t error, int64_t count)
{
    struct totals totals = one(count);
    size_t index;
    ck_assert_int_eq(tally_add(tally, (struct tally_key){.domain = domain, .error = error}, &totals, &index), OK);
    ck_assert_int_eq(tally->entries[index].key.domain, domain);
    ck_assert_int_eq(tally->entries[index].key.error, error);
}

/* ---- sums ---- */

START_TEST(adds_by_key)
{
    enum { DOMAINS = 3000, LOGS = 20000 };
    static int64_t expected[DOMAINS][2];
    struct tally tally = {0}, copy;
    for (int i = 0; i < LOGS; i++) {
        int64_t domain = pick(DOMAINS), error = pick(2), count = pick(100);
        expected[domain][error] += count;
        add(&tally, domain << 40, error, count); /* ids far apart */
    }
    ck_assert_int_eq(tally_copy(&tally, false, &copy), OK);
    add(&copy, 5, 5, 5); /* the copy is independent, and grows */
    for (int i = 0; i < DOMAINS; i++)
        add(&copy, 1000000 + i, 9, 1);
    for (size_t i = 0; i < tally.count; i++) {
        const struct tally_key *key = &tally.entries[i].key;
        ck_assert_int_eq(tally.entries[i].totals.count, expected[key->domain >> 40][key->error]);
        ck_assert_mem_eq(&copy.entries[i], &tally.entries[i], sizeof *copy.entries);
        expected[key->domain >> 40][key->error] = -1; /* each key once */
    }
    ck_assert_uint_eq(copy.count, tally.count + 1 + DOMAINS);
    tally_release(&copy);
    tally_release(&tally);
}
END_TEST

START_TEST(copies_nothing)
{
    struct tally tally = {0}, copy;
    ck_assert_int_eq(tally_copy(&tally, false, &copy), OK);
    add(&copy, 1, 0, 7);
    ck_assert_uint_eq(copy.count, 1);
    tally_release(&copy);
}
END_TEST

/* ---- the n-th ---- */

static int descending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a < b) - (a > b);
}

/* All equal, few distinct values, sorted in either direction, or random. */
static void fill(int64_t *values, size_t count, int shape)
{
    for (size_t i = 0; i < count; i++)
        values[i] = shape == 0   ? 7
                    : shape == 1 ? (int64_t)i
                    : shape == 2 ? -(int64_t)i
                    : shape == 3 ? pick(3)
                                 : pick(1 << 30) - (1 << 29);
}

START_TEST(finds_the_nth_greatest)
{
    static const size_t counts[] = {1, 2, 3, 5, 17, 100, 1000};
    int64_t values[1000], sorted[1000], scratch[1000];
    for (int c = 0; c < ROWS(counts); c++) {
        size_t count = counts[c];
        fill(values, count, _i);
        memcpy(sorted, values, count * sizeof *values);
        qsort(sorted, count, sizeof *sorted, descending);
        for (size_t rank = 0; rank < count; rank += 1 + count / 50) {
            memcpy(scratch, values, count * sizeof *values);
            ck_assert_int_eq(tally_nth_greatest(scratch, count, rank), sorted[rank]);
        }
    }
}
END_TEST

/* ---- the cache ---- */

static struct tally tally_of(int64_t domains)
{
    struct tally tally = {0};
    for (int64_t i = 0; i < domains; i++)
        add(&tally, i, 0, i);
    return tally;
}

START_TEST(knows_what_was_asked)
{
    struct tally_cache cache = {0};
    struct tally tally = tally_of(10);
    struct tally_question question = {.source = 1, .user_id = 2, .order_id = 3, .domain = 4, .from = 5, .to = 6};
    tally_cache_keep(&cache, &question, &tally);
    tally_release(&tally);
    ck_assert_ptr_nonnull(tally_cache_find(&cache, &question));
    ck_assert_int_eq(tally_cache_find(&cache, &question)->entries[9].totals.count, 9);
    for (size_t i = 0; i < sizeof question / sizeof(int64_t); i++) { /* a change of any member makes another question */
        struct tally_question other = question;
        ((int64_t *)&other)[i]++;
        ck_assert_ptr_null(tally_cache_find(&cache, &other));
    }
    tally_cache_release(&cache);
    ck_assert_ptr_null(tally_cache_find(&cache, &question));
}
END_TEST

START_TEST(forgets_what_was_not_used)
{
    struct tally_cache cache = {0};
    struct tally tally = tally_of(10);
    for (int64_t user = 0; user < TALLY_CACHE_ENTRIES + 3; user++) {
        tally_cache_keep(&cache, &(struct tally_question){.user_id = user}, &tally);
        ck_assert_ptr_nonnull(tally_cache_find(&cache, &(struct tally_question){.user_id = 0})); /* stays in use */
    }
    for (int64_t user = 1; user < TALLY_CACHE_ENTRIES + 3; user++)
        ck_assert(!tally_cache_find(&cache, &(struct tally_question){.user_id = user}) == (user <= 3));
    tally_release(&tally);
    tally_cache_release(&cache);
}
END_TEST

START_TEST(stays_within_its_bytes)
{
    struct tally_cache cache = {0};
    struct tally large = tally_of(30000), huge = tally_of(100000);
    for (int64_t user = 0; user < 40; user++) {
        size_t bytes = 0;
        tally_cache_keep(&cache, &(struct tally_question){.user_id = user}, user % 7 ? &large : &huge);
        for (int i = 0; i < TALLY_CACHE_ENTRIES; i++)
            bytes += tally_bytes(&cache.entries[i].tally);
        ck_assert_uint_le(bytes, TALLY_CACHE_BYTES);
        ck_assert(!tally_cache_find(&cache, &(struct tally_question){.user_id = user}) == (user % 7 == 0));
    }
    tally_release(&large);
    tally_release(&huge);
    tally_cache_release(&cache);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tally");
    TCase *tcase = suite_case(suite, "tally");
    tcase_add_test(tcase, adds_by_key);
    tcase_add_test(tcase, copies_nothing);
    tcase_add_loop_test(tcase, finds_the_nth_greatest, 0, 5);
    tcase_add_test(tcase, knows_what_was_asked);
    tcase_add_test(tcase, forgets_what_was_not_used);
    tcase_add_test(tcase, stays_within_its_bytes);
    return suite_run_together(suite);
}
