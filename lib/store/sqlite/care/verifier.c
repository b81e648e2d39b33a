/* verifier.c: the ground of verify: the connection and its read transactions, progress and pauses, what is closed as of
 * a transaction, and how a difference is reported. Does not know what is compared with what. */
#include "store/sqlite/care/verifier.h"

#include "db/files.h"
#include "time/when.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/banned.h"

/* The size to which the WAL is cut back (store/sqlite/file.c), the growth that makes a checkpoint due
 * (store/sqlite/write/wal.c), and the number of naps of 10 ms to wait for one. */
#define MAX_WAL_BYTES (INT64_C(64) << 20)
#define MORE_WAL_BYTES (INT64_C(16) << 20)
#define MAX_NAPS 200

static const char *const verify_sql[] = {
#define VERIFY_TEXT(name, sql) sql,
    VERIFY_SQL(VERIFY_TEXT)
#undef VERIFY_TEXT
};

/* ---- statements ---- */

enum err verify_step(struct verifier *verifier, sqlite3_stmt *statement, bool *ret_row, struct fault *fault)
{
    return db_step(&verifier->db, statement, "verify", ret_row, fault);
}

enum err verify_i64(struct verifier *verifier, sqlite3_stmt *statement, int64_t otherwise, int64_t *ret_value,
                    struct fault *fault)
{
    return db_step_i64(&verifier->db, statement, "verify", otherwise, ret_value, fault);
}

static int64_t within(int64_t value, int64_t most)
{
    return value < 0 ? 0 : value < most ? value : most;
}

static enum err read_closing(struct verifier *verifier, struct fault *fault)
{
    sqlite3_stmt *statement = verify_statement(verifier, V_CLOSING);
    bool row = false;
    enum err err = verify_step(verifier, statement, &row, fault);
    if (err)
        return err;
    /* verify_closing reports impossible figures; here they must do no harm. */
    verifier->closed_hour = row ? within(sqlite3_column_int64(statement, 0), VERIFY_END / WHEN_HOUR) : 0;
    verifier->closed_day = row ? within(sqlite3_column_int64(statement, 1), VERIFY_END / WHEN_DAY) : 0;
    verifier->durations_from = row ? within(sqlite3_column_int64(statement, 2), VERIFY_END / WHEN_HOUR) : 0;
    sqlite3_reset(statement);
    return OK;
}

static enum err read_retention(struct verifier *verifier, struct fault *fault)
{
    sqlite3_stmt *statement = verify_statement(verifier, V_RETENTION);
    bool row = false;
    enum err err = verify_step(verifier, statement, &row, fault);
    if (err)
        return err;
    verifier->kept = (struct retention_row){0};
    if (row)
        verifier->kept =
            (struct retention_row){.raw_from = within(sqlite3_column_int64(statement, 0), VERIFY_END / WHEN_DAY),
                                   .hour_from = within(sqlite3_column_int64(statement, 1), VERIFY_END / WHEN_DAY),
                                   .day_from = within(sqlite3_column_int64(statement, 2), VERIFY_END / WHEN_DAY),
                                   .batch_from = sqlite3_column_int64(statement, 3),
                                   .batch_logs = sqlite3_column_int64(statement, 4),
                                   .logs = sqlite3_column_int64(statement, 5)};
    verifier->result.pruned_until = verifier->kept.raw_from * WHEN_DAY;
    sqlite3_reset(statement);
    return OK;
}

enum err verify_begin(struct verifier *verifier, struct fault *fault)
{
    enum err err = db_run(&verifier->db, verify_statement(verifier, V_BEGIN), "begin to read", fault);
    if (!err)
        err = read_closing(verifier, fault);
    return err ? err : read_retention(verifier, fault);
}

void verify_end(struct verifier *verifier)
{
    struct fault ignored;
    if (db_run(&verifier->db, verify_statement(verifier, V_END), "end reading", &ignored))
        db_rollback(&verifier->db);
}

/* ---- whoever waits ---- */

void verify_next_step(struct verifier *verifier, const char *step, int64_t total)
{
    work_step(&verifier->work, step, "logs", total);
}

static int64_t wal_bytes(const struct verifier *verifier)
{
    return sqlite_file_bytes(verifier->data_dir, FILE_LOGS_WAL);
}

/* The WAL restarts and is cut back only after a checkpoint that no reader prevents. A writer with nothing to write
 * makes no checkpoint. After waiting in vain, the next wait comes when the WAL has grown by as much as makes a
 * checkpoint due. */
static void let_checkpoint(struct verifier *verifier)
{
    int64_t bytes = wal_bytes(verifier);
    if (bytes <= verifier->wal_bytes)
        return;
    const struct timespec nap = {.tv_nsec = 10000000};
    for (int i = 0; i < MAX_NAPS && wal_bytes(verifier) >= bytes && !watch_is_stopped(verifier->work.watch); i++)
        nanosleep(&nap, NULL);
    verifier->wal_bytes = wal_bytes(verifier) < bytes ? MAX_WAL_BYTES : bytes + MORE_WAL_BYTES;
}

