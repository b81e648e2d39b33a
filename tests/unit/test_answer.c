/* test_answer.c: how analyticsctl reads a refusal of the service, of nginx, or of something else. */
#include "ctl/answer.h"
#include "support/runner.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *body, *words;
    int64_t index;
    const char *field;
} rows[] = {
    {"{\"message\":\"auth.unauthorized\",\"path\":\"/analytics/ingest\",\"timestamp\":\"2026-04-01T12:00:00.000Z\"}",
     "auth.unauthorized", -1, ""},
    {"{\"message\":\"analytics.unavailable\",\"detail\":\"the database can't be read\"}", "the database can't be read",
     -1, ""},
    {"{\"message\":\"analytics.logs_invalid\",\"detail\":\"2 of 5 logs\",\"errors\":[{\"index\":3,\"field\":\"ts\","
     "\"message\":\"not a time\"},{\"index\":4,\"field\":\"count\",\"message\":\"too large\"}]}",
     "not a time", 3, "ts"},
    /* Bodies that are none of ours. */
    {"", "", -1, ""},
    {"<html>502 Bad Gateway</html>", "<html>502 Bad Gateway</html>", -1, ""},
    {"{\"message\":7}", "{\"message\":7}", -1, ""},
    {"[1,2]", "[1,2]", -1, ""},
    {"null", "null", -1, ""},
    {"{\"message\":\"a\",\"errors\":{}}", "a", -1, ""},
    {"{\"message\":\"a\",\"errors\":[]}", "a", -1, ""},
    {"{\"message\":\"a\",\"errors\":[7]}", "a", -1, ""},
    {"{\"message\":\"a\",\"errors\":[{\"index\":1,\"field\":\"ts\"}]}", "a", -1, ""},
    {"{\"message\":\"a\",\"errors\":[{\"field\":\"ts\",\"message\":\"b\"}]}", "a", -1, ""},
};

START_TEST(reads)
{
    struct buf body;
    struct answer answer;
    buf_init(&body, 4096);
    buf_puts(&body, rows[_i].body);
    answer_read(&body, &answer);
    ck_assert_str_eq(answer.words, rows[_i].words);
    ck_assert_int_eq(answer.index, rows[_i].index);
    ck_assert_str_eq(answer.field, rows[_i].field);
    buf_release(&body);
}
END_TEST

/* A body that is longer than the room for it is cut. */
START_TEST(cuts)
{
    struct buf body;
    struct answer answer;
    buf_init(&body, 8192);
    buf_puts(&body, "{\"message\":\"a\",\"detail\":\"");
    for (int i = 0; i < 5000; i++)
        buf_putc(&body, 'x');
    buf_puts(&body, "\"}");
    answer_read(&body, &answer);
    ck_assert_uint_eq(strlen(answer.words), ANSWER_WORDS_BYTES - 1);
    buf_release(&body);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("answer");
    TCase *tcase = suite_case(suite, "answer");
    tcase_add_loop_test(tcase, reads, 0, sizeof rows / sizeof *rows);
    tcase_add_test(tcase, cuts);
    return suite_run_together(suite);
}
