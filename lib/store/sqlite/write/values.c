/* values.c: sums of everyone by the value of a dimension, into value_day. Knows which logs and which days count, and
 * when a day has too many values. Does not know why an hour is closed, or why logs went. */
#include "store/sqlite/write/values.h"

#include "base/int64.h"
#include "time/when.h"

#include "base/banned.h"

static enum err run(struct sqlite_writer *writer, enum writer_statement which, int64_t dimension, int64_t day,
                    struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(&writer->db, which);
    BIND_ALL(statement, dimension, day);
    return db_run(&writer->db, statement, "add to value_day", fault);
}

/* ---- noting ---- */

/* Nothing more is noted of a dimension that stands in value_gap. */
static enum err skip_gaps(struct day_values *values, struct db *db, struct fault *fault)
{
    sqlite3_stmt *statement = sql_of(db, W_GAPS_OF_DAY);
    BIND_ALL(statement, values->day);
    bool row = true;
    enum err err = db_step(db, statement, "read value_gap", &row, fault);
    while (!err && row) {
        int64_t dimension = sqlite3_column_int64(statement, 0);
        values->found[dimension] = VALUES_OF_DAY + 1;
        err = db_step(db, statement, "read value_gap", &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

bool sqlite_values_are_kept(const struct sqlite_writer *writer, int64_t day)
{
    return day >= writer->values_from && sqlite_is_kept(&writer->closed, TIER_DAY, day);
}

enum err sqlite_values_begin(struct day_values *values, struct db *db, int64_t day, bool are_kept, struct fault *fault)
{
    fold_clear(&values->sums);
    values->day = day;
    for (int dimension = 1; dimension <= VALUE_DIMENSIONS; dimension++)
        values->found[dimension] = are_kept ? 0 : VALUES_OF_DAY + 1;
    return are_kept ? skip_gaps(values, db, fault) : OK;
}

/* One value too many is noted, and then no more: whoever sends others all the time takes no memory. */
static enum err note(struct day_values *values, struct fold_key key, const struct totals *totals)
{
    size_t before = values->sums.count;
    if (values->found[key.tier] > VALUES_OF_DAY)
        return OK;
    key.bucket = values->day;
    enum err err = fold_add(&values->sums, &key, totals);
    values->found[key.tier] += values->sums.count > before;
    return err;
}

enum err sqlite_values_add(void *ctx, const struct stored_log *log)
{
    struct day_values *values = ctx;
    enum err err = OK;
    for (int dimension = 1; !err && dimension <= VALUE_DIMENSIONS; dimension++)
        err = note(values, sqlite_log_value(log, dimension), &log->totals);
    return err;
}

/* ---- putting ---- */

/* From now on the dimension's values of this day are not kept. */
static enum err leave_gap(struct sqlite_writer *writer, int64_t dimension, int64_t day, struct fault *fault)
{
    enum err err = run(writer, W_VALUES_DROP, dimension, day, fault);
    return err ? err : run(writer, W_GAP_ADD, dimension, day, fault);
}

static enum err put(struct sqlite_writer *writer, const struct fold_entry *entry, struct fault *fault)
{
    const struct totals *t = &entry->totals;
    sqlite3_stmt *statement = sql_of(&writer->db, W_VALUE_ADD);
    BIND_ALL(statement, entry->key.tier, entry->key.bucket, 0, t->count, t->bytes_sent, t->bytes_received, t->errors,
             t->max_concurrency, t->duration_ms);
    value_bind(statement, 3, &entry->key);
    return db_run(&writer->db, statement, "add to value_day", fault);
}

/* Some values of one dimension. */
static enum err put_dimension(struct sqlite_writer *writer, int64_t found, const struct fold_entry *entries,
                              size_t count, struct fault *fault)
{
    const struct fold_key *key = &entries->key;
    int64_t stored = found;
    enum err err = OK;
    for (size_t i = 0; !err && stored <= VALUES_OF_DAY && i < count; i++)
        err = put(writer, &entries[i], fault);
    sqlite3_stmt *statement = sql_of(&writer->db, W_VALUES_COUNT);
    BIND_ALL(statement, key->tier, key->bucket);
    if (!err && stored <= VALUES_OF_DAY)
        err = db_step_i64(&writer->db, statement, "count values", 0, &stored, fault);
    return err || stored <= VALUES_OF_DAY ? err : leave_gap(writer, key->tier, key->bucket, fault);
}

enum err sqlite_values_put(struct sqlite_writer *writer, struct day_values *values, struct fault *fault)
{
    struct fold *sums = &values->sums;
    fold_sort(sums);
    enum err err = OK;
    for (size_t i = 0, n; !err && i < sums->count; i += n) {
        for (n = 1; i + n < sums->count && sums->entries[i + n].key.tier == sums->entries[i].key.tier; n++)
            ;
        err = put_dimension(writer, values->found[sums->entries[i].key.tier], &sums->entries[i], n, fault);
    }
    fold_clear(sums);
    return err;
}

/* ---- late logs ---- */

static enum err note_row(struct sqlite_writer *writer, const struct raw_row *row)
{
    const struct log_record *log = row->log;
    const int64_t *ids = &writer->names.ids[row->first_name];
    struct totals totals = log_totals(log);
    const struct fold_key keys[VALUE_DIMENSIONS] = {
        value_key(VALUE_OF_WORKER, ids[log->name[NAME_WORKER]]),
        value_key(VALUE_OF_PEER, ids[log->name[NAME_PEER]]),
        value_key(VALUE_OF_PROTOCOL, ids[log->name[NAME_PROTOCOL]]),
        value_key(VALUE_OF_PORT, log->port),
        value_key_of_address(VALUE_OF_IP_OUT, log->ip_out.bytes, log->ip_out.len),
        value_key(VALUE_OF_ERROR, ids[log->name[NAME_ERROR]]),
    };
    enum err err = OK;
    for (int i = 0; !err && i < VALUE_DIMENSIONS; i++)
        err = note(&writer->values, keys[i], &totals);
    return err;
}

static enum err note_late(struct sqlite_writer *writer, const struct raw_row *row, struct fault *fault)
{
    struct day_values *values = &writer->values;
    int64_t day = row->quarter * WHEN_QUARTER / WHEN_DAY;
    enum err err = day == values->day ? OK : sqlite_values_put(writer, values, fault);
    if (!err && day != values->day)
        err = sqlite_values_begin(values, &writer->db, day, sqlite_values_are_kept(writer, day), fault);
    if (err)
        return err;
    return note_row(writer, row) ? fault_set(fault, ERR_UNAVAILABLE, "out of memory") : OK;
}

/* Rows come in order of time. */
enum err sqlite_values_late(struct sqlite_writer *writer, struct fault *fault)
{
    int64_t end = writer->closed.hour * 4;
    enum err err = sqlite_values_begin(&writer->values, &writer->db, -1, false, fault); /* none */
    for (size_t i = 0; !err && i < writer->rows.count && writer->rows.rows[i].quarter < end; i++)
        err = note_late(writer, &writer->rows.rows[i], fault);
    return err ? err : sqlite_values_put(writer, &writer->values, fault);
}

/* ---- logs and sums that were deleted ---- */

enum err sqlite_values_redo(struct sqlite_writer *writer, int64_t day, struct fault *fault)
{
    int64_t first = day * WHEN_QUARTERS_OF_DAY, end = min64(first + WHEN_QUARTERS_OF_DAY, writer->closed.hour * 4);
    enum err err = OK;
    for (int dimension = 1; !err && dimension <= VALUE_DIMENSIONS; dimension++) {
        err = run(writer, W_VALUES_DROP, dimension, day, fault);
        if (!err)
            err = run(writer, W_GAP_DROP, dimension, day, fault);
    }
    struct day_values *values = &writer->values;
    if (!err)
        err = sqlite_values_begin(values, &writer->db, day, sqlite_values_are_kept(writer, day), fault);
    if (!err)
        err = sqlite_each_log(&writer->reading, ALL_LOGS(first, end - first), sqlite_values_add, values, fault);
    return err ? err : sqlite_values_put(writer, values, fault);
}

enum err sqlite_values_forget(struct sqlite_writer *writer, int64_t day, struct fault *fault)
{
    enum err err = OK;
    for (int dimension = 1; !err && dimension <= VALUE_DIMENSIONS; dimension++)
        err = leave_gap(writer, dimension, day, fault);
    return err;
}
