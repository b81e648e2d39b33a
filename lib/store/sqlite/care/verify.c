/* verify.c: adds the logs up again and compares: 16 days at a time, each hour, then each day and wider period.
 * Knows how the work is cut so that memory and read transactions stay small. Leaves what should be there to
 * care/expect.c, what is there to care/compare.c, and what has no period to care/audit.c. */
#include "store/sqlite/care/audit.h"
#include "store/sqlite/care/compare.h"
#include "store/sqlite/care/expect.h"
#include "store/sqlite/care/imports.h"

#include <string.h>

#include "base/banned.h"

/* Sums held at once: 30 MB. More would save no time. */
#define MAX_ENTRIES 200000u

/* ---- a share ---- */

/* Where to cut a range: not at its beginning, so that both parts are smaller. */
static int64_t cut_at(int64_t from, int64_t middle)
{
    return middle > from ? middle : from + 1;
}

/* The sums that did not fit show where about half of them lies. False when nothing is left to cut. */
static bool cut_share(const struct verifier *verifier, const struct share *share, struct share ret_parts[2])
{
    const struct fold *fold =
        verifier->entries.count > verifier->traffic.count ? &verifier->entries : &verifier->traffic;
    const struct fold_key *middle = &fold->entries[fold->count / 2].key;
    struct share first = *share, rest = *share;
    if (share->user_from < share->user_to) {
        rest.user_from = cut_at(share->user_from, middle->user_id);
        first.user_to = rest.user_from - 1;
    } else if (share->traffic && share->entries) { /* traffic has no domains to cut by */
        first.entries = rest.traffic = false;
    } else if (share->entries && share->domain_from < share->domain_to) {
        rest.domain_from = cut_at(share->domain_from, middle->domain);
        first.domain_to = rest.domain_from - 1;
    } else {
        return false;
    }
    ret_parts[0] = first;
    ret_parts[1] = rest;
    return true;
}

/* However an hour is cut, exactly one share adds up all of its logs: the one with everyone's traffic. */
static void count_logs(struct verifier *verifier, const struct share *share)
{
    if (share->tier != TIER_HOUR || !share->traffic || share->user_from != 0)
        return;
    verifier->work.progress.done += verifier->raw_rows;
    verifier->result.logs += verifier->raw_rows;
}

/* Where logs are gone, rollups are compared with finer rollups. What lies before its own horizon is not compared: it
 * may be half deleted, and nobody reads it. */
static bool is_checkable(const struct verifier *verifier, const struct share *share)
{
    const struct retention_row *kept = &verifier->kept;
    if (share->traffic && share->tier == TIER_16_DAYS)
        return true; /* traffic_day: day by day */
    if (share->tier <= TIER_DAY)
        return !begins_before(share->tier, share->bucket, share->tier == TIER_HOUR ? kept->raw_from : kept->hour_from);
    return !begins_before(share->tier, share->bucket, kept->day_from);
}

/* In a read transaction of its own. */
static enum err try_share(struct verifier *verifier, const struct share *share, bool limited, struct fault *fault)
{
    enum err err = verify_begin(verifier, fault);
    bool checkable = !err && is_checkable(verifier, share);
    verifier->too_many = verifier->unknown = false; /* as for what is left out */
    verifier->raw_rows = 0;
    if (checkable)
        err = verify_expect(verifier, share, limited, fault);
    bool comparable = !err && checkable && !verifier->too_many && !verifier->unknown;
    if (comparable)
        err = verify_share_orders(verifier, fault);
    if (!err && comparable)
        err = verify_compare(verifier, share, fault);
    verify_end(verifier);
    if (!err && !verifier->too_many)
        count_logs(verifier, share);
    return err ? err : verify_pause(verifier, fault);
}

/* Checks the share as a whole if it fits into memory, else in two parts, each cut again as often as needed. */
static enum err check_share(struct verifier *verifier, const struct share *share, struct fault *fault)
{
    enum err err = try_share(verifier, share, true, fault);
    if (err || !verifier->too_many)
        return err;
    struct share parts[2];
    if (!cut_share(verifier, share, parts))
        return try_share(verifier, share, false, fault);
    err = check_share(verifier, &parts[0], fault);
    return err ? err : check_share(verifier, &parts[1], fault);
}

/* ---- periods ---- */

static enum err check_period(struct verifier *verifier, enum tier tier, int64_t bucket, bool traffic, bool entries,
                             struct fault *fault)
{
    int64_t before = verifier->result.differences;
    struct share share = {.tier = tier,
                          .bucket = bucket,
                          .traffic = traffic,
                          .entries = entries,
                          .user_to = INT64_MAX,
                          .domain_to = INT64_MAX};
    enum err err = check_share(verifier, &share, fault);
    int64_t in_window = bucket - verifier->window * (tier_width(TIER_16_DAYS) / tier_width(tier));
    verifier->bad[tier][in_window] |= verifier->result.differences != before;
    return err;
}

/* Lowers *least to the first bucket of `tier`, from `bucket` on, that has a row in a table whose buckets are of tier
 * `rows_of`. Rows outside of all time are left to verify_strays. */
static enum err find_next(struct verifier *verifier, enum verify_statement which, enum tier rows_of, enum tier tier,
                          int64_t bucket, int64_t *least, struct fault *fault)
{
    int64_t parts = tier_width(tier) / tier_width(rows_of), found = INT64_MAX;
    sqlite3_stmt *statement = which == V_NEXT_CHUNK ? VERIFY_BIND(verifier, which, bucket * parts, rows_of)
                                                    : VERIFY_BIND(verifier, which, bucket * parts);
    enum err err = verify_i64(verifier, statement, INT64_MAX, &found, fault);
    if (!err && found < VERIFY_END / tier_width(rows_of) && found / parts < *least)
        *least = found / parts;
    return err;
}

