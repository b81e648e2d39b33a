/* cut.c: adds up the logs that are to be cut into blocks. Steps through them: to group them in SQL takes three times as
 * long. */
#include "store/sqlite/spool/cut.h"

#include "base/int64.h"
#include "store/sqlite/write/writer.h"
#include "time/when.h"

#include <stdlib.h>

#include "base/banned.h"

/* The columns of W_SPOOL_LOGS. */
enum { QUARTER, USER, COUNT, SENT, RECEIVED, ERRORS };

void cut_release(struct cut *cut)
{
    for (size_t i = 0; i < CUT_MONTHS; i++)
        free(cut->months[i]);
    *cut = (struct cut){0};
}

int64_t cut_month(size_t month)
{
    return ((int64_t)month / 12 + 1970) * 100 + (int64_t)month % 12 + 1;
}

/* In the table, whatever a damaged file says. */
static size_t month_of(int64_t day)
{
    const int64_t last = when_days_from_civil((struct civil){.year = 2099, .month = 12, .day = 1});
    struct civil civil = when_civil_from_days(min64(max64(0, day), last));
    return (size_t)((civil.year - 1970) * 12 + civil.month - 1);
}

/* NULL when out of memory. */
static struct cut_share *share_of(struct cut *cut, size_t month, int64_t user_id)
{
    if (!cut->months[month])
        cut->months[month] = calloc((size_t)cut->shards, sizeof **cut->months);
    return cut->months[month] ? &cut->months[month][(uint64_t)user_id % (uint64_t)cut->shards] : NULL;
}

static void add_log(struct cut_share *share, sqlite3_stmt *statement)
{
    share->logs++;
    totals_add(&share->sums, &(struct totals){.count = sqlite3_column_int64(statement, COUNT),
                                              .bytes_sent = sqlite3_column_int64(statement, SENT),
                                              .bytes_received = sqlite3_column_int64(statement, RECEIVED),
                                              .errors = sqlite3_column_int64(statement, ERRORS)});
}

static enum err add_logs(struct cut *cut, struct db *db, sqlite3_stmt *statement, struct fault *fault)
{
    int64_t day = -1;
    size_t month = 0;
    bool row = false;
    enum err err = db_step(db, statement, "add up logs of the spool", &row, fault);
    while (!err && row) {
        int64_t next_day = sqlite3_column_int64(statement, QUARTER) / WHEN_QUARTERS_OF_DAY;
        if (next_day != day)
            month = month_of(next_day);
        day = next_day;
        struct cut_share *share = share_of(cut, month, sqlite3_column_int64(statement, USER));
        if (!share)
            return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        add_log(share, statement);
        err = db_step(db, statement, "add up logs of the spool", &row, fault);
    }
    return err;
}

enum err cut_add_up(struct sqlite_writer *writer, int64_t first, int64_t last, int64_t shards, struct cut *ret_cut,
                    struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, W_SPOOL_LOGS);
    *ret_cut = (struct cut){.shards = shards};
    BIND_ALL(statement, first, last);
    enum err err = add_logs(ret_cut, &writer->db, statement, fault);
    sqlite3_reset(statement);
    if (err)
        cut_release(ret_cut);
    return err;
}
