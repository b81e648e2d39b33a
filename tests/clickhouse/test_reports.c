/* test_reports.c: ClickHouse as the engine, real servers beside the engine in memory: one shard with two replicas, and
 * two shards. Random questions while batches come in, after restarts, and while a replica is gone. */
#include "store/clickhouse/clickhouse.h"
#include "store/sqlite/sqlite.h"
#include "support/runner.h"
#include "support/servers.h"
#include "support/two_engines.h"

#include "base/banned.h"

#define ROUNDS 6
#define BATCHES 20
#define QUESTIONS 12

static struct test_servers servers;

/* In the parent, so that they end too when a test fails. */
static void start_servers(void)
{
    static const char *const shapes[] = {"1x2", "2x1"};
    static int at;
    test_servers_start(&servers, shapes[at++]);
}

static void stop_servers(void)
{
    test_servers_stop(&servers);
}

START_TEST(answers_are_alike_while_batches_come)
{
    two_engines_begin(servers.place, true);
    for (int i = 0; i < ROUNDS; i++) {
        two_engines_write(BATCHES);
        two_engines_ask(QUESTIONS);
        if (i % 2)
            two_engines_restart();
    }
    two_engines_end();
}
END_TEST

int main(void)
{
    static const char *const cases[] = {"one shard", "two shards"};
    if (!test_servers_are_installed())
        return 77;
    Suite *suite = suite_create("clickhouse reports");
    sqlite_setup(false);
    for (int i = 0; i < ROWS(cases); i++) {
        TCase *tcase = suite_case(suite, cases[i]);
        tcase_add_unchecked_fixture(tcase, start_servers, stop_servers);
        tcase_add_test(tcase, answers_are_alike_while_batches_come);
    }
    return suite_run(suite);
}