/* The next hour, or wider period, with logs or rollups; INT64_MAX when there is none. */
static enum err next_period(struct verifier *verifier, enum tier tier, int64_t bucket, int64_t *ret_bucket,
                            struct fault *fault)
{
    int64_t least = INT64_MAX;
    enum err err = find_next(verifier, V_NEXT_RAW, TIER_QUARTER, tier, bucket, &least, fault);
    if (!err)
        err = find_next(verifier, V_NEXT_CHUNK, tier, tier, bucket, &least, fault);
    if (!err && tier > TIER_HOUR) /* where logs are gone, finer rollups say that there were some */
        err = find_next(verifier, V_NEXT_CHUNK, (enum tier)(tier - 1), tier, bucket, &least, fault);
    if (!err && tier == TIER_HOUR)
        err = find_next(verifier, V_NEXT_QUARTER, TIER_QUARTER, tier, bucket, &least, fault);
    if (!err && tier == TIER_HOUR)
        err = find_next(verifier, V_NEXT_HOUR, TIER_HOUR, tier, bucket, &least, fault);
    *ret_bucket = least;
    return err;
}

/* The next 16 days with anything at all. */
static enum err next_window(struct verifier *verifier, int64_t window, int64_t *ret_window, struct fault *fault)
{
    int64_t least = INT64_MAX;
    enum err err = find_next(verifier, V_NEXT_DAY, TIER_DAY, TIER_16_DAYS, window, &least, fault);
    for (int tier = TIER_HOUR; !err && tier < TIER_COUNT; tier++) {
        int64_t parts = tier_width(TIER_16_DAYS) / tier_width((enum tier)tier), bucket = INT64_MAX;
        err = next_period(verifier, (enum tier)tier, window * parts, &bucket, fault);
        if (!err && bucket != INT64_MAX && bucket / parts < least)
            least = bucket / parts;
    }
    *ret_window = least;
    return err;
}

/* All periods of one tier in the 16 days. */
static enum err check_tier(struct verifier *verifier, enum tier tier, struct fault *fault)
{
    int64_t parts = tier_width(TIER_16_DAYS) / tier_width(tier);
    int64_t bucket = verifier->window * parts, end = bucket + parts;
    enum err err = next_period(verifier, tier, bucket, &bucket, fault);
    while (!err && bucket < end) {
        err = check_period(verifier, tier, bucket, tier <= TIER_DAY, true, fault);
        if (!err)
            err = next_period(verifier, tier, bucket + 1, &bucket, fault);
    }
    return err;
}

/* Days that have rows in traffic_day, but had neither logs nor entries when days were checked. (One whose logs are
 * deleted in this moment is left to the next run.) */
static enum err check_overlooked(struct verifier *verifier, int64_t window, struct fault *fault)
{
    enum err err = OK;
    for (int64_t day = window * 16; !err && day < window * 16 + 16; day++)
        if (verifier->days[day % 16] == OVERLOOKED)
            err = check_period(verifier, TIER_DAY, day, true, true, fault);
    return err;
}

/* Narrow periods first: wider ones are derived from those that are right. */
static enum err check_window(struct verifier *verifier, int64_t window, struct fault *fault)
{
    verifier->window = window;
    memset(verifier->bad, 0, sizeof verifier->bad);
    memset(verifier->days, 0, sizeof verifier->days);
    enum err err = OK;
    for (int tier = TIER_HOUR; !err && tier < TIER_COUNT; tier++)
        err = check_tier(verifier, (enum tier)tier, fault);
    if (!err)
        err = check_period(verifier, TIER_16_DAYS, window, true, false, fault);
    return err ? err : check_overlooked(verifier, window, fault);
}

static enum err check_periods(struct verifier *verifier, struct fault *fault)
{
    int64_t logs = 0;
    enum err err = verify_i64(verifier, VERIFY_BIND(verifier, V_LOGS, INT64_MAX), 0, &logs, fault);
    verify_next_step(verifier, "adding up the logs", logs + verifier->kept.batch_logs - verifier->kept.logs);
    int64_t window = 0;
    if (!err)
        err = next_window(verifier, 0, &window, fault);
    while (!err && window != INT64_MAX) {
        err = check_window(verifier, window, fault);
        if (!err)
            err = next_window(verifier, window + 1, &window, fault);
    }
    return err;
}

/* ---- the whole ---- */

static enum err run(struct verifier *verifier, bool skip_file, struct fault *fault)
{
    static enum err (*const steps[])(struct verifier *, struct fault *) = {
        verify_strays, verify_parts,  verify_closing, verify_retention, verify_batches, verify_load_orders,
        check_periods, verify_values, verify_orders,  verify_total,     verify_imports,
    };
    enum err err = skip_file ? OK : verify_file(verifier, fault);
    if (verifier->result.differences)
        return OK; /* a damaged file cannot be compared with anything, if it can be read at all */
    for (size_t i = 0; !err && !verifier->parts_bad && i < sizeof steps / sizeof *steps; i++)
        err = steps[i](verifier, fault);
    return err;
}

enum err sqlite_verify(const char *data_dir, const struct sqlite_verify_options *options, const struct watch *watch,
                       struct sqlite_verified *ret_verified, struct fault *fault)
{
    struct verifier verifier = {.options = options,
                                .work = {.watch = watch},
                                .max_entries = options->entries_at_once ? options->entries_at_once : MAX_ENTRIES};
    enum err err = verifier_open(&verifier, data_dir, fault);
    if (!err)
        err = run(&verifier, options->skip_file, fault);
    if (!err)
        *ret_verified = verifier.result;
    else if (watch_is_stopped(watch))
        err = fault_stopped(fault);
    verifier_close(&verifier);
    return err;
}
