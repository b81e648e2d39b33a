/* bench_sql.c: SQLite by itself: the yardsticks that the store is compared with. Knows the tables.
 *
 * bench_sql insert DIR LOGS: bare inserts into an empty copy of raw_log: logs/s
 * bench_sql plain DIR FILE: copies DIR's logs into a plain table with an index on ts, and asks it by GROUP BY; lines of
 * report, who, days, median µs
 * bench_sql size DIR: bytes of the database (what is still in the WAL included) and its number of logs
 * bench_sql order DIR USER: the first order of a user */
#include "client.h"
#include "db/db.h"
#include "store/sqlite/packed_log.h"
#include "store/sqlite/sqlite.h"
#include "traffic.h"
#include "time/when.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BEGIN INT64_C(1772323200) /* 2026-03-01 */
#define GROUP 5000u               /* logs to a transaction */
#define SLOW_US 1000000

static sqlite3 *db;

static void die(const char *what)
{
    fprintf(stderr, "bench_sql: %s: %s\n", what, db ? sqlite3_errmsg(db) : "");
    exit(1);
}

static void run(const char *sql)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        die(sql);
}

static sqlite3_stmt *prepare(const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        die(sql);
    return statement;
}

static int64_t number(const char *sql)
{
    sqlite3_stmt *statement = prepare(sql);
    int64_t value = sqlite3_step(statement) == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return value;
}

