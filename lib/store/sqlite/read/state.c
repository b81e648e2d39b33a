/* state.c: what is stored about a range, as a few numbers, without a look at the logs. Knows when an answer may
 * have changed. Knows no report. */
#include "store/sqlite/read/reader.h"

#include "time/when.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/banned.h"

/* The contents of a struct store_state. It has no padding, because its bytes are compared. */
struct stored_state {
    int64_t file[4];
    int64_t is_closed; /* the range, so that only late logs change it */
    int64_t changes;
    int64_t batch; /* the newest, unless the range is closed */
    int64_t received_at;
};
_Static_assert(sizeof(struct stored_state) <= STORE_STATE_BYTES, "it fits");

/* Identifies the file. Another file under the same name (a restored backup, an empty start) has its own figures, which
 * may equal the old one's. Its device, inode or time of birth differs. */
void state_identify(struct sqlite_reader *reader, const char *path)
{
    struct statx stx;
    if (statx(AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &stx) != 0)
        return;
    reader->file[0] = (int64_t)stx.stx_dev_major << 32 | stx.stx_dev_minor;
    reader->file[1] = (int64_t)stx.stx_ino;
    reader->file[2] = stx.stx_mask & STATX_BTIME ? stx.stx_btime.tv_sec : 0;
    reader->file[3] = stx.stx_mask & STATX_BTIME ? stx.stx_btime.tv_nsec : 0;
}

/* The contents of closed hours change only together with closing.changes; everything else changes with every batch. */
static enum err read_state(struct sqlite_reader *reader, const struct report_filter *filter,
                           struct store_state *ret_state, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, R_STATE);
    bool row = false;
    enum err err = db_step(&reader->db, statement, "read what is stored", &row, fault);
    if (err)
        return err;
    struct stored_state state = {.is_closed = row && filter->to <= sqlite3_column_int64(statement, 0) * WHEN_HOUR};
    memcpy(state.file, reader->file, sizeof state.file);
    if (row)
        state.changes = sqlite3_column_int64(statement, 1);
    if (row && !state.is_closed) {
        state.batch = sqlite3_column_int64(statement, 2);
        state.received_at = sqlite3_column_int64(statement, 3);
    }
    *ret_state = (struct store_state){0};
    memcpy(ret_state->bytes, &state, sizeof state);
    sqlite3_reset(statement);
    return OK;
}

enum err sqlite_hold(struct sqlite_reader *reader, const struct report_filter *filter, struct store_state *ret_state,
                     struct fault *fault)
{
    sqlite_let_go(reader);
    reader->deadline_ms = 0;
    enum err err = db_run(&reader->db, reader_statement(reader, R_BEGIN), "begin to read", fault);
    reader->held = !err;
    if (!err)
        err = read_state(reader, filter, ret_state, fault);
    if (err)
        sqlite_let_go(reader);
    return err;
}

void sqlite_let_go(struct sqlite_reader *reader)
{
    struct fault ignored;
    if (reader->held && db_run(&reader->db, reader_statement(reader, R_END), "end reading", &ignored))
        db_rollback(&reader->db);
    reader->held = false;
}
