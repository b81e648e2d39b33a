/* spool.c: the writer's side of the spool: cuts blocks, and notes what became of them. Knows the tables spool,
 * spool_block and spool_log. Knows no other engine. */
#include "store/sqlite/spool/spool.h"

#include "store/sqlite/spool/cut.h"
#include "store/sqlite/write/health.h"
#include "store/sqlite/write/writer.h"

#include <string.h>

#include "base/banned.h"

#define BLOCK_BATCHES INT64_C(10000) /* at most in a block */

/* How long a block is remembered after its logs have left. */
#define REMEMBERED_SECONDS (INT64_C(7) * 24 * 3600)

/* ---- one transaction ---- */

/* What a step has to know; not all need all. */
struct step {
    struct sqlite_writer *writer;
    int64_t value, now;
    enum spool_cutting which;
    const struct spool_outcome *outcomes;
    size_t count;
    const struct spool_target *target;
    const struct spool_audit *audit;
    bool more;
};
typedef enum err (*step_function)(struct step *step, struct fault *fault);

/* In a transaction of its own; after a failure everything is as before. */
static enum err run_step(step_function run, struct step *step, struct fault *fault)
{
    struct sqlite_writer *writer = step->writer;
    enum err err = db_begin(&writer->db, fault);
    if (!err)
        err = run(step, fault);
    if (!err)
        err = db_commit(&writer->db, fault);
    if (err)
        sqlite_undo(writer, fault);
    return err;
}

/* ---- cutting ---- */

/* The batches of the next blocks: *ret_last is 0 when there are none. *ret_more: they are full, so that there may be
 * others behind them. */
static enum err find_batches(struct sqlite_writer *writer, int64_t *ret_first, int64_t *ret_last, bool *ret_more,
                             struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_SPOOL_BATCHES);
    int64_t logs = 0, batches = 0;
    bool row = false;
    *ret_last = 0;
    BIND_ALL(statement, BLOCK_BATCHES);
    enum err err = db_step(&writer->db, statement, "look for batches", &row, fault);
    while (!err && row) {
        logs += sqlite3_column_int64(statement, 1);
        if (*ret_last && logs > SPOOL_BLOCK_LOGS)
            break;
        if (!*ret_last)
            *ret_first = sqlite3_column_int64(statement, 0);
        *ret_last = sqlite3_column_int64(statement, 0);
        batches++;
        err = db_step(&writer->db, statement, "look for batches", &row, fault);
    }
    sqlite3_reset(statement);
    *ret_more = !err && (row || batches == BLOCK_BATCHES);
    return err;
}

_Static_assert(SPOOL_LAST_MONTH == (1970 + (CUT_MONTHS - 1) / 12) * 100 + (CUT_MONTHS - 1) % 12 + 1, "the last month");

/* Ordered by month and shard. */
static enum err put_blocks(struct db *db, int64_t first, int64_t last, const struct cut *cut, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(db, W_SPOOL_CUT);
    enum err err = OK;
    for (size_t month = 0; month < CUT_MONTHS; month++)
        for (int64_t shard = 0; !err && cut->months[month] && shard < cut->shards; shard++) {
            const struct cut_share *share = &cut->months[month][shard];
            if (share->logs == 0)
                continue;
            BIND_ALL(statement, first, last, cut_month(month), shard, cut->shards, share->logs, share->sums.count,
                     share->sums.bytes_sent, share->sums.bytes_received, share->sums.errors);
            err = db_run(db, statement, "cut blocks", fault);
        }
    return err;
}

static enum err cut_batches(struct sqlite_writer *writer, int64_t first, int64_t last, int64_t shards,
                            struct fault *fault)
{
    struct cut cut;
    enum err err = cut_add_up(writer, first, last, shards, &cut, fault);
    if (err)
        return err;
    err = put_blocks(&writer->db, first, last, &cut, fault);
    cut_release(&cut);
    return err;
}

static enum err cut(struct step *step, struct fault *fault)
{
    struct db *db = &step->writer->db;
    int64_t first = 0, last = 0;
    enum err err = find_batches(step->writer, &first, &last, &step->more, fault);
    if (err || !last || (!step->more && step->which == SPOOL_CUT_FULL))
        return err;
    err = cut_batches(step->writer, first, last, step->value, fault);
    if (err)
        return err;
    BIND_ALL(sql_of(db, W_SPOOL_CUT_UNTIL), last);
    return db_run(db, sql_of(db, W_SPOOL_CUT_UNTIL), "note what is cut", fault);
}

enum err spool_cut(struct sqlite_writer *writer, enum spool_cutting which, int64_t shards, bool *ret_more,
                   struct fault *fault)
{
    struct step step = {.writer = writer, .which = which, .value = shards};
    enum err err = run_step(cut, &step, fault);
    *ret_more = !err && step.more;
    return err;
}

/* ---- what became of them ---- */

