/* scan.c: the rows that answer a question, from the coarsest tables that can: the range cut into pieces, each read
 * bucket by bucket or in one run. Does not know what is done with the rows. */
#include "store/sqlite/read/scan.h"

#include "base/int64.h"
#include "store/sqlite/read/method.h"
#include "store/sqlite/read/parts.h"
#include "store/sqlite/read/values.h"
#include "store/sqlite/value_day.h"
#include "time/when.h"

#include "base/banned.h"

/* The bucket, or the run that begins with it. */
static enum err scan_bucket(const struct pass *pass, const struct method *method, int64_t bucket, int64_t start)
{
    struct db *db = &pass->reader->db;
    sqlite3_stmt *statement = reader_statement(pass->reader, method->statement);
    pass->reader->pass = pass;
    sqlite3_bind_int64(statement, 2, bucket);
    bool more = true;
    enum err err = db_step(db, statement, "read", &more, pass->fault);
    while (!err && more) {
        err = method->take(pass, statement, start);
        if (!err)
            err = db_step(db, statement, "read", &more, pass->fault);
    }
    sqlite3_reset(statement);
    pass->reader->pass = NULL;
    return err;
}

enum err scan_seconds(struct sqlite_reader *reader, int64_t user, int64_t quarter, int64_t *ret_first,
                      int64_t *ret_last, struct fault *fault)
{
    sqlite3_stmt *statement = reader_statement(reader, R_SECONDS);
    sqlite3_bind_int64(statement, 2, quarter);
    sqlite3_bind_int64(statement, 3, user);
    bool row = false;
    enum err err = db_step(&reader->db, statement, "read", &row, fault);
    if (err)
        return err;
    *ret_first = row ? sqlite3_column_int64(statement, 0) : WHEN_QUARTER;
    *ret_last = row ? sqlite3_column_int64(statement, 1) : -1;
    sqlite3_reset(statement);
    return OK;
}

/* A part of a quarter. *ret_none when all of the user's logs in the quarter lie outside of it. When all lie inside, the
 * piece becomes the whole quarter. */
static enum err settle_partial(const struct pass *pass, struct piece *piece, bool *ret_none)
{
    int64_t first, last;
    enum err err = scan_seconds(pass->reader, pass->user, piece->begin, &first, &last, pass->fault);
    if (err)
        return err;
    *ret_none = first >= piece->to_second || last < piece->from_second;
    if (first >= piece->from_second && last < piece->to_second) {
        piece->from_second = 0;
        piece->to_second = WHEN_QUARTER;
    }
    return OK;
}

static enum err scan_rows(const struct pass *pass, const struct method *method, const struct piece *piece)
{
    int64_t width = tier_width(piece->tier);
    method_bind(method, pass, piece);
    int64_t begin = method->is_of_logs ? max64(piece->begin, pass->scan->row_from) : piece->begin;
    if (begin >= piece->end)
        return OK;
    int64_t end = method->whole_run ? begin + 1 : piece->end;
    enum err err = OK;
    for (int64_t bucket = begin; !err && bucket < end; bucket++) {
        if (scan_is_late(pass->reader))
            return fault_set(pass->fault, ERR_QUERY_TIMEOUT, "the report took longer than allowed");
        err = scan_bucket(pass, method, bucket, bucket * width);
    }
    return err;
}

static enum err scan_whole(const struct pass *pass, const struct piece *piece)
{
    struct method method = method_for(pass, piece);
    enum err err = scan_rows(pass, &method, piece);
    if (err || !method.is_of_logs)
        return err;
    int64_t from = piece->begin * WHEN_QUARTER;
    if (piece_is_partial(piece))
        return parts_scan(pass, from + piece->from_second, from + piece->to_second);
    return parts_scan(pass, from, piece->end * WHEN_QUARTER);
}

