/* test_reports.c: ClickHouse as the engine, real servers beside the engine in memory: one shard with two replicas, and
 * two shards. Random questions while batches come in, after restarts, and while a replica or a shard is gone. modern.sh
 * has a server of another version asked in their place, longer.
 *
 * Seen to fail:
 *   cover_put without the logs after what sums answer -> "summary: 1343 and 1392 requests"
 *   sum_block.c that writes counts where errors belong -> "summary: … and … errors" */
#include "store/clickhouse/clickhouse.h"
#include "store/sqlite/sqlite.h"
#include "support/runner.h"
#include "support/servers.h"
#include "support/two_engines.h"

#include <stdlib.h>

#include "base/banned.h"

#define ROUNDS 6
#define BATCHES 20
#define QUESTIONS 12
#define LONGER 6

static struct test_servers servers;

/* The URL of one that runs already. */
static const char *running(void)
{
    return getenv("ANALYTICS_RUNNING_CLICKHOUSE");
}

/* In the parent, so that they end too when a test fails. */
static void start_servers(void)
{
    static const char *const shapes[] = {"1x2", "2x1", "1x2", "2x1"};
    static int at;
    test_servers_start(&servers, shapes[at++]);
}

/* Reports ask its tables, and then its Distributed tables. */
static void use_running(void)
{
    static const char *const clusters[] = {"", "analytics"}, *const databases[] = {"one_server", "cluster_of_one"};
    static int at;
    test_servers_use(&servers, running(), databases[at], clusters[at]);
    at++;
}

static void stop_servers(void)
{
    test_servers_stop(&servers);
}

START_TEST(answers_are_alike_while_batches_come)
{
    two_engines_begin(servers.place, true);
    for (int i = 0; i < (running() ? LONGER : 1) * rounds(ROUNDS, 2, ROUNDS); i++) {
        two_engines_write(BATCHES);
        two_engines_ask(QUESTIONS);
        if (i % 2)
            two_engines_restart();
    }
    two_engines_end();
}
END_TEST

/* Batches go on whatever is down; when it is back, each counts once. */
static const char *const parts[] = {"1", "2", "zookeeper", "1 2", "zookeeper 2"};

static void let_servers_die(int times)
{
    two_engines_begin(servers.place, true);
    two_engines_write(BATCHES);
    two_engines_ask(1); /* the tables are there */
    for (int i = 0; i < times * (int)ROWS(parts); i++) {
        const char *part = parts[i % ROWS(parts)];
        two_engines_write(BATCHES);
        test_servers_do(&servers, "kill", part);
        two_engines_write(BATCHES);
        if (i % 3 == 0)
            two_engines_restart();
        test_servers_do(&servers, "start", part);
        two_engines_write(BATCHES / 4);
        two_engines_await();
        two_engines_ask(QUESTIONS / 4);
    }
    two_engines_end();
}

START_TEST(batches_count_once_while_servers_die)
{
    let_servers_die(rounds(2, 1, 2));
}
END_TEST

/* A restart while batches wait asks each shard which blocks it has. */
START_TEST(batches_count_once_while_shards_die)
{
    let_servers_die(1);
}
END_TEST

static void add_case(Suite *suite, const char *name, void (*start)(void), const TTest *test)
{
    TCase *tcase = suite_case(suite, name);
    tcase_add_unchecked_fixture(tcase, start, stop_servers);
    tcase_add_test(tcase, test);
}

int main(void)
{
    if (!running() && !test_servers_are_installed())
        return 77;
    Suite *suite = suite_create("clickhouse reports");
    sqlite_setup(false);
    if (running()) {
        add_case(suite, "one server", use_running, answers_are_alike_while_batches_come);
        add_case(suite, "cluster of one", use_running, answers_are_alike_while_batches_come);
        return suite_run(suite);
    }
    add_case(suite, "one shard", start_servers, answers_are_alike_while_batches_come);
    add_case(suite, "two shards", start_servers, answers_are_alike_while_batches_come);
    add_case(suite, "deaths", start_servers, batches_count_once_while_servers_die);
    add_case(suite, "deaths of shards", start_servers, batches_count_once_while_shards_die);
    return suite_run(suite);
}
