/* reader.c: the reader's side of the spool: how far it has come, and the logs of a block. Knows the tables spool,
 * spool_block and spool_log. */
#include "store/sqlite/spool/spool.h"

#include "db/db.h"
#include "store/sqlite/file.h"
#include "store/sqlite/log_names.h"
#include "store/sqlite/row.h"
#include "time/when.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define BLOCKS                                                                                                         \
    "SELECT number, first_batch, last_batch, month, shard, shards, logs, count, bytes_sent, bytes_received, errors,"   \
    " settled_at, state, detail FROM spool_block WHERE "
#define NEXT " AND number > ?1 ORDER BY number LIMIT 1"

/* Names come in the order of enum name_field. */
#define SPOOL_SQL(X)                                                                                                   \
    X(S_POSITION,                                                                                                      \
      "SELECT newest, cut_until, oldest,"                                                                              \
      " ifnull((SELECT max(number) FROM spool_block), 0),"                                                             \
      " (SELECT ifnull(sum(logs), 0) FROM spool_block WHERE state = 0)"                                                \
      " + (SELECT ifnull(sum(logs), 0) FROM batch WHERE id > cut_until),"                                              \
      " ifnull((SELECT received_at FROM batch WHERE id >= ifnull(oldest, cut_until + 1) ORDER BY id LIMIT 1), -1),"    \
      " (SELECT count(*) FROM spool_block WHERE state = 2), node_id, replica, mark, trouble, is_spool,"                \
      " audited_at, differing, difference FROM "                                                                       \
      "(SELECT *,"                                                                                                     \
      " ifnull((SELECT id FROM batch ORDER BY id DESC LIMIT 1), 0) AS newest,"                                         \
      " (SELECT first_batch FROM spool_block WHERE state = 0 ORDER BY number LIMIT 1) AS oldest FROM spool)")          \
    X(S_NEXT, BLOCKS "state = 0" NEXT)                                                                                 \
    X(S_NEXT_TAKEN, BLOCKS "state IN (1, 3)" NEXT)                                                                     \
    X(S_NEXT_ASIDE, BLOCKS "state = 2" NEXT)                                                                           \
    X(S_LOGS, "SELECT domain, error, protocol, peer, worker, quarter * 900 + second, user_id, order_id, port, ip_out," \
              " ip_from, count, bytes_sent, bytes_received, error_count, duration_ms, max_concurrency FROM spool_log"  \
              " WHERE batch_id >= ?1 AND batch_id <= ?2 AND quarter >= ?3 AND quarter < ?4 AND user_id % ?6 = ?5"      \
              " ORDER BY batch_id, line")                                                                              \
    X(S_NAME, LOG_NAMES_SQL)

enum spool_statement {
#define SPOOL_ENUM(name, sql) name,
    SPOOL_SQL(SPOOL_ENUM)
#undef SPOOL_ENUM
        SPOOL_STATEMENTS
};

static const char *const spool_sql[] = {
#define SPOOL_TEXT(name, sql) sql,
    SPOOL_SQL(SPOOL_TEXT)
#undef SPOOL_TEXT
};

struct spool_reader {
    struct db db;
    struct log_names names;
};

enum err spool_reader_open(const char *data_dir, struct spool_reader **ret_reader, struct fault *fault)
{
    struct spool_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    enum err err = sqlite_file_open_reader(data_dir, &reader->db, fault);
    if (!err)
        err = db_prepare(&reader->db, spool_sql, SPOOL_STATEMENTS, fault);
    if (err)
        spool_reader_close(reader);
    else
        *ret_reader = reader;
    return err;
}

void spool_reader_close(struct spool_reader *reader)
{
    if (!reader)
        return;
    db_close(&reader->db);
    log_names_release(&reader->names);
    free(reader);
}

bool spool_reader_is_stale(struct spool_reader *reader)
{
    return db_has_moved(&reader->db);
}

bool spool_is_used(const char *data_dir)
{
    struct spool_reader *reader = NULL;
    struct spool_position position = {0};
    struct fault ignored;
    if (spool_reader_open(data_dir, &reader, &ignored))
        return false;
    bool is_used = !spool_position(reader, &position, &ignored) && position.is_used;
    spool_reader_close(reader);
    return is_used;
}

/* ---- how far ---- */

static void copy_text(sqlite3_stmt *statement, int column, char *ret_text, size_t size)
{
    const char *text = (const char *)sqlite3_column_text(statement, column);
    snprintf(ret_text, size, "%s", text ? text : "");
}

static void take_target(sqlite3_stmt *statement, int column, struct spool_target *ret_target)
{
    size_t bytes = (size_t)sqlite3_column_bytes(statement, column);
    *ret_target = (struct spool_target){.mark = sqlite3_column_int64(statement, column + 1)};
    if (bytes == sizeof ret_target->replica)
        memcpy(ret_target->replica, sqlite3_column_blob(statement, column), bytes);
    copy_text(statement, column + 2, ret_target->trouble, sizeof ret_target->trouble);
}

