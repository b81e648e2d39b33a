/* test_engines.c: compares two engines of store.h: SQLite, and one that counts every report from all logs.
 *
 * Planted, and found: in chart.c, the two parts of a day that a zone's midnight cuts, exchanged. */
#include "store/sqlite/sqlite.h"
#include "support/runner.h"
#include "support/two_engines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define BATCHES 120
#define QUESTIONS 150

static char folder[64];

static void set_up(void)
{
    memcpy(folder, "/tmp/test_engines.XXXXXX", sizeof "/tmp/test_engines.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    two_engines_begin(store_in(folder), false);
}

static void tear_down(void)
{
    static const char *const files[] = {"analytics.db", "analytics.db-wal", "analytics.db-shm", "lock"};
    char path[128];
    two_engines_end();
    for (int i = 0; i < ROWS(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

START_TEST(two_engines_answer_alike)
{
    two_engines_write(BATCHES);
    two_engines_ask(QUESTIONS);
}
END_TEST

START_TEST(a_state_is_of_what_is_stored)
{
    two_engines_compare_states();
}
END_TEST

START_TEST(an_engine_has_a_name)
{
    ck_assert_ptr_eq(store_engine_find("sqlite"), store_in("").engine);
    ck_assert_ptr_null(store_engine_find("memory"));
    ck_assert_ptr_null(store_engine_find(""));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engines");
    TCase *tcase = suite_case(suite, "alike");
    sqlite_setup(false);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, two_engines_answer_alike);
    tcase_add_test(tcase, a_state_is_of_what_is_stored);
    tcase_add_test(tcase, an_engine_has_a_name);
    return suite_run(suite);
}