enum err verify_pause(struct verifier *verifier, struct fault *fault)
{
    let_checkpoint(verifier);
    return watch_is_stopped(verifier->work.watch) ? fault_stopped(fault) : OK;
}

/* ---- what is closed ---- */

static int64_t days_of(enum tier tier)
{
    return tier_width(tier) / WHEN_DAY;
}

bool verify_is_closed(const struct verifier *verifier, enum tier tier, int64_t bucket)
{
    if (tier == TIER_QUARTER)
        return true;
    return tier == TIER_HOUR ? bucket < verifier->closed_hour : (bucket + 1) * days_of(tier) <= verifier->closed_day;
}

/* A day is packed user by user, in several transactions, and with it the wider periods that end with it. */
bool verify_may_be_half_packed(const struct verifier *verifier, enum tier tier, int64_t bucket)
{
    return tier >= TIER_DAY && bucket == verifier->closed_day / days_of(tier) &&
           (verifier->closed_day + 1) % days_of(tier) == 0;
}

/* ---- telling ---- */

/* Counts it; false when enough are told. */
static bool is_told(struct verifier *verifier)
{
    verifier->result.differences++;
    return verifier->options->difference && verifier->result.differences <= VERIFY_DIFFERENCES_TOLD;
}

void verify_differs(struct verifier *verifier, const char *table, bool is_fact, const char *format, ...)
{
    verifier->result.facts_differ |= is_fact;
    if (!is_told(verifier))
        return;
    va_list args;
    va_start(args, format);
    char words[512];
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    verifier->options->difference(verifier->options->ctx, &(struct sqlite_difference){.table = table, .words = words});
}

/* The text of a name, or its number where there is none. To be freed; NULL when out of memory. */
static char *name_text(struct verifier *verifier, int64_t id)
{
    struct fault ignored;
    bool row = false;
    char *text = NULL;
    sqlite3_stmt *statement = VERIFY_BIND(verifier, V_NAME, id);
    enum err err = verify_step(verifier, statement, &row, &ignored);
    const char *name = !err && row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (name)
        text = strdup(name);
    else if (asprintf(&text, "(name %lld, which is missing)", (long long)id) < 0)
        text = NULL;
    sqlite3_reset(statement);
    return text;
}

static const enum sqlite_period periods[TIER_COUNT] = {
    [TIER_QUARTER] = PERIOD_QUARTER, [TIER_HOUR] = PERIOD_HOUR,       [TIER_DAY] = PERIOD_DAY,
    [TIER_4_DAYS] = PERIOD_4_DAYS,   [TIER_16_DAYS] = PERIOD_16_DAYS,
};

void verify_differs_at(struct verifier *verifier, const char *table, const struct fold_key *key,
                       const struct totals *there, const struct totals *due, const char *words)
{
    verifier->quarters_bad |= key->tier == TIER_QUARTER;
    if (!is_told(verifier))
        return;
    bool has_domain = strcmp(table, CHUNK_TABLE) == 0;
    char *domain = has_domain ? name_text(verifier, key->domain) : NULL;
    char *error = has_domain && key->error ? name_text(verifier, key->error) : NULL;
    struct sqlite_difference difference = {.table = table,
                                           .words = words,
                                           .period = periods[key->tier],
                                           .bucket = key->bucket * tier_width((enum tier)key->tier),
                                           .user_id = key->user_id,
                                           .order_id = key->order_id,
                                           .domain = domain,
                                           .error = error,
                                           .is_there = there != NULL,
                                           .there = there ? *there : (struct totals){0},
                                           .is_due = due != NULL,
                                           .due = due ? *due : (struct totals){0},
                                           .has_times = has_domain || key->tier == TIER_QUARTER};
    verifier->options->difference(verifier->options->ctx, &difference);
    free(domain);
    free(error);
}

/* ---- open and close ---- */

enum err verifier_open(struct verifier *verifier, const char *data_dir, struct fault *fault)
{
    verifier->wal_bytes = MAX_WAL_BYTES;
    verifier->data_dir = data_dir;
    enum err err = sqlite_file_open_logs(data_dir, &verifier->db, fault);
    if (!err)
        err = db_exec(&verifier->db, "PRAGMA cache_size=-16384", fault);
    if (!err)
        err = sqlite_log_hash_register(&verifier->db, fault);
    if (!err)
        err = db_prepare(&verifier->db, verify_sql, VERIFY_STATEMENTS, fault);
    if (!err)
        db_watch(&verifier->db, work_tick, &verifier->work);
    return err;
}

void verifier_close(struct verifier *verifier)
{
    db_close(&verifier->db);
    fold_release(&verifier->traffic);
    fold_release(&verifier->entries);
    fold_release(&verifier->pairs);
    fold_release(&verifier->orders);
}