static void open_in(const char *dir, const char *name, int flags)
{
    char path[4096];
    snprintf(path, sizeof path, "%s%s%s", dir, *name ? "/" : "", name);
    if (sqlite3_open_v2(path, &db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        die(path);
    sqlite3_busy_timeout(db, 5000);
}

/* ---- bare inserts ---- */

static int by_key(const void *a, const void *b)
{
    const struct log_record *x = a, *y = b;
    const int64_t left[] = {x->ts / WHEN_QUARTER, x->user_id, x->name[NAME_DOMAIN], x->order_id};
    const int64_t right[] = {y->ts / WHEN_QUARTER, y->user_id, y->name[NAME_DOMAIN], y->order_id};
    for (int i = 0; i < 4; i++)
        if (left[i] != right[i])
            return left[i] < right[i] ? -1 : 1;
    return 0;
}

static void insert_log(sqlite3_stmt *statement, const struct log_record *log, int64_t batch, int64_t line)
{
    const int64_t before[] = {log->ts / WHEN_QUARTER, log->user_id, log->name[NAME_DOMAIN],  log->order_id, batch, line,
                              log->ts % WHEN_QUARTER, log->port,    log->name[NAME_PROTOCOL]};
    const int64_t after[] = {log->name[NAME_PEER], log->name[NAME_WORKER], log->name[NAME_ERROR],
                             log->count,           log->bytes_sent,        log->bytes_received,
                             log->error_count,     log->duration_ms,       log->max_concurrency};
    for (int i = 0; i < 9; i++)
        sqlite3_bind_int64(statement, i + 1, before[i]);
    sqlite3_bind_blob(statement, 10, log->ip_out.bytes, log->ip_out.len, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 11, log->ip_from.bytes, log->ip_from.len, SQLITE_STATIC);
    for (int i = 0; i < 9; i++)
        sqlite3_bind_int64(statement, i + 12, after[i]);
    if (sqlite3_step(statement) != SQLITE_DONE)
        die("insert");
    sqlite3_reset(statement);
}

static void insert_all(const char *dir, int64_t logs)
{
    struct fault fault;
    struct batch batch;
    struct traffic *traffic = traffic_open(1, BEGIN, 1708);
    if (sqlite_create(dir, &fault) || !traffic)
        die(fault.detail);
    open_in(dir, "analytics.db", SQLITE_OPEN_READWRITE);
    run("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=20000; PRAGMA cache_size=-65536; PRAGMA secure_delete=OFF");
    sqlite3_stmt *statement = prepare("INSERT INTO raw_log VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    int64_t spent = 0, done = 0;
    for (int64_t id = 1; done < logs; id++, done += GROUP) {
        batch_init(&batch, NULL);
        traffic_batch(traffic, GROUP, &batch);
        int64_t start = clock_us();
        qsort(batch.logs, batch.log_count, sizeof *batch.logs, by_key);
        run("BEGIN IMMEDIATE");
        for (uint32_t i = 0; i < batch.log_count; i++)
            insert_log(statement, &batch.logs[i], id, i);
        run("COMMIT");
        spent += clock_us() - start;
        batch_release(&batch);
    }
    printf("%.0f\n", (double)done * 1e6 / (double)spent);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    traffic_close(traffic);
}

/* ---- a plain table ---- */

static const struct {
    const char *report, *sql;
} questions[] = {
    {"traffic", "SELECT ts / 86400 * 86400, sum(bytes_sent), sum(bytes_received), sum(count) FROM plain_log "
                "WHERE ts >= ?1 AND ts < ?2 AND (?3 = 0 OR user_id = ?3) GROUP BY 1 ORDER BY 1"},
    {"domains",
     "SELECT n.text, bytes, hits FROM (SELECT domain, sum(bytes_sent + bytes_received) AS bytes, sum(count) AS "
     "hits FROM plain_log WHERE ts >= ?1 AND ts < ?2 AND (?3 = 0 OR user_id = ?3) GROUP BY domain) "
     "JOIN name AS n ON n.id = domain ORDER BY bytes DESC, n.text LIMIT 30"},
    {"errors",
     "SELECT n.text, total, seen, last FROM (SELECT error, sum(error_count) AS total, min(ts) AS seen, max(ts) "
     "AS last FROM plain_log WHERE ts >= ?1 AND ts < ?2 AND (?3 = 0 OR user_id = ?3) AND error != 0 "
     "GROUP BY error) JOIN name AS n ON n.id = error ORDER BY total DESC, n.text LIMIT 50"},
    {"websites", "SELECT n.text, hits, bytes, seen, last FROM (SELECT domain, sum(count) AS hits, sum(bytes_sent + "
                 "bytes_received) AS bytes, min(ts) AS seen, max(ts) AS last FROM plain_log WHERE ts >= ?1 AND ts < ?2 "
                 "AND (?3 = 0 OR user_id = ?3) GROUP BY domain) JOIN name AS n ON n.id = domain "
                 "ORDER BY hits DESC, n.text LIMIT 25"},
};

/* Opens the logs of `dir`, and `file` beside them. DB_CREATE, so that ATTACH may make `file`. */
static void open_beside(const char *dir, const char *file, struct db *ret_logs)
{
    struct fault fault;
    char path[4096];
    snprintf(path, sizeof path, "%s/analytics.db", dir);
    if (db_open(ret_logs, path, DB_CREATE, 5000, &fault) || sqlite_know_packed_log(ret_logs, &fault))
        die(fault.detail);
    db = ret_logs->handle;
    char *attach = sqlite3_mprintf("ATTACH %Q AS copy", file);
    run(attach);
    sqlite3_free(attach);
    run("PRAGMA copy.synchronous=OFF; PRAGMA copy.cache_size=-65536");
}

/* A day after the other, as they would have come. */
static void copy_logs(const char *dir, const char *file)
{
    struct db logs;
    open_beside(dir, file, &logs);
    run("CREATE TABLE copy.plain_log (ts INTEGER, user_id INTEGER, order_id INTEGER, domain INTEGER, port INTEGER, "
        "protocol INTEGER, ip_out BLOB, ip_from BLOB, peer INTEGER, worker INTEGER, error INTEGER, count INTEGER, "
        "bytes_sent INTEGER, bytes_received INTEGER, error_count INTEGER, duration_ms INTEGER, max_concurrency "
        "INTEGER);"
        "CREATE TABLE copy.name (id INTEGER PRIMARY KEY, text TEXT);"
        "INSERT INTO copy.name SELECT id, text FROM main.name;"
        "CREATE INDEX copy.plain_log_by_ts ON plain_log (ts)");
    sqlite3_stmt *day = prepare("INSERT INTO copy.plain_log SELECT quarter * 900 + second, user_id, order_id, domain, "
                                "port, protocol, ip_out, ip_from, peer, worker, error, count, bytes_sent, "
                                "bytes_received, error_count, duration_ms, max_concurrency FROM " STORED_LOG
                                " WHERE quarter >= ?1 AND quarter < ?1 + 96 ORDER BY quarter, second");
    int64_t last = number(NEWEST_STORED_QUARTER);
    for (int64_t at = number(OLDEST_STORED_QUARTER); at <= last; at += 96) {
        sqlite3_bind_int64(day, 1, at);
        if (sqlite3_step(day) != SQLITE_DONE)
            die("copying a day");
        sqlite3_reset(day);
    }
    sqlite3_finalize(day);
    if (number("SELECT count(*) FROM copy.plain_log") != number("SELECT sum(logs) FROM batch"))
        die("the copy has other logs than the store");
    db_close(&logs);
    open_in(file, "", SQLITE_OPEN_READONLY);
    run("PRAGMA cache_size=-65536; PRAGMA mmap_size=268435456");
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The median of three; a slow one is asked once. */
static int64_t ask(const char *sql, int64_t from, int64_t to, int64_t user)
{
    int64_t took[3] = {0};
    sqlite3_stmt *statement = prepare(sql);
    for (int i = 0; i < 3 && took[0] < SLOW_US; i++) {
        int64_t start = clock_us();
        sqlite3_bind_int64(statement, 1, from);
        sqlite3_bind_int64(statement, 2, to);
        sqlite3_bind_int64(statement, 3, user);
        while (sqlite3_step(statement) == SQLITE_ROW)
            ;
        sqlite3_reset(statement);
        took[i] = clock_us() - start;
    }
    sqlite3_finalize(statement);
    if (took[0] >= SLOW_US)
        return took[0];
    qsort(took, 3, sizeof *took, by_value);
    return took[1];
}

static void plain(const char *dir, const char *file)
{
    static const int64_t users[] = {0, 1, 40};
    static const char *const who[] = {"admin", "heaviest", "typical"};
    remove(file);
    copy_logs(dir, file);
    int64_t end = number("SELECT max(ts) FROM plain_log") + 1;
    for (size_t q = 0; q < sizeof questions / sizeof *questions; q++)
        for (size_t u = 0; u < 3; u++)
            printf("%s\t%s\t61\t%lld\n", questions[q].report, who[u],
                   (long long)ask(questions[q].sql, end - 61 * (int64_t)WHEN_DAY, end, users[u]));
    sqlite3_close(db);
    remove(file);
}

/* ---- small questions ---- */

static void size(const char *dir)
{
    open_in(dir, "analytics.db", SQLITE_OPEN_READONLY);
    printf("%lld\t%lld\n", (long long)(number("PRAGMA page_count") * number("PRAGMA page_size")),
           (long long)number("SELECT sum(logs) FROM batch"));
    sqlite3_close(db);
}

static void first_order(const char *dir, const char *user)
{
    open_in(dir, "analytics.db", SQLITE_OPEN_READONLY);
    char *sql = sqlite3_mprintf("SELECT min(order_id) FROM order_user WHERE user_id = %lld", strtoll(user, NULL, 10));
    printf("%lld\n", (long long)number(sql));
    sqlite3_free(sql);
    sqlite3_close(db);
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    if (!strcmp(what, "insert") && argc == 4)
        insert_all(argv[2], strtoll(argv[3], NULL, 10));
    else if (!strcmp(what, "plain") && argc == 4)
        plain(argv[2], argv[3]);
    else if (!strcmp(what, "size") && argc == 3)
        size(argv[2]);
    else if (!strcmp(what, "order") && argc == 4)
        first_order(argv[2], argv[3]);
    else {
        fprintf(stderr, "usage: bench_sql insert DIR LOGS | plain DIR FILE | size DIR | order DIR USER\n");
        return 2;
    }
    return 0;
}
