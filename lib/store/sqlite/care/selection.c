/* selection.c: which logs a filter selects; and, where only sums of logs are kept, of which days these know as much as
 * the filter asks. Knows names, and the horizons of the table retention. Deletes nothing. */
#include "store/sqlite/care/selection.h"

#include "base/int64.h"
#include "time/when.h"

#include "base/banned.h"

static struct id_range just(int64_t id, int64_t least)
{
    return id ? (struct id_range){id, id} : (struct id_range){least, INT64_MAX};
}

/* No name has an id below 0. */
static const struct id_range nobody = {-1, -1};

static enum err find_name(struct db *db, const char *text, struct id_range *ret_range, struct fault *fault)
{
    *ret_range = just(0, 0);
    if (!text)
        return OK;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, "SELECT id FROM name WHERE text = ?1", -1, &statement, NULL) != SQLITE_OK)
        return db_fault(db, "find a name", fault);
    sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC);
    bool row = false;
    enum err err = db_step(db, statement, "find a name", &row, fault);
    int64_t id = !err && row ? sqlite3_column_int64(statement, 0) : -1;
    *ret_range = row ? (struct id_range){id, id} : nobody;
    sqlite3_finalize(statement);
    return err;
}

enum err selection_find(struct db *db, const struct sqlite_delete_options *options, struct selection *ret_selection,
                        struct fault *fault)
{
    struct id_range sources;
    struct selection selection = {
        .by_import = options->import != NULL,
        .forget_imports = options->forget_keys,

        .from = options->from,
        .to = options->to,
        .users = just(options->user_id, 1),
        .orders = just(options->order_id, 1),
        .batches = {options->first_batch, options->last_batch ? options->last_batch : INT64_MAX}};
    enum err err = find_name(db, options->domain, &selection.domains, fault);
    if (!err)
        err = find_name(db, options->worker, &selection.workers, fault);
    if (!err)
        err = find_name(db, options->import, &sources, fault);
    selection.source = err ? -1 : sources.from;
    if (!err)
        *ret_selection = selection;
    return err;
}

/* ---- sums of logs that are gone ---- */

static bool is_any(struct id_range range, int64_t least)
{
    return range.from <= least && range.to == INT64_MAX;
}

/* Sums know neither workers nor batches nor imports; quarters of an hour, which are kept as long as hours, know users
 * alone. */
static int64_t known_until(const struct selection *selection, int64_t raw_from, int64_t hour_from)
{
    if (!is_any(selection->workers, 0) || !is_any(selection->batches, 0) || selection->by_import)
        return 0;
    return is_any(selection->orders, 1) && is_any(selection->domains, 0) ? raw_from : hour_from;
}

enum err selection_of_sums(struct db *db, const struct selection *selection, struct sums_span *ret_span,
                           struct sqlite_deleted *ret_deleted, struct fault *fault)
{
    int64_t raw_from = 0, hour_from = 0;
    enum err err = db_get_i64(db, "SELECT raw_from FROM retention", 0, &raw_from, fault);
    if (!err)
        err = db_get_i64(db, "SELECT hour_from FROM retention", 0, &hour_from, fault);
    int64_t day_from = 0, first_day = 0;
    if (!err)
        err = db_get_i64(db, "SELECT day_from FROM retention", 0, &day_from, fault);
    if (!err) /* each day with sums has some of domains */
        err = db_get_i64(db, "SELECT bucket FROM rollup_chunk WHERE tier = 2 ORDER BY bucket LIMIT 1", raw_from,
                         &first_day, fault);
    if (err)
        return err;
    int64_t from = max64(selection->from, day_from * WHEN_DAY), to = min64(selection->to, raw_from * WHEN_DAY);
    int64_t first = when_ceil(from, WHEN_DAY) / WHEN_DAY;
    int64_t end = min64(to / WHEN_DAY, known_until(selection, raw_from, hour_from));
    *ret_span = first < end ? (struct sums_span){min64(max64(first, first_day), end), end} : (struct sums_span){0};
    ret_deleted->left[0].from = from;
    ret_deleted->left[0].to = first < end ? first * WHEN_DAY : to;
    ret_deleted->left[1].from = end * WHEN_DAY;
    ret_deleted->left[1].to = first < end ? to : 0;
    return OK;
}
