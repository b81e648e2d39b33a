/* make_schema1.c: writes a database of numbered batches into the folder $SCHEMA1_FOLDER; see make_schema1.sh, which
 * builds it with the sources of version 0.1.0. A test by its form: the ledger's own checks need one. */
#include "support/ledger.h"
#include "tests/upgrade/schema1.h"

#include "store/sqlite/write/writer.h"

#include <check.h>
#include <stdlib.h>

START_TEST(make)
{
    static const struct ledger ledger = SCHEMA1_LEDGER;
    struct store_writer *writer = NULL;
    struct fault fault;
    ck_assert_int_eq(store_writer_open(store_in(getenv("SCHEMA1_FOLDER")), &writer, &fault), OK);
    for (int i = 0; i < SCHEMA1_BATCHES; i++) {
        bool more = true;
        ck_assert_int_eq(ledger_write(writer, &ledger, i).result, OK);
        sqlite_set_slice(sqlite_writer_of(writer), 1);
        for (int slices = i * 9; more && slices > 0; slices--)
            ck_assert_int_eq(store_maintain(writer, LEDGER_NOW, LEDGER_KEEP, &more, &fault), OK);
    }
    store_writer_close(writer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schema1");
    TCase *tcase = tcase_create("schema1");
    tcase_add_test(tcase, make);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
