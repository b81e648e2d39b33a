/* test_accept.c: which Accept headers get CSV. Each row was worked out by hand from RFC 9110, 12.5.1 and 12.4.2. */
#include "http/accept.h"
#include "support/runner.h"

#include <stdlib.h>

#include "base/banned.h"

static const struct {
    const char *accept;
    bool csv;
} headers[] = {
    {"", false},
    {"*/*", false},
    {"application/json", false},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", false}, /* a browser */
    {"image/png", false},
    {"text/csv", true},
    {"TEXT/CSV", true},
    {" \ttext/csv\t ", true},
    {"text/*", true},
    {"text/csv, application/json", false}, /* equal: JSON is our default */
    {"text/csv;q=0.5, application/json;q=0.4", true},
    {"text/csv;q=0.4, application/json;q=0.5", false},
    {"text/csv;q=0.001", true},
    {"text/csv;q=0", false},
    {"text/csv;q=0.000", false},
    {"text/csv;q=1.000", true},
    {"text/csv;q=1.", true},
    {"text/csv, */*;q=0.1", true},
    {"*/*;q=0.1,text/csv", true},
    {"*/*, application/json;q=0.9", true}, /* the best fit decides: JSON has 0.9, CSV 1 */
    {"*/*, text/csv;q=0.5", false},
    {"text/*;q=0.3, text/csv;q=0.7, application/*;q=0.5", true},
    {"text/*;q=0.7, text/csv;q=0.3, application/*;q=0.5", false},
    {"text/csv;q=0.2, text/csv;q=0.8, application/json;q=0.5", true}, /* twice: the better one */
    {"text/csv ; charset=utf-8 ; header=present ; Q=0.9 , application/json ; q=0.8", true},
    {"text/csv;header=\"a,b;q=0\";q=0.9, */*;q=0.1", true},
    {"text/csv;q=0.5;x=\",application/json,\"", true},
    {"text/csv;q=0.5;x=\"\\\",application/json,\"", true},
    /* malformed parts do not count */
    {"text/csv;q=", false},
    {"text/csv;q=2", false},
    {"text/csv;q=1.001", false},
    {"text/csv;q=-1", false},
    {"text/csv;q=0.5555", false},
    {"text/csv;q=.5", false},
    {"text/csv;q=0,5", false},
    {"text/csv;q=x", false},
    {"text /csv", false},
    {"text/csv2", false},
    {"text", false},
    {"/", false},
    {"*/csv", false},
    {",,;;==,\"", false},
    {"text/csv;header=\"", true},
    {"text/csv;header=\"\\", true},
    {",,, text/csv ,,", true},
};

START_TEST(csv_for_who_asks)
{
    ck_assert_msg(accept_prefers_csv(headers[_i].accept) == headers[_i].csv, "%s", headers[_i].accept);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("accept");
    TCase *tcase = suite_case(suite, "accept");

    tcase_add_loop_test(tcase, csv_for_who_asks, 0, ROWS(headers));
    return suite_run_together(suite);
}
