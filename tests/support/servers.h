/* servers.h: ClickHouse servers for a test, on free ports and in a folder of their own, or one that runs already. */
#ifndef SUPPORT_SERVERS_H
#define SUPPORT_SERVERS_H

#include "store/clickhouse/clickhouse.h"
#include "store/store.h"

struct test_servers {
    char folder[64];
    char data_dir[80];
    char urls[512], password_file[96], reports_password_file[96];
    struct clickhouse_config config;
    struct store_place place; /* of the engine that they are */
    bool ran_before;
};

/* Are Debian's packages there? Else says which are missing. */
bool test_servers_are_installed(void);

/* `shape`: "1x2" for one shard with two replicas. */
void test_servers_start(struct test_servers *servers, const char *shape);
void test_servers_stop(struct test_servers *servers);

/* One that runs already, at `url`, and goes on: its tables are made in a new database. `cluster`: reports ask its
 * Distributed tables; "": none. Ends with test_servers_stop. */
void test_servers_use(struct test_servers *servers, const char *url, const char *database, const char *cluster);

/* "kill 2", "start 2", "stop zookeeper": see tools/clickhouse.sh. */
void test_servers_do(const struct test_servers *servers, const char *command, const char *part);

#endif