static void take_position(sqlite3_stmt *statement, struct spool_position *ret_position)
{
    bool waits = sqlite3_column_type(statement, 2) != SQLITE_NULL;
    *ret_position = (struct spool_position){.newest_batch = sqlite3_column_int64(statement, 0),
                                            .shipped_until = waits ? sqlite3_column_int64(statement, 2) - 1
                                                                   : sqlite3_column_int64(statement, 1),
                                            .newest_block = sqlite3_column_int64(statement, 3),
                                            .waiting_logs = sqlite3_column_int64(statement, 4),
                                            .waiting_since = sqlite3_column_int64(statement, 5),
                                            .aside = sqlite3_column_int64(statement, 6)};
    ret_position->is_used = sqlite3_column_int(statement, 11) != 0;
    ret_position->audit.at = sqlite3_column_int64(statement, 12);
    ret_position->audit.differences = sqlite3_column_int64(statement, 13);
    copy_text(statement, 14, ret_position->audit.words, sizeof ret_position->audit.words);
    copy_text(statement, 7, ret_position->id, sizeof ret_position->id);
    take_target(statement, 8, &ret_position->target);
}

enum err spool_position(struct spool_reader *reader, struct spool_position *ret_position, struct fault *fault)
{
    sqlite3_stmt *statement = reader->db.statements[S_POSITION];
    bool row = false;
    enum err err = db_step(&reader->db, statement, "read the spool", &row, fault);
    if (err)
        return err;
    if (row)
        take_position(statement, ret_position);
    sqlite3_reset(statement);
    return row ? OK : fault_set(fault, ERR_UNAVAILABLE, "the table spool is empty");
}

static enum err next_of(struct spool_reader *reader, enum spool_statement which, int64_t after, bool *ret_found,
                        struct spool_block *ret_block, struct fault *fault)
{
    sqlite3_stmt *statement = reader->db.statements[which];
    sqlite3_bind_int64(statement, 1, after);
    enum err err = db_step(&reader->db, statement, "read the spool's blocks", ret_found, fault);
    if (err || !*ret_found)
        return err;
    int64_t *const columns[] = {&ret_block->number,
                                &ret_block->first_batch,
                                &ret_block->last_batch,
                                &ret_block->month,
                                &ret_block->shard,
                                &ret_block->shards,
                                &ret_block->logs,
                                &ret_block->sums.count,
                                &ret_block->sums.bytes_sent,
                                &ret_block->sums.bytes_received,
                                &ret_block->sums.errors,
                                &ret_block->settled_at};
    size_t count = sizeof columns / sizeof *columns;
    for (size_t i = 0; i < count; i++)
        *columns[i] = sqlite3_column_int64(statement, (int)i);
    ret_block->state = (enum spool_state)sqlite3_column_int(statement, (int)count);
    copy_text(statement, (int)count + 1, ret_block->detail, sizeof ret_block->detail);
    sqlite3_reset(statement);
    return OK;
}

enum err spool_next(struct spool_reader *reader, int64_t after, bool *ret_found, struct spool_block *ret_block,
                    struct fault *fault)
{
    return next_of(reader, S_NEXT, after, ret_found, ret_block, fault);
}

enum err spool_next_taken(struct spool_reader *reader, int64_t after, bool *ret_found, struct spool_block *ret_block,
                          struct fault *fault)
{
    return next_of(reader, S_NEXT_TAKEN, after, ret_found, ret_block, fault);
}

enum err spool_next_aside(struct spool_reader *reader, int64_t after, bool *ret_found, struct spool_block *ret_block,
                          struct fault *fault)
{
    return next_of(reader, S_NEXT_ASIDE, after, ret_found, ret_block, fault);
}

/* ---- the logs of a block ---- */

int64_t spool_first_day(int64_t month)
{
    return when_days_from_civil((struct civil){.year = (int)(month / 100), .month = (int)(month % 100), .day = 1});
}

/* The last month has all that is later. */
int64_t spool_end_day(int64_t month)
{
    if (month == SPOOL_LAST_MONTH)
        return UINT32_MAX;
    return spool_first_day(month % 100 < 12 ? month + 1 : month + 89);
}

static enum err read_log(struct spool_reader *reader, sqlite3_stmt *statement, struct log_record *ret_record,
                         struct log_text *ret_log, struct fault *fault)
{
    int column = NAME_FIELDS;
    ret_record->ts = sqlite3_column_int64(statement, column++);
    ret_record->user_id = sqlite3_column_int64(statement, column++);
    ret_record->order_id = sqlite3_column_int64(statement, column++);
    ret_log->record = ret_record;
    if (!row_read_fields(statement, column, ret_record))
        return fault_set(fault, ERR_UNAVAILABLE, "a damaged log in the spool");
    return log_names_read(&reader->names, &reader->db, reader->db.statements[S_NAME], statement, 0, ret_log, fault);
}

enum err spool_read(struct spool_reader *reader, const struct spool_block *block, spool_sink sink, void *ctx,
                    struct fault *fault)
{
    sqlite3_stmt *statement = reader->db.statements[S_LOGS];
    const int64_t values[] = {block->first_batch,
                              block->last_batch,
                              spool_first_day(block->month) * WHEN_QUARTERS_OF_DAY,
                              spool_end_day(block->month) * WHEN_QUARTERS_OF_DAY,
                              block->shard,
                              block->shards};
    for (int i = 0; i < (int)(sizeof values / sizeof *values); i++)
        sqlite3_bind_int64(statement, i + 1, values[i]);
    bool row = false;
    log_names_begin(&reader->names);
    enum err err = db_step(&reader->db, statement, "read the spool", &row, fault);
    while (!err && row) {
        struct log_record record = {0};
        struct log_text log;
        err = read_log(reader, statement, &record, &log, fault);
        if (err)
            break;
        sink(ctx, &log);
        err = db_step(&reader->db, statement, "read the spool", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

struct slice spool_text(const struct spool_reader *reader, uint32_t number)
{
    return log_names_text(&reader->names, number);
}
