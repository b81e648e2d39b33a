/* state.c: what is stored about a range, as a few numbers, without a look at the logs. Knows when an answer may
 * have changed. Knows no report. */
#include "store/sqlite/read/reader.h"

#include "time/when.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/banned.h"

/* Another file under the same name (a backup put back, an empty start) has numbers of its own, which may be the same as
 * the old one's; but it was made at another moment, or is another file. */
void state_identify(struct store_reader *reader, const char *path)
{
    struct statx stx;
    if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &stx) != 0)
        return;
    reader->file[0] = (int64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor;
    reader->file[1] = (int64_t)stx.stx_ino;
    reader->file[2] = stx.stx_mask & STATX_BTIME ? stx.stx_btime.tv_sec : 0;
    reader->file[3] = stx.stx_mask & STATX_BTIME ? stx.stx_btime.tv_nsec : 0;
}

/* What closed hours hold changes only together with closing.changes; the rest with every batch. */
static enum err read_state(struct store_reader *reader, const struct report_filter *filter,
                           struct store_state *ret_state, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, R_STATE);
    bool row = false;
    enum err err = db_step(&reader->db, statement, "read what is stored", &row, fault);
    if (err)
        return err;
    bool closed = row && filter->to <= sqlite3_column_int64(statement, 0) * WHEN_HOUR;
    *ret_state = (struct store_state){.is_closed = closed, .changes = row ? sqlite3_column_int64(statement, 1) : 0};
    memcpy(ret_state->file, reader->file, sizeof ret_state->file);
    if (row && !closed) {
        ret_state->batch = sqlite3_column_int64(statement, 2);
        ret_state->received_at = sqlite3_column_int64(statement, 3);
    }
    sqlite3_reset(statement);
    return OK;
}

enum err store_hold(struct store_reader *reader, const struct report_filter *filter, struct store_state *ret_state,
                    struct fault *fault)
{
    store_let_go(reader);
    reader->deadline_ms = 0;
    enum err err = db_run(&reader->db, reader_statement(reader, R_BEGIN), "begin to read", fault);
    reader->held = !err;
    if (!err)
        err = read_state(reader, filter, ret_state, fault);
    if (err)
        store_let_go(reader);
    return err;
}

void store_let_go(struct store_reader *reader)
{
    struct fault ignored;
    if (reader->held && db_run(&reader->db, reader_statement(reader, R_END), "end reading", &ignored))
        db_rollback(&reader->db);
    reader->held = false;
}
