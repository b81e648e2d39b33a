/* recount.c: compares what the rollups should hold, by plain SQL over raw_log, with what they do hold, unpacked with
 * lib/rollup/pack.h. */
#include "support/recount.h"

#include "rollup/pack.h"

#include "support/check.h"
#include <stdio.h>

int64_t recount_i64(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

#define PARTS                                                                                                          \
    " FROM (SELECT *, 0 AS u, 0 AS o FROM raw_log UNION ALL SELECT *, user_id, order_id FROM raw_log) JOIN (SELECT 1"  \
    " AS t, 3600 AS w UNION SELECT 2, 86400 UNION SELECT 3, 345600 UNION SELECT 4, 1382400)"
#define SUMS                                                                                                           \
    " sum(count) AS c, sum(bytes_sent) AS s, sum(bytes_received) AS r, sum(error_count) AS x,"                         \
    " max(max_concurrency) AS m, min(quarter * 900 + second) AS f, max(quarter * 900 + second) AS l,"                  \
    " sum(duration_ms) AS d"

#define TRAFFIC_SUMS " sum(count), sum(bytes_sent), sum(bytes_received), sum(error_count), max(max_concurrency)"

static const char quarter_again[] =
    "SELECT quarter, u," TRAFFIC_SUMS ", min(second), max(second), sum(duration_ms) FROM (SELECT *, 0 AS u FROM "
    "raw_log UNION ALL SELECT *, user_id FROM raw_log)"
    " WHERE quarter / 96 >= (SELECT hour_from FROM retention) GROUP BY quarter, u";

#define TRAFFIC_PARTS                                                                                                  \
    " FROM (SELECT *, 0 AS u, 0 AS o FROM raw_log UNION ALL SELECT *, user_id, 0 FROM raw_log"                         \
    " UNION ALL SELECT *, user_id, order_id FROM raw_log)"

static const char hour_again[] = "SELECT quarter / 4, u, o," TRAFFIC_SUMS ", sum(duration_ms)" TRAFFIC_PARTS
                                 " WHERE quarter / 4 < (SELECT closed_hour FROM closing) AND quarter / 96 >="
                                 " (SELECT hour_from FROM retention)"
                                 " AND (u = 0 OR quarter / 96 < (SELECT raw_from FROM retention))"
                                 " GROUP BY quarter / 4, u, o";

static const char day_again[] = "SELECT u, o, quarter / 96," TRAFFIC_SUMS ", sum(duration_ms)" TRAFFIC_PARTS
                                " WHERE quarter / 96 < (SELECT closed_day FROM closing) AND quarter / 96 >="
                                " (SELECT day_from FROM retention) GROUP BY u, o, quarter / 96";

static const char total_again[] =
    "SELECT 1, coalesce(sum(count), 0), coalesce(sum(bytes_sent), 0), coalesce(sum(bytes_received), 0),"
    " coalesce(sum(error_count), 0), coalesce(sum(duration_ms), 0) FROM raw_log";

/* Entries of every closed period. */
static const char packed_again[] =
    "CREATE TEMP TABLE again AS"
    " SELECT t, quarter * 900 / w AS b, u, 0 AS kind, domain, 0 AS e, o," SUMS PARTS
    " WHERE (quarter * 900 / w + 1) * w <= (SELECT iif(t = 1, closed_hour * 3600, closed_day * 86400) FROM closing)"
    " AND (t > 1 OR u = 0 OR quarter / 96 < (SELECT raw_from FROM retention)) AND quarter * 900 / w * w >= (SELECT "
    "iif(t = 1, hour_from, day_from) * 86400 FROM retention)"
    " GROUP BY t, b, u, domain, o"
    " UNION ALL SELECT t, quarter * 900 / w AS b, u, 1, domain, error, o," SUMS PARTS
    " WHERE error <> 0 AND (quarter * 900 / w + 1) * w <="
    " (SELECT iif(t = 1, closed_hour * 3600, closed_day * 86400) FROM closing)"
    " AND (t > 1 OR u = 0 OR quarter / 96 < (SELECT raw_from FROM retention)) AND quarter * 900 / w * w >= (SELECT "
    "iif(t = 1, hour_from, day_from) * 86400 FROM retention)"
    " GROUP BY t, b, u, domain, error, o";

static const char grouped_again[] =
    "SELECT t, b, u, kind, domain, e, 0, sum(c), sum(s), sum(r), sum(x), max(m), min(f), max(l), sum(d) FROM again"
    " GROUP BY t, b, u, kind, domain, e";

/* Sums by value, of closed hours. An upgraded file lacks the days that were closed before the upgrade. */
static const char values_again[] =
    "CREATE TEMP TABLE valued AS SELECT dimension, quarter / 96 AS day, value," TRAFFIC_SUMS ", sum(duration_ms) FROM"
    " (SELECT 1 AS dimension, worker AS value, * FROM raw_log UNION ALL SELECT 2, peer, * FROM raw_log"
    " UNION ALL SELECT 3, protocol, * FROM raw_log UNION ALL SELECT 4, port, * FROM raw_log"
    " UNION ALL SELECT 5, ip_out, * FROM raw_log UNION ALL SELECT 6, error, * FROM raw_log)"
    " WHERE quarter / 4 < (SELECT closed_hour FROM closing) AND quarter / 96 >= (SELECT day_from FROM retention)"
    " AND quarter / 4 / 24 * 24 >= (SELECT durations_from FROM upgrade) GROUP BY dimension, day, value";

#define TOO_MANY "SELECT dimension, day FROM valued GROUP BY dimension, day HAVING count(*) > 1000"

/* Unpacks the entries of a row order by order, or the sums of each group, with order 0. */
static void unpack_row(sqlite3_stmt *row, sqlite3_stmt *insert, bool by_order)
{
    static const int64_t widths[] = {900, 3600, 86400, 345600, 1382400};
    struct pack_reader chunk;
    struct totals totals;
    int64_t base = sqlite3_column_int64(row, 1) * widths[sqlite3_column_int64(row, 0)];
    pack_open(&chunk, sqlite3_column_blob(row, 5), (size_t)sqlite3_column_bytes(row, 5), base, by_order);
    for (int first = 1; pack_next(&chunk, &totals); first = 0) {
        if (first)
            ck_assert_int_eq(chunk.key.domain, sqlite3_column_int64(row, 4));
        const int64_t values[] = {sqlite3_column_int64(row, 0),
                                  sqlite3_column_int64(row, 1),
                                  sqlite3_column_int64(row, 2),
                                  sqlite3_column_int64(row, 3),
                                  chunk.key.domain,
                                  chunk.key.error,
                                  by_order ? chunk.key.order_id : 0,
                                  totals.count,
                                  totals.bytes_sent,
                                  totals.bytes_received,
                                  totals.errors,
                                  totals.max_concurrency,
                                  totals.first,
                                  totals.last,
                                  totals.duration_ms};
        for (int i = 0; i < 15; i++)
            sqlite3_bind_int64(insert, i + 1, values[i]);
        ck_assert_int_eq(sqlite3_step(insert), SQLITE_DONE);
        sqlite3_reset(insert);
    }
    ck_assert(!chunk.damaged);
}

/* In a period that is not closed yet, some users may be packed already. No report reads those rows. */
#define WIDTH "(CASE tier WHEN 1 THEN 3600 WHEN 2 THEN 86400 WHEN 3 THEN 345600 ELSE 1382400 END)"
#define CLOSED "(bucket + 1) * " WIDTH " <= (SELECT iif(tier = 1, closed_hour * 3600, closed_day * 86400) FROM closing)"

/* Rows before a horizon may not be deleted yet, and hours of users are made shortly before their logs are deleted. No
 * report reads those rows. */
#define KEPT                                                                                                           \
    "bucket * " WIDTH " >= (SELECT iif(tier = 1, hour_from, day_from) * 86400 FROM retention)"                         \
    " AND (tier > 1 OR user_id = 0 OR bucket / 24 < (SELECT raw_from FROM retention))"

/* rollup_chunk's entries as rows of a temporary table. */
static void unpack_all(sqlite3 *db, const char *insert_sql, bool by_order)
{
    sqlite3_stmt *row = NULL, *insert = NULL;
    sqlite3_prepare_v2(
        db, "SELECT tier, bucket, user_id, kind, domain, entries FROM rollup_chunk WHERE " CLOSED " AND " KEPT, -1,
        &row, NULL);
    sqlite3_prepare_v2(db, insert_sql, -1, &insert, NULL);
    while (sqlite3_step(row) == SQLITE_ROW)
        unpack_row(row, insert, by_order);
    sqlite3_finalize(row);
    sqlite3_finalize(insert);
}

static int64_t difference(sqlite3 *db, const char *a, const char *b)
{
    char sql[2048];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM (SELECT * FROM (%s) EXCEPT SELECT * FROM (%s))", a, b);
    return recount_i64(db, sql);
}

/* Both ways. What is due takes long to add up, and is kept for the way back. */
static int64_t differences(sqlite3 *db, const char *there, const char *due)
{
    char sql[2048];
    snprintf(sql, sizeof sql, "CREATE TEMP TABLE due AS %s", due);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
    int64_t count = difference(db, there, "SELECT * FROM due") + difference(db, "SELECT * FROM due", there);
    ck_assert_int_eq(sqlite3_exec(db, "DROP TABLE due", NULL, NULL, NULL), SQLITE_OK);
    return count;
}

/* Days in value_gap have no rows, because they had too many values. Before the horizon of logs, a day may also be in
 * value_gap because its sums were deleted. */
static int64_t value_differences(sqlite3 *db)
{
    ck_assert_msg(sqlite3_exec(db, values_again, NULL, NULL, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    return differences(db, "SELECT * FROM value_day WHERE bucket >= (SELECT day_from FROM retention)",
                       "SELECT * FROM valued WHERE (dimension, day) NOT IN (SELECT dimension, bucket FROM value_gap)") +
           difference(db, TOO_MANY, "SELECT dimension, bucket FROM value_gap") +
           difference(db, "SELECT dimension, bucket FROM value_gap WHERE bucket >= (SELECT raw_from FROM retention)",
                      TOO_MANY);
}

int64_t recount_differences(sqlite3 *db)
{
    ck_assert_int_eq(sqlite3_exec(db, packed_again, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db,
                                  "CREATE TEMP TABLE packed AS SELECT * FROM again LIMIT 0;"
                                  "CREATE TEMP TABLE grouped AS SELECT * FROM again LIMIT 0",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    unpack_all(db, "INSERT INTO packed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", true);
    unpack_all(db, "INSERT INTO grouped VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", false);
    return differences(db, "SELECT * FROM traffic_quarter WHERE bucket / 96 >= (SELECT hour_from FROM retention)",
                       quarter_again) +
           differences(db,
                       "SELECT * FROM traffic_hour WHERE bucket / 24 >= (SELECT hour_from FROM retention)"
                       " AND (user_id = 0 OR bucket / 24 < (SELECT raw_from FROM retention))",
                       hour_again) +
           differences(db,
                       "SELECT * FROM traffic_day WHERE bucket >= (SELECT day_from FROM retention)"
                       " AND bucket < (SELECT closed_day FROM closing)",
                       day_again) +
           differences(db, "SELECT * FROM total", total_again) + value_differences(db) +
           differences(db, "SELECT order_id, user_id FROM order_user", "SELECT order_id, user_id FROM raw_log") +
           difference(db, "SELECT * FROM packed", "SELECT * FROM again") +
           difference(db, "SELECT * FROM again", "SELECT * FROM packed") +
           differences(db, "SELECT * FROM grouped", grouped_again) +
           recount_i64(db, "SELECT (SELECT count(*) FROM packed) <> (SELECT count(*) FROM again)");
}

/* ---- what was recounted before ---- */

/* All that a recount reads. */
static const char *const read_by_recount[] = {
    "SELECT * FROM raw_log",
    "SELECT * FROM traffic_quarter",
    "SELECT * FROM traffic_hour",
    "SELECT * FROM traffic_day",
    "SELECT * FROM rollup_chunk",
    "SELECT * FROM value_day",
    "SELECT * FROM value_gap",
    "SELECT * FROM total",
    "SELECT * FROM order_user",
    "SELECT closed_hour, closed_day FROM closing",
    "SELECT raw_from, hour_from, day_from FROM retention",
    "SELECT durations_from FROM upgrade",
};

static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t add_number(uint64_t hash, int64_t number)
{
    uint64_t mixed = (hash ^ (uint64_t)number) * UINT64_C(0x9e3779b97f4a7c15);
    return mixed ^ mixed >> 29;
}

static uint64_t add_column(uint64_t hash, sqlite3_stmt *row, int column)
{
    int type = sqlite3_column_type(row, column);
    hash = add_number(hash, type);
    if (type == SQLITE_INTEGER)
        return add_number(hash, sqlite3_column_int64(row, column));
    int len = sqlite3_column_bytes(row, column);
    return add_bytes(add_number(hash, len), sqlite3_column_blob(row, column), (size_t)len);
}

static uint64_t content_of(sqlite3 *db)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sizeof read_by_recount / sizeof *read_by_recount; i++) {
        sqlite3_stmt *row = NULL;
        ck_assert_msg(sqlite3_prepare_v2(db, read_by_recount[i], -1, &row, NULL) == SQLITE_OK, "%s",
                      sqlite3_errmsg(db));
        hash = add_number(hash, (int64_t)i);
        while (sqlite3_step(row) == SQLITE_ROW)
            for (int column = 0; column < sqlite3_column_count(row); column++)
                hash = add_column(hash, row, column);
        ck_assert_int_eq(sqlite3_finalize(row), SQLITE_OK);
    }
    return hash;
}

int64_t recount_unless_known(sqlite3 *db)
{
    static uint64_t known[1024];
    static size_t count;
    uint64_t content = content_of(db);
    for (size_t i = 0; i < count && i < sizeof known / sizeof *known; i++)
        if (known[i] == content)
            return 0;
    int64_t differences = recount_differences(db);
    if (differences == 0)
        known[count++ % (sizeof known / sizeof *known)] = content;
    return differences;
}

int64_t recount_half_packed(sqlite3 *db)
{
    return recount_i64(db, "SELECT count(*) FROM rollup_chunk WHERE NOT " CLOSED);
}
