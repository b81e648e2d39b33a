/* test_doubt.c: what a replica said of blocks, and for how long that counts.
 *
 * Planted to see it fail: an age by the clock that stands still while a machine sleeps (DOUBT_THERE, an hour later). */
#include "support/runner.h"

#include "store/clickhouse/doubt.h"

#define AGE_MS 60000

static struct doubt_reply replies[] = {{5, {DOUBT_THERE, DOUBT_NOT_THERE}}, {7, {DOUBT_OTHER, DOUBT_THERE}}};

static struct doubt answered_now(void)
{
    return (struct doubt){.replies = replies, .count = 2, .replica = 1, .answered = moment_now()};
}

START_TEST(an_answer_is_about_a_part_of_a_block)
{
    struct doubt doubt = answered_now(), nothing = {0};
    size_t replica = 9;
    ck_assert_int_eq(doubt_look_up(&doubt, 5, BLOCKS_LOGS, AGE_MS, &replica), DOUBT_THERE);
    ck_assert_uint_eq(replica, 1);
    ck_assert_int_eq(doubt_look_up(&doubt, 5, BLOCKS_SUMS, AGE_MS, &replica), DOUBT_NOT_THERE);
    ck_assert_int_eq(doubt_look_up(&doubt, 7, BLOCKS_LOGS, AGE_MS, &replica), DOUBT_OTHER);
    ck_assert_int_eq(doubt_look_up(&doubt, 6, BLOCKS_LOGS, AGE_MS, &replica), DOUBT_UNASKED);
    ck_assert_int_eq(doubt_look_up(&nothing, 5, BLOCKS_LOGS, AGE_MS, &replica), DOUBT_UNASKED);
}
END_TEST

/* By either clock: a machine that slept, a virtual one that was stopped for an hour and then had its clock set. */
START_TEST(an_old_answer_is_none)
{
    struct doubt doubt = answered_now();
    size_t replica;
    doubt.answered.running_ms -= AGE_MS + 1;
    ck_assert_int_eq(doubt_look_up(&doubt, 5, BLOCKS_LOGS, AGE_MS, &replica), DOUBT_UNASKED);
    doubt = answered_now();
    doubt.answered.wall_ms -= 3600 * 1000;
    ck_assert_int_eq(doubt_look_up(&doubt, 5, BLOCKS_LOGS, AGE_MS, &replica), DOUBT_UNASKED);
}
END_TEST

/* A clock that was set back makes nothing young again. */
START_TEST(a_clock_set_back_changes_nothing)
{
    struct doubt doubt = answered_now();
    size_t replica;
    doubt.answered.wall_ms += 3600 * 1000;
    ck_assert_int_eq(doubt_look_up(&doubt, 5, BLOCKS_LOGS, AGE_MS, &replica), DOUBT_THERE);
    doubt.answered.running_ms -= AGE_MS + 1;
    ck_assert_int_eq(doubt_look_up(&doubt, 5, BLOCKS_LOGS, AGE_MS, &replica), DOUBT_UNASKED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("doubt");
    TCase *cases = suite_case(suite, "answers");
    tcase_add_test(cases, an_answer_is_about_a_part_of_a_block);
    tcase_add_test(cases, an_old_answer_is_none);
    tcase_add_test(cases, a_clock_set_back_changes_nothing);
    return suite_run_together(suite);
}
