/* servers.c: ClickHouse servers for a test. tools/clickhouse.sh does the work. */
#include "support/servers.h"

#include "support/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

static const char *script(void)
{
    static char path[4200];
    const char *top = getenv("ANALYTICS_SRCDIR");
    snprintf(path, sizeof path, "%s/tools/clickhouse.sh", top ? top : ".");
    return path;
}

bool test_servers_are_installed(void)
{
    bool is_there = access("/usr/sbin/clickhouse-server", X_OK) == 0 &&
                    access("/usr/share/java/zookeeper.jar", R_OK) == 0 && access("/usr/bin/java", X_OK) == 0;
    if (!is_there)
        printf("skipped: clickhouse-server, zookeeper or java is not installed\n");
    return is_there;
}

static void run(const char *words)
{
    char command[8192];
    snprintf(command, sizeof command, "%s %s", script(), words);
    ck_assert_msg(system(command) == 0, "%s", command);
}

void test_servers_do(const struct test_servers *servers, const char *command, const char *part)
{
    char words[256];
    snprintf(words, sizeof words, "%s %s %s", command, servers->folder, part);
    run(words);
}

static void read_urls(struct test_servers *servers)
{
    char command[8192];
    snprintf(command, sizeof command, "%s urls %s", script(), servers->folder);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_ptr_nonnull(fgets(servers->urls, sizeof servers->urls, pipe));
    ck_assert_int_eq(pclose(pipe), 0);
    servers->urls[strcspn(servers->urls, "\n")] = '\0';
}

static void make_folder(struct test_servers *servers)
{
    memset(servers, 0, sizeof *servers);
    memcpy(servers->folder, "/tmp/test_servers.XXXXXX", sizeof "/tmp/test_servers.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(servers->folder));
    snprintf(servers->data_dir, sizeof servers->data_dir, "%s/data", servers->folder);
    ck_assert_int_eq(mkdir(servers->data_dir, 0700), 0);
}

static void set_place(struct test_servers *servers, const char *database, const char *cluster)
{
    servers->config = (struct clickhouse_config){.urls = servers->urls,
                                                 .database = database,
                                                 .cluster = cluster,
                                                 .user = "analytics",
                                                 .password_file = servers->password_file,
                                                 .reports_user = "analytics_reports",
                                                 .reports_password_file = servers->reports_password_file,
                                                 .ca_file = "",
                                                 .ship_interval_ms = 1000,
                                                 .spool_limit_mib = 1024,
                                                 .timeout_ms = 30000};
    servers->place = (struct store_place){
        .engine = store_engine_find("clickhouse"), .data_dir = servers->data_dir, .clickhouse = &servers->config};
}

void test_servers_start(struct test_servers *servers, const char *shape)
{
    make_folder(servers);
    test_servers_do(servers, "make", shape);
    test_servers_do(servers, "start", "");
    read_urls(servers);
    snprintf(servers->password_file, sizeof servers->password_file, "%s/password", servers->folder);
    snprintf(servers->reports_password_file, sizeof servers->reports_password_file, "%s/reports.password",
             servers->folder);
    set_place(servers, "analytics", shape[0] == '1' ? "" : "analytics");
}

void test_servers_use(struct test_servers *servers, const char *url, const char *database, const char *cluster)
{
    make_folder(servers);
    servers->ran_before = true;
    snprintf(servers->urls, sizeof servers->urls, "%s", url);
    set_place(servers, database, cluster);
}

void test_servers_stop(struct test_servers *servers)
{
    char command[128];
    if (!servers->ran_before)
        test_servers_do(servers, "kill", "");
    snprintf(command, sizeof command, "rm -rf %s", servers->folder);
    ck_assert_int_eq(system(command), 0);
}
