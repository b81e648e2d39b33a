/* values.c: which breakdowns the table value_day answers, and for which days. Knows what is in it. Adds nothing up. */
#include "store/sqlite/read/values.h"

#include "base/int64.h"
#include "store/sqlite/value_day.h"
#include "time/when.h"

#include "base/banned.h"

bool values_answer(const struct scan *scan, enum dimension by)
{
    return value_dimension(by) && filter_is_empty(scan->filter);
}

/* The first day from which on all are known: an older version closed the first hours of those before it. */
static int64_t known_from(const struct scan *scan)
{
    return when_ceil(scan->durations_from, WHEN_DAY) / WHEN_DAY;
}

static enum err find_gap(struct sqlite_reader *reader, enum reader_statement which, enum dimension by, int64_t day,
                         int64_t otherwise, int64_t *ret_day, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, which);
    sqlite3_bind_int64(statement, 1, value_dimension(by));
    sqlite3_bind_int64(statement, 2, day);
    return db_step_i64(&reader->db, statement, "read value_gap", otherwise, ret_day, fault);
}

/* The time from which on, up to the day `end`, there is a row for each value. */
static enum err find_kept(struct sqlite_reader *reader, const struct scan *scan, enum dimension by, int64_t end,
                          int64_t *ret_from, struct fault *fault)
{
    int64_t gap = -1;
    enum err err = find_gap(reader, R_GAP_BEFORE, by, end, -1, &gap, fault);
    *ret_from = max64(known_from(scan), gap + 1) * WHEN_DAY;
    return err;
}

enum err values_check_kept(struct sqlite_reader *reader, const struct scan *scan, enum dimension by,
                           struct fault *fault)
{
    int64_t from = max64(when_ceil(scan->filter->from, WHEN_DAY), scan->day_from), kept = 0;
    int64_t to = min64(when_ceil(scan->filter->to, WHEN_DAY), scan->raw_from);
    if (from >= to)
        return OK;
    enum err err = find_kept(reader, scan, by, to / WHEN_DAY, &kept, fault);
    if (err || from >= kept)
        return err;
    err = find_kept(reader, scan, by, scan->raw_from / WHEN_DAY, &kept, fault); /* for any range that ends later */
    return err ? err : filter_refuse(scan->filter, min64(kept, scan->raw_from), fault);
}

enum err values_run(const struct pass *pass, int64_t begin, int64_t end, int64_t *ret_end, bool *ret_kept)
{
    int64_t known = known_from(pass->scan), gap = end;
    *ret_kept = false;
    *ret_end = min64(known, end);
    if (begin < known)
        return OK;
    enum err err = find_gap(pass->reader, R_GAP_FROM, pass->by, begin, end, &gap, pass->fault);
    *ret_kept = gap > begin;
    *ret_end = min64(*ret_kept ? gap : begin + 1, end);
    return err;
}