/* Days of a breakdown that value_day may have: of the others logs tell. */
static enum err scan_values(const struct pass *pass, const struct piece *days)
{
    struct piece run = *days;
    bool kept = false;
    enum err err = OK;
    for (; !err && run.begin < days->end; run.begin = run.end) {
        err = values_run(pass, run.begin, days->end, &run.end, &kept);
        struct piece logs = {TIER_QUARTER, run.begin * WHEN_QUARTERS_OF_DAY, run.end * WHEN_QUARTERS_OF_DAY, 0,
                             WHEN_QUARTER};
        if (!err)
            err = scan_whole(pass, kept ? &run : &logs);
    }
    return err;
}

static enum err scan_piece(const struct pass *pass, const struct piece *given)
{
    struct piece piece = *given;
    bool none = false;
    if (piece.tier == TIER_DAY && pass->source == SCAN_VALUES && value_dimension(pass->by))
        return scan_values(pass, &piece);
    enum err err = piece_is_partial(&piece) ? settle_partial(pass, &piece, &none) : OK;
    return err || none ? err : scan_whole(pass, &piece);
}

/* Until when there are hours of those who are asked for: of everyone, or of users, who have them where their logs are
 * gone. */
static int64_t hours_until(const struct scan *scan, const struct scan_order *order)
{
    bool is_of_users = order->source == SCAN_VALUES && (order->by == BY_USER || order->by == BY_ORDER);
    bool is_of_everyone = scan->user_count == 0 || scan->users[0] == 0;
    return is_of_everyone && !is_of_users ? scan->closed_hour * WHEN_HOUR : scan->raw_from;
}

/* The times for which each tier has rows. Charts need tiers that nest in their buckets, and the traffic tables end with
 * the day. Where a narrower tier is gone, hours and days stand in for it, whatever is asked. */
static struct tier_set tiers_of(const struct scan *scan, const struct scan_order *order)
{
    enum scan_source source = order->source;
    enum tier widest = order->widest;
    if (scan->has_terms)
        widest = TIER_QUARTER;
    bool has_quarters = source == SCAN_TRAFFIC && !scan->filter->order_id; /* else raw logs stand for them */
    struct tier_set set = {.from = {has_quarters ? scan->hour_from : scan->raw_from, scan->hour_from, scan->day_from,
                                    scan->day_from, scan->day_from},
                           .raw_from = scan->raw_from};
    if (source == SCAN_TRAFFIC && widest > TIER_DAY)
        widest = TIER_DAY;
    for (int tier = TIER_HOUR; tier <= (int)widest; tier++)
        set.until[tier] = tier == TIER_HOUR ? hours_until(scan, order) : scan->closed_day * WHEN_DAY;
    for (int tier = (int)widest + 1; tier <= TIER_DAY; tier++)
        set.until[tier] = set.from[tier - 1];
    if (order->lacks_hours) {
        set.from[TIER_HOUR] = scan->raw_from;
        set.until[TIER_HOUR] = 0;
    }
    return set;
}

void scan_closed_part(const struct scan *scan, int64_t *ret_from, int64_t *ret_to)
{
    int64_t from = when_ceil(scan->filter->from, WHEN_HOUR), to = when_floor(scan->filter->to, WHEN_HOUR);
    int64_t closed = scan->closed_hour * WHEN_HOUR;
    to = to < closed ? to : closed;
    *ret_from = from;
    *ret_to = to > from ? to : from;
}

enum err scan_run(struct sqlite_reader *reader, const struct scan *scan, const struct scan_order *order,
                  struct fault *fault)
{
    struct pass pass = {reader, scan, order->source, order->by, 0, order->sink, order->ctx, fault};
    struct piece pieces[PIECE_MAX];
    struct tier_set tiers = tiers_of(scan, order);
    size_t count = tier_cover(order->from, order->to, &tiers, pieces);
    enum err err = OK;
    for (size_t i = 0; !err && i < scan->user_count; i++) {
        pass.user = scan->users[i];
        for (size_t j = 0; !err && j < count; j++)
            err = scan_piece(&pass, &pieces[j]);
    }
    return err;
}