static enum err settle(struct step *step, struct fault *fault)
{
    struct db *db = &step->writer->db;
    enum err err = OK;
    for (size_t i = 0; !err && i < step->count; i++) {
        sqlite3_stmt *statement = sql_of(db, W_SPOOL_SETTLE);
        BIND_ALL(statement, step->outcomes[i].number, step->outcomes[i].state, step->now);
        sqlite3_bind_text(statement, 4, step->outcomes[i].detail, -1, SQLITE_STATIC);
        err = db_run(db, statement, "note what became of a block", fault);
    }
    return err;
}

enum err spool_settle(struct sqlite_writer *writer, const struct spool_outcome *outcomes, size_t count, int64_t now,
                      struct fault *fault)
{
    struct step step = {.writer = writer, .outcomes = outcomes, .count = count, .now = now};
    return run_step(settle, &step, fault);
}

static enum err set_target(struct step *step, struct fault *fault)
{
    struct db *db = &step->writer->db;
    sqlite3_stmt *statement = sql_of(db, W_SPOOL_TARGET);
    sqlite3_bind_blob(statement, 1, step->target->replica, sizeof step->target->replica, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, step->target->mark);
    sqlite3_bind_text(statement, 3, step->target->trouble, -1, SQLITE_STATIC);
    return db_run(db, statement, "note where reports are answered", fault);
}

enum err spool_set_target(struct sqlite_writer *writer, const struct spool_target *target, struct fault *fault)
{
    struct step step = {.writer = writer, .target = target};
    return run_step(set_target, &step, fault);
}

static enum err set_audit(struct step *step, struct fault *fault)
{
    struct db *db = &step->writer->db;
    sqlite3_stmt *statement = sql_of(db, W_SPOOL_AUDIT);
    BIND_ALL(statement, step->audit->at, step->audit->differences);
    sqlite3_bind_text(statement, 3, step->audit->words, -1, SQLITE_STATIC);
    return db_run(db, statement, "note what an audit found", fault);
}

enum err spool_set_audit(struct sqlite_writer *writer, const struct spool_audit *audit, struct fault *fault)
{
    struct step step = {.writer = writer, .audit = audit};
    return run_step(set_audit, &step, fault);
}

static enum err retry(struct step *step, struct fault *fault)
{
    struct db *db = &step->writer->db;
    enum err err = db_run(db, sql_of(db, W_SPOOL_RETRY), "let blocks wait again", fault);
    step->value = sqlite3_changes(db->handle);
    return err;
}

enum err spool_retry(const char *data_dir, int64_t *ret_blocks, struct fault *fault)
{
    struct step step = {0};
    enum err err = sqlite_writer_open(data_dir, true, &step.writer, fault);
    if (err)
        return err;
    err = run_step(retry, &step, fault);
    sqlite_writer_close(step.writer);
    if (!err)
        *ret_blocks = step.value;
    return err;
}

/* ---- forgetting ---- */

/* The logs of batches whose blocks were all taken long enough ago. */
static enum err forget_logs(struct step *step, struct fault *fault)
{
    struct db *db = &step->writer->db;
    sqlite3_stmt *statement = sql_of(db, W_SPOOL_OLD);
    BIND_ALL(statement, step->value);
    enum err err = db_step(db, statement, "look for old blocks", &step->more, fault);
    if (err || !step->more)
        return err;
    int64_t first = sqlite3_column_int64(statement, 0), last = sqlite3_column_int64(statement, 1);
    sqlite3_reset(statement);
    BIND_ALL(sql_of(db, W_SPOOL_DROP), first, last);
    err = db_run(db, sql_of(db, W_SPOOL_DROP), "forget logs", fault);
    if (err)
        return err;
    BIND_ALL(sql_of(db, W_SPOOL_FORGOTTEN), first);
    return db_run(db, sql_of(db, W_SPOOL_FORGOTTEN), "note what is forgotten", fault);
}

static enum err forget(struct step *step, struct fault *fault)
{
    struct db *db = &step->writer->db;
    enum err err = forget_logs(step, fault);
    if (err || step->more)
        return err;
    BIND_ALL(sql_of(db, W_SPOOL_BLOCKS_DROP), step->value - REMEMBERED_SECONDS);
    err = db_run(db, sql_of(db, W_SPOOL_BLOCKS_DROP), "forget blocks", fault);
    step->more = !err && sqlite3_changes(db->handle) > 0;
    return err;
}

enum err spool_forget(struct sqlite_writer *writer, int64_t before, bool *ret_more, struct fault *fault)
{
    struct step step = {.writer = writer, .value = before};
    enum err err = run_step(forget, &step, fault);
    *ret_more = !err && step.more;
    return err;
}

enum err spool_bytes(struct sqlite_writer *writer, int64_t *ret_bytes, struct fault *fault)
{
    int64_t pages = 0, free_pages = 0;
    enum err err = sqlite_lookup(&writer->db, W_PAGES, 0, 0, &pages, fault);
    if (!err)
        err = sqlite_lookup(&writer->db, W_FREE_PAGES, 0, 0, &free_pages, fault);
    if (!err)
        *ret_bytes = (pages - free_pages) * writer->wal.page_bytes;
    return err;
}
