/* parts.c: reads parts bit by bit, in the plainest way. Shares no code with lib/part/. */
#include "support/parts.h"

#include "support/check.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The columns in the order of the format. */
enum {
    QUARTER,
    SECOND,
    DOMAIN,
    ORDER,
    BATCH,
    LINE,
    PORT,
    PROTOCOL,
    IP_OUT,
    IP_FROM,
    PEER,
    WORKER,
    ERROR,
    COUNT,
    SENT,
    RECEIVED,
    ERRORS,
    DURATION,
    CONCURRENCY,
    COLUMNS
};

/* Columns of raw_log from the third on, as in its CREATE TABLE. */
static const int raw_columns[] = {DOMAIN, ORDER,  BATCH, LINE,  SECOND, PORT,     PROTOCOL, IP_OUT,   IP_FROM,
                                  PEER,   WORKER, ERROR, COUNT, SENT,   RECEIVED, ERRORS,   DURATION, CONCURRENCY};

struct text {
    const unsigned char *bytes;
    int len, at;
};

static uint64_t byte(struct text *text)
{
    ck_assert_int_lt(text->at, text->len);
    return text->bytes[text->at++];
}

static uint64_t varint(struct text *text)
{
    uint64_t value = 0, more = 128;
    for (int shift = 0; more >= 128; shift += 7) {
        more = byte(text);
        value |= (more & 127) << shift;
    }
    return value;
}

struct column {
    uint64_t width, table[300], entries;
    int first_bit;
};

/* Bits come lowest first, so a byte gives up to eight at once. */
static uint64_t number(const struct text *text, const struct column *column, int log)
{
    uint64_t value = 0;
    int bit = column->first_bit + log * (int)column->width, width = (int)column->width;
    for (int have = 0, take; have < width; have += take, bit += take) {
        take = 8 - bit % 8 < width - have ? 8 - bit % 8 : width - have;
        value |= (uint64_t)(text->bytes[bit / 8] >> bit % 8 & ((1 << take) - 1)) << have;
    }
    return column->entries > 1 ? column->table[value] : column->table[0] + value;
}

static void read_head(struct text *text, struct column *column)
{
    uint64_t head = byte(text);
    *column = (struct column){.width = head & 63, .entries = 1};
    column->table[0] = varint(text);
    if (head < 64)
        return;
    uint64_t more = varint(text);
    ck_assert_uint_lt(more, 256);
    for (; more; more--, column->entries++)
        column->table[column->entries] = column->table[column->entries - 1] + varint(text);
}

static void bind_address(sqlite3_stmt *insert, int parameter, uint64_t number, const unsigned char *wide)
{
    unsigned char narrow[4];
    uint64_t first_wide = (UINT64_C(1) << 32) + 1;
    for (int i = 0; i < 4; i++)
        narrow[i] = (unsigned char)((number - 1) >> (24 - 8 * i));
    if (number >= first_wide)
        sqlite3_bind_blob(insert, parameter, wide + (number - first_wide) * 16, 16, SQLITE_TRANSIENT);
    else
        sqlite3_bind_blob(insert, parameter, narrow, number ? 4 : 0, SQLITE_TRANSIENT);
}

static void insert_log(sqlite3_stmt *insert, const struct text *text, const struct column *columns, int log,
                       int64_t day, int64_t user, const unsigned char *wide)
{
    sqlite3_bind_int64(insert, 1, day * 96 + (int64_t)number(text, &columns[QUARTER], log));
    sqlite3_bind_int64(insert, 2, user);
    for (int i = 0; i < (int)(sizeof raw_columns / sizeof *raw_columns); i++) {
        uint64_t value = number(text, &columns[raw_columns[i]], log);
        if (raw_columns[i] == IP_OUT || raw_columns[i] == IP_FROM)
            bind_address(insert, 3 + i, value, wide);
        else
            sqlite3_bind_int64(insert, 3 + i, (int64_t)value);
    }
    ck_assert_int_eq(sqlite3_step(insert), SQLITE_DONE);
    sqlite3_reset(insert);
}

