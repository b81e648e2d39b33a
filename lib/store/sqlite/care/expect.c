/* expect.c: what the rollups of a share should hold: from the raw logs, or from finer rollups that were found to be
 * right. Knows how logs become rollups. Does not know what the tables hold. */
#include "store/sqlite/care/expect.h"

#include "base/int64.h"
#include "rollup/pack.h"
#include "store/sqlite/row.h"
#include "time/when.h"

#include "base/banned.h"

/* ---- adding up ---- */

/* One log, or one packed entry. */
struct expected_part {
    int64_t user_id, domain, error, order_id;
    struct totals totals;
};

static bool is_full(struct verifier *verifier, bool limited)
{
    verifier->too_many = limited && verifier->traffic.count + verifier->entries.count > verifier->max_entries;
    return verifier->too_many;
}

static bool has_user(const struct share *share, int64_t user)
{
    return user >= share->user_from && user <= share->user_to;
}

static bool has_domain(const struct share *share, int64_t domain)
{
    return domain >= share->domain_from && domain <= share->domain_to;
}

/* Adds to the rows of everyone, of its user and of its order. Quarters have no rows of orders, and they alone have
 * times. */
static enum err add_traffic(struct verifier *verifier, const struct share *share, enum tier tier, int64_t bucket,
                            const struct expected_part *part)
{
    struct fold_key key = {.tier = tier, .bucket = bucket};
    struct totals totals = part->totals;
    if (tier != TIER_QUARTER)
        totals.first = totals.last = 0;
    enum err err = OK;
    if (share->user_from == 0)
        err = fold_add(&verifier->traffic, &key, &totals);
    if (err || !has_user(share, part->user_id) || tier == TIER_HOUR) /* users' hours are of logs that are gone */
        return err;
    key.user_id = part->user_id;
    err = fold_add(&verifier->traffic, &key, &totals);
    key.order_id = part->order_id;
    return err || tier == TIER_QUARTER ? err : fold_add(&verifier->traffic, &key, &totals);
}

/* Adds to the entries of everyone, which have no orders, and of its user. */
static enum err add_entry(struct verifier *verifier, const struct share *share, int64_t error,
                          const struct expected_part *part)
{
    struct fold_key key = {.tier = share->tier, .bucket = share->bucket, .domain = part->domain, .error = error};
    enum err err = share->user_from == 0 ? fold_add(&verifier->entries, &key, &part->totals) : OK;
    key.user_id = part->user_id;
    key.order_id = part->order_id;
    if (err || !has_user(share, part->user_id) || share->tier == TIER_HOUR)
        return err;
    return fold_add(&verifier->entries, &key, &part->totals);
}

/* ---- from the raw logs ---- */

static struct expected_part raw_part(sqlite3_stmt *statement)
{
    return (struct expected_part){.user_id = sqlite3_column_int64(statement, 0),
                                  .domain = sqlite3_column_int64(statement, 1),
                                  .error = sqlite3_column_int64(statement, 2),
                                  .order_id = sqlite3_column_int64(statement, 3),
                                  .totals = row_totals_at(statement, 4, sqlite3_column_int64(statement, 10))};
}

static enum err add_raw_traffic(struct verifier *verifier, const struct share *share, int64_t quarter,
                                const struct expected_part *part)
{
    struct fold_key pair = {.order_id = part->order_id, .user_id = part->user_id};
    if (share->tier != TIER_HOUR)
        return add_traffic(verifier, share, TIER_DAY, quarter * WHEN_QUARTER / WHEN_DAY, part);
    enum err err = add_traffic(verifier, share, TIER_QUARTER, quarter, part);
    if (!err && has_user(share, part->user_id))
        err = fold_add(&verifier->pairs, &pair, &TOTALS_NONE);
    return err ? err : add_traffic(verifier, share, TIER_HOUR, share->bucket, part);
}

static enum err add_raw(struct verifier *verifier, const struct share *share, int64_t quarter,
                        const struct expected_part *part)
{
    enum err err = share->traffic ? add_raw_traffic(verifier, share, quarter, part) : OK;
    if (err || !share->entries || !has_domain(share, part->domain))
        return err;
    err = add_entry(verifier, share, 0, part);
    return err || !part->error ? err : add_entry(verifier, share, part->error, part);
}

