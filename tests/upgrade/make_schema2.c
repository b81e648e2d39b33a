/* make_schema2.c: writes the database that schema2.h describes into the folder $SCHEMA_FOLDER; see make_schema2.sh,
 * which builds it with the sources of version 0.2.0. It has the form of a test, because the checks of schema2.h need
 * it.
 */
#include "tests/upgrade/schema2.h"

#include "store/store.h"

#include <stdlib.h>

#define NOW INT64_C(1774000000)

static void put(struct store_writer *writer, const char *caller, const char *file, int from, int to, bool is_import,
                int64_t now)
{
    struct batch batch;
    struct store_times times;
    char key[IMPORT_KEY_BYTES];
    struct import_mark begin = schema2_mark(file, from);
    struct store_item item = {.batch = &batch, .caller = caller, .idempotency_key = is_import ? key : NULL};
    import_mark_format(&begin, key);
    batch_init(&batch, NULL);
    for (int i = from; i < to; i++)
        schema2_add(&batch, file, i);
    store_write(writer, &item, 1, now, &times);
    ck_assert_int_eq(item.result, OK);
    batch_release(&batch);
}

START_TEST(make)
{
    struct store_writer *writer = NULL;
    struct fault fault;
    bool more = true;
    ck_assert_int_eq(store_writer_open(store_in(getenv("SCHEMA_FOLDER")), &writer, &fault), OK);
    put(writer, STORE_IMPORT_CALLER, "a", 0, 20, true, NOW);
    put(writer, "key 7", "b", 0, SCHEMA2_B, true, NOW + 100);
    put(writer, "key 8", "a", SCHEMA2_A, SCHEMA2_A + SCHEMA2_WORKER, false, NOW + 200);
    put(writer, STORE_IMPORT_CALLER, "a", 20, SCHEMA2_A, true, NOW + 300);
    while (more)
        ck_assert_int_eq(store_maintain(writer, NOW + 400, NOW, &more, &fault), OK);
    store_writer_close(writer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schema2");
    TCase *tcase = tcase_create("schema2");
    tcase_add_test(tcase, make);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