/* Inserts the logs of a row of log_part: day, user, columns. */
static void insert_part(sqlite3_stmt *insert, sqlite3_stmt *part)
{
    struct text text = {sqlite3_column_blob(part, 2), sqlite3_column_bytes(part, 2), 0};
    struct column columns[COLUMNS];
    ck_assert_uint_eq(byte(&text), 1);
    int logs = (int)varint(&text), wide_count = (int)varint(&text);
    const unsigned char *wide = text.bytes + text.at;
    text.at += wide_count * 16;
    for (int i = 0; i < COLUMNS; i++)
        read_head(&text, &columns[i]);
    for (int i = 0; i < COLUMNS; i++) {
        columns[i].first_bit = text.at * 8;
        text.at += (logs * (int)columns[i].width + 7) / 8;
    }
    ck_assert_int_eq(text.at + 16, text.len);
    for (int log = 0; log < logs; log++)
        insert_log(insert, &text, columns, log, sqlite3_column_int64(part, 0), sqlite3_column_int64(part, 1), wide);
}

static void exec(sqlite3 *db, const char *sql)
{
    char *message = NULL;
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK, "%s: %s", sql, message);
}

static void copy(sqlite3 *db, const char *from, const char *to, const char *table)
{
    char sql[200];
    sqlite3_stmt *part = NULL, *insert = NULL;
    snprintf(sql, sizeof sql, "SELECT day, user_id, columns FROM %s.log_part", from);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &part, NULL), SQLITE_OK);
    snprintf(sql, sizeof sql, "INSERT INTO %s.%s VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", to, table);
    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &insert, NULL) == SQLITE_OK, "%s", sqlite3_errmsg(db));
    exec(db, "SAVEPOINT copy");
    while (sqlite3_step(part) == SQLITE_ROW)
        insert_part(insert, part);
    exec(db, "RELEASE copy");
    sqlite3_finalize(part);
    sqlite3_finalize(insert);
}

/* Files of old versions have no such table. An empty one counts: logs may move into it at any moment. */
static int has_parts(sqlite3 *db, const char *schema)
{
    char sql[100];
    sqlite3_stmt *statement = NULL;
    snprintf(sql, sizeof sql, "SELECT 1 FROM %s.log_part LIMIT 1", schema);
    int has = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK;
    sqlite3_finalize(statement);
    return has;
}

void parts_show_as(sqlite3 *db, const char *name)
{
    char sql[200];
    snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS temp.%s; CREATE TEMP TABLE %s AS SELECT * FROM main.raw_log", name,
             name);
    exec(db, "SAVEPOINT show"); /* one read transaction, as logs move from one table to the other meanwhile */
    exec(db, sql);
    if (has_parts(db, "main"))
        copy(db, "main", "temp", name);
    exec(db, "RELEASE show");
}

void parts_show_view(sqlite3 *db)
{
    sqlite3_stmt *view = NULL;
    char sql[4000];
    ck_assert_int_eq(
        sqlite3_prepare_v2(db, "SELECT substr(sql, 8) FROM main.sqlite_schema WHERE name = 'log'", -1, &view, NULL),
        SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(view), SQLITE_ROW);
    snprintf(sql, sizeof sql, "CREATE TEMP %s", (const char *)sqlite3_column_text(view, 0));
    sqlite3_finalize(view);
    exec(db, sql);
}

void parts_show(sqlite3 *db)
{
    exec(db, "DROP VIEW IF EXISTS temp.log; DROP TABLE IF EXISTS temp.raw_log");
    if (!has_parts(db, "main"))
        return;
    parts_show_as(db, "raw_log");
    parts_show_view(db);
}

void parts_to_rows(sqlite3 *db, const char *schema)
{
    char sql[100];
    if (!has_parts(db, schema))
        return;
    exec(db, "BEGIN IMMEDIATE");
    copy(db, schema, schema, "raw_log");
    snprintf(sql, sizeof sql, "DELETE FROM %s.log_part", schema);
    exec(db, sql);
    exec(db, "COMMIT");
}