/* The logs of all its quarters at once: each part of a day is opened once. Everyone's sums need the logs of all. */
static enum err expect_raw(struct verifier *verifier, const struct share *share, bool limited, struct fault *fault)
{
    int64_t count = tier_width(share->tier) / WHEN_QUARTER, first = share->bucket * count;
    int64_t kept = verifier->kept.raw_from * WHEN_QUARTERS_OF_DAY; /* older ones wait to be deleted */
    int64_t last = share->user_from == 0 ? INT64_MAX : share->user_to;
    bool row = true;
    sqlite3_stmt *statement =
        VERIFY_BIND(verifier, V_RAW, max64(first, kept), first + count - 1, first_user(share), last);
    enum err err = verify_step(verifier, statement, &row, fault);
    while (!err && row && !is_full(verifier, limited)) {
        struct expected_part part = raw_part(statement);
        verifier->raw_rows++;
        if (add_raw(verifier, share, sqlite3_column_int64(statement, 11), &part))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else
            err = verify_step(verifier, statement, &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* ---- from narrower rollups ---- */

/* Do the share's periods of this tier hold what the raw logs say? Yes when no difference was found in them. None can
 * have come since: a late log is added to all its rollups in one transaction. */
static bool are_right(const struct verifier *verifier, const struct share *share, enum tier tier)
{
    int64_t count = tier_width(share->tier) / tier_width(tier);
    int64_t first = share->bucket * count - verifier->window * (tier_width(TIER_16_DAYS) / tier_width(tier));
    for (int64_t i = first; i < first + count; i++)
        if (verifier->bad[tier][i])
            return false;
    return verifier->closed_day * 24 <= verifier->closed_hour;
}

static enum err add_chunk(struct verifier *verifier, const struct share *share, int64_t base, sqlite3_stmt *statement)
{
    struct pack_reader reader;
    struct fold_key key = {.tier = share->tier, .bucket = share->bucket, .user_id = sqlite3_column_int64(statement, 0)};
    pack_open(&reader, sqlite3_column_blob(statement, 3), (size_t)sqlite3_column_bytes(statement, 3), base, true);
    struct totals totals;
    enum err err = OK;
    while (!err && pack_next(&reader, &totals)) {
        key.domain = reader.key.domain;
        key.error = reader.key.error;
        key.order_id = reader.key.order_id;
        if (has_domain(share, key.domain))
            err = fold_add(&verifier->entries, &key, &totals);
    }
    return err;
}

static enum err add_chunks(struct verifier *verifier, const struct share *share, bool limited, int64_t bucket,
                           struct fault *fault)
{
    bool row = true;
    enum tier tier = (enum tier)(share->tier - 1);
    sqlite3_stmt *statement = VERIFY_BIND(verifier, V_CHUNKS, tier, bucket, first_user(share), share->user_to);
    enum err err = verify_step(verifier, statement, &row, fault);
    while (!err && row && !is_full(verifier, limited)) {
        if (add_chunk(verifier, share, bucket * tier_width(tier), statement))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else
            err = verify_step(verifier, statement, &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* Entries of a day and more, from those of the tier below. */
static enum err expect_chunks(struct verifier *verifier, const struct share *share, bool limited, struct fault *fault)
{
    int64_t count = tier_width(share->tier) / tier_width((enum tier)(share->tier - 1)), first = share->bucket * count;
    enum err err = OK;
    for (int64_t bucket = first; !err && !verifier->too_many && bucket < first + count; bucket++)
        err = add_chunks(verifier, share, limited, bucket, fault);
    return err;
}

static struct fold_entry traffic_entry(sqlite3_stmt *statement)
{
    return (struct fold_entry){.key = {.tier = TIER_DAY,
                                       .bucket = sqlite3_column_int64(statement, 0) / 24,
                                       .user_id = sqlite3_column_int64(statement, 1),
                                       .order_id = sqlite3_column_int64(statement, 2)},
                               .totals = row_totals(statement, 3)};
}

/* The days of traffic_day whose logs are gone, from traffic_hour. */
static enum err expect_hours(struct verifier *verifier, const struct share *share, bool limited, struct fault *fault)
{
    int64_t first = share->bucket * WINDOW_HOURS, end = first + WINDOW_HOURS, gone = verifier->kept.raw_from * 24;
    int64_t from = verifier->kept.hour_from * 24;
    sqlite3_stmt *statement = VERIFY_BIND(verifier, V_HOURS, first > from ? first : from, end < gone ? end : gone,
                                          first_user(share), share->user_to);
    bool row = true;
    enum err err = verify_step(verifier, statement, &row, fault);
    while (!err && row && !is_full(verifier, limited)) {
        struct fold_entry entry = traffic_entry(statement);
        if (fold_add(&verifier->traffic, &entry.key, &entry.totals))
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else
            err = verify_step(verifier, statement, &row, fault);
    }
    sqlite3_reset(statement);
    return err;
}

/* Hours and days from the logs, where they are kept; all else from the tier below. */
static enum err expect(struct verifier *verifier, const struct share *share, bool limited, struct fault *fault)
{
    bool is_gone = begins_before(share->tier, share->bucket, verifier->kept.raw_from);
    if (!share->entries && !share->traffic)
        return OK;
    if (share->tier <= TIER_DAY && !is_gone)
        return expect_raw(verifier, share, limited, fault);
    if (share->traffic)
        return expect_hours(verifier, share, limited, fault);
    if (are_right(verifier, share, (enum tier)(share->tier - 1)))
        return expect_chunks(verifier, share, limited, fault);
    verifier->unknown = is_gone;
    return is_gone ? OK : expect_raw(verifier, share, limited, fault);
}

enum err verify_expect(struct verifier *verifier, const struct share *share, bool limited, struct fault *fault)
{
    struct share due = *share;
    due.entries = share->entries && verify_is_closed(verifier, share->tier, share->bucket);
    due.traffic = has_traffic(verifier, share);
    fold_clear(&verifier->traffic);
    fold_clear(&verifier->entries);
    fold_clear(&verifier->pairs);
    verifier->too_many = verifier->unknown = false;
    verifier->raw_rows = 0;
    enum err err = expect(verifier, &due, limited, fault);
    fold_sort(&verifier->traffic);
    fold_sort(&verifier->entries);
    return err;
}
