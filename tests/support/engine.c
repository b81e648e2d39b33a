/* engine.c: shows the logs in ClickHouse to tests that look for them in raw_log. Knows its HTTP interface and libcurl;
 * shares no code with lib/store/clickhouse/. */
#include "support/engine.h"

#include "support/parts.h"
#include "support/stack.h"

#include <arpa/inet.h>
#include <check.h>
#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

bool engine_is_clickhouse(void)
{
    return strcmp(variable("ANALYTICS_ENGINE"), "clickhouse") == 0;
}

void engine_tell_skipped(const char *test, const char *reason)
{
    printf("skipped: %s: %s\n", test, reason);
}

void engine_choose_database(const char *folder)
{
    char name[128];
    snprintf(name, sizeof name, "test%s", folder);
    for (char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p))
            *p = '_';
    if (engine_is_clickhouse())
        setenv("ANALYTICS_CLICKHOUSE_DATABASE", name, true);
}

/* ---- asking ---- */

static size_t to_file(char *data, size_t size, size_t n, void *file)
{
    return fwrite(data, size, n, file);
}

/* "user:password" */
static void read_login(char ret_login[128])
{
    char *password = stack_file(variable("ANALYTICS_CLICKHOUSE_PASSWORD_FILE"), NULL);
    snprintf(ret_login, 128, "analytics:%.*s", (int)strcspn(password, "\n"), password);
    free(password);
}

/* The answer of the first replica, to be freed. */
static char *ask(const char *sql)
{
    char url[512], login[128], *text = NULL;
    const char *urls = variable("ANALYTICS_CLICKHOUSE_URLS");
    size_t len = 0;
    long status = 0;
    FILE *file = open_memstream(&text, &len);
    CURL *curl = curl_easy_init();
    read_login(login);
    snprintf(url, sizeof url, "%.*s/?database=%s", (int)strcspn(urls, ", "), urls,
             variable("ANALYTICS_CLICKHOUSE_DATABASE"));
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_USERPWD, login);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sql);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, to_file);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, file);
    ck_assert_int_eq(curl_easy_perform(curl), CURLE_OK);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    fclose(file);
    ck_assert_msg(status == 200, "%s: %ld %s", sql, status, text);
    return text;
}

/* ---- its rows as those of raw_log ---- */

static void exec(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%.300s: %s", sql, message);
}

static bool is_true(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    bool is = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW &&
              sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return is;
}

static void wait_until_shipped(sqlite3 *db)
{
    int64_t until = stack_now_ms() + HANG_MS;
    while (!is_true(db, "SELECT cut_until >= (SELECT coalesce(max(id), 0) FROM batch) AND NOT EXISTS"
                        " (SELECT 1 FROM spool_block WHERE state = 0) FROM spool")) {
        ck_assert_msg(stack_now_ms() < until, "the spool is not shipped");
        stack_nap(10);
    }
}

/* address(TEXT): its bytes in network order. */
static void address(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *text = (const char *)sqlite3_value_text(values[0]);
    unsigned char bytes[16];
    (void)count;
    int len = inet_pton(AF_INET, text, bytes) == 1 ? 4 : inet_pton(AF_INET6, text, bytes) == 1 ? 16 : 0;
    sqlite3_result_blob(context, bytes, len, SQLITE_TRANSIENT);
}

/* ClickHouse writes a statement of SQLite for each log, with texts in hexadecimal digits. */
#define TEXT(column) "',CAST(x''', hex(" column "), ''' AS TEXT)', "
#define NUMBER(column) "',', toString(" column "), "
static const char rows_sql[] = "SELECT concat('INSERT INTO shipped VALUES (', toString(ts), " NUMBER("user_id")
    NUMBER("order_id") NUMBER("count") NUMBER("bytes_sent") NUMBER("bytes_received") NUMBER("error_count")
        NUMBER("duration_ms") NUMBER("max_concurrency") NUMBER("port") TEXT("domain") TEXT("error") TEXT("protocol")
            TEXT("peer_id") TEXT("worker") TEXT("ip_out") TEXT("ip_from") "');') FROM log FORMAT TabSeparatedRaw";

static const char make_sql[] =
    "DROP VIEW IF EXISTS temp.log; DROP TABLE IF EXISTS temp.raw_log;" /* of support/parts.c */
    "CREATE TEMP TABLE shipped (ts, user_id, order_id, count, bytes_sent, bytes_received, error_count, duration_ms,"
    " max_concurrency, port, domain, error, protocol, peer, worker, ip_out, ip_from);"
    "CREATE TEMP TABLE raw_log AS SELECT * FROM main.raw_log LIMIT 0";

#define ID(column) "(SELECT id FROM main.name WHERE text = " column ")"
static const char copy_sql[] =
    "INSERT INTO temp.raw_log (quarter, second, user_id, order_id, batch_id, line, port, domain, error, protocol, peer,"
    " worker, ip_out, ip_from, count, bytes_sent, bytes_received, error_count, duration_ms, max_concurrency) SELECT"
    " ts / 900, ts % 900, user_id, order_id, 1, rowid, port, " ID("domain") ", " ID("error") ", " ID(
        "protocol") ", " ID("peer") ", " ID("worker") ", address(ip_out), address(ip_from), count, bytes_sent, "
                                                      "bytes_received, error_count,"
                                                      " duration_ms, max_concurrency FROM shipped";

void engine_show(sqlite3 *db)
{
    if (!is_true(db, "SELECT is_spool FROM spool") || !is_true(db, "SELECT count(*) FROM batch"))
        return;
    wait_until_shipped(db);
    free(ask("SYSTEM SYNC REPLICA log"));
    char *rows = ask(rows_sql);
    sqlite3_create_function(db, "address", 1, SQLITE_UTF8, NULL, address, NULL, NULL);
    exec(db, make_sql);
    exec(db, "SAVEPOINT shipped");
    exec(db, rows);
    exec(db, copy_sql);
    exec(db, "RELEASE shipped");
    parts_show_view(db);
    free(rows);
}
