/* compare.c: compares what the tables of a share hold with what they should, row by row and entry by entry, both in key
 * order. Does not know where the expected sums come from, nor how a difference is reported. */
#include "store/sqlite/care/compare.h"

#include "rollup/pack.h"
#include "store/sqlite/row.h"
#include "time/when.h"

#include "base/banned.h"

/* ---- what should be there, from the first on ---- */

struct due {
    const struct fold_entry *entries;
    size_t count;
};

static void skip(struct due *due, size_t n)
{
    due->entries += n;
    due->count -= n;
}

/* Those of one tier. The entries are sorted, tier first. */
static struct due due_of_tier(const struct fold *fold, enum tier tier)
{
    struct due due = {fold->entries, fold->count};
    while (due.count && due.entries->key.tier < (int64_t)tier)
        skip(&due, 1);
    while (due.count && due.entries[due.count - 1].key.tier > (int64_t)tier)
        due.count--;
    return due;
}

/* Sums of an older version do not know how long their logs took. */
static bool totals_equal(const struct verifier *verifier, const struct fold_key *key, const struct totals *a,
                         const struct totals *b)
{
    int64_t start = key->bucket * tier_width((enum tier)key->tier);
    bool has_durations = start >= verifier->durations_from * WHEN_HOUR;
    return (!has_durations || a->duration_ms == b->duration_ms) && a->count == b->count &&
           a->bytes_sent == b->bytes_sent && a->bytes_received == b->bytes_received && a->errors == b->errors &&
           a->max_concurrency == b->max_concurrency && a->first == b->first && a->last == b->last;
}

/* Rows come in key order. Whatever was due before this row is missing. */
static void compare_one(struct verifier *verifier, const char *table, struct due *due, const struct fold_key *key,
                        const struct totals *there)
{
    for (; due->count && fold_order(&due->entries->key, key) < 0; skip(due, 1))
        verify_differs_at(verifier, table, &due->entries->key, NULL, &due->entries->totals, NULL);
    if (!due->count || fold_order(&due->entries->key, key) != 0) {
        verify_differs_at(verifier, table, key, there, NULL, NULL);
        return;
    }
    if (!totals_equal(verifier, key, &due->entries->totals, there))
        verify_differs_at(verifier, table, key, there, &due->entries->totals, NULL);
    skip(due, 1);
}

static void compare_end(struct verifier *verifier, const char *table, struct due *due)
{
    for (; due->count; skip(due, 1))
        verify_differs_at(verifier, table, &due->entries->key, NULL, &due->entries->totals, NULL);
}

/* ---- traffic tables ---- */

/* Users' hours are made when their logs go; until then nobody reads what may be there. */
static int64_t last_user(const struct share *share, enum tier tier)
{
    return tier == TIER_HOUR && share->user_to > 0 ? 0 : share->user_to;
}

/* Is the row another share's? Days whose logs are kept are compared one by one, and the day that is being closed may
 * have some of its rows. */
static bool is_of_another(const struct verifier *verifier, const struct share *share, enum tier tier, int64_t bucket)
{
    return tier == TIER_DAY && bucket >= verifier->kept.raw_from &&
           (share->tier == TIER_16_DAYS || bucket == verifier->closed_day);
}

/* A day that has rows and was not compared: its logs have come since, or it should have none. */
static void note_day(struct verifier *verifier, int64_t day)
{
    if (verifier->days[day % 16] == NOT_SEEN)
        verifier->days[day % 16] = OVERLOOKED;
}

/* Buckets first … end - 1 of one table. */
static enum err compare_traffic(struct verifier *verifier, const struct share *share, enum tier tier, int64_t first,
                                int64_t end, struct due due, struct fault *fault)
{
    static const struct {
        const char *table;
        enum verify_statement statement;
    } tables[] = {{"traffic_quarter", V_QUARTERS}, {"traffic_hour", V_HOURS}, {"traffic_day", V_DAYS}};
    const char *table = tables[tier].table;
    bool row = true;
    sqlite3_stmt *statement =
        VERIFY_BIND(verifier, tables[tier].statement, first, end, first_user(share), last_user(share, tier));
    enum err err = verify_step(verifier, statement, &row, fault);
    while (!err && row) {
        struct fold_key key = {.tier = tier,
                               .bucket = sqlite3_column_int64(statement, 0),
                               .user_id = sqlite3_column_int64(statement, 1),
                               .order_id = sqlite3_column_int64(statement, 2)};
        struct totals there = row_totals(statement, 3);
        there.first = sqlite3_column_int64(statement, 9);
        there.last = sqlite3_column_int64(statement, 10);
        if (!is_of_another(verifier, share, tier, key.bucket))
            compare_one(verifier, table, &due, &key, &there);
        else
            note_day(verifier, key.bucket);
        err = verify_step(verifier, statement, &row, fault);
    }
    if (!err)
        compare_end(verifier, table, &due);
    sqlite3_reset(statement);
    return err;
}

/* Compares an hour: its quarters, and the hour itself, which has rows only once it is closed. */
static enum err compare_hour(struct verifier *verifier, const struct share *share, struct fault *fault)
{
    int64_t hour = share->bucket;
    struct due due = due_of_tier(&verifier->traffic, TIER_QUARTER);
    enum err err = compare_traffic(verifier, share, TIER_QUARTER, hour * 4, hour * 4 + 4, due, fault);
    due = due_of_tier(&verifier->traffic, TIER_HOUR);
    if (!verify_is_closed(verifier, TIER_HOUR, hour))
        due.count = 0;
    return err ? err : compare_traffic(verifier, share, TIER_HOUR, hour, hour + 1, due, fault);
}

/* Compares a day whose logs are kept, which has rows once it is closed; or those of the sixteen whose logs are gone,
 * from where hours are kept. */
static enum err compare_days(struct verifier *verifier, const struct share *share, struct fault *fault)
{
    int64_t days = tier_width(share->tier) / WHEN_DAY, first = share->bucket * days, from = first;
    struct due due = due_of_tier(&verifier->traffic, TIER_DAY);
    if (share->tier != TIER_DAY && from < verifier->kept.hour_from)
        from = verifier->kept.hour_from;
    if (share->tier == TIER_DAY && !verify_is_closed(verifier, TIER_DAY, first))
        due.count = 0;
    if (share->tier == TIER_DAY)
        verifier->days[first % 16] = COMPARED;
    return compare_traffic(verifier, share, TIER_DAY, from, first + days, due, fault);
}

/* ---- packed entries ---- */

/* One chunk as it stands in the table. */
struct stored_chunk {
    struct fold_key key; /* of its first entry, says the table; error stands for the kind: 0, or not */
    const void *bytes;
    size_t len;
    int64_t base;
};

/* Chunks come in order. */
struct chunk_walk {
    const struct share *share;
    struct due due;
    struct fold_key last; /* of the entry before, in this table */
    bool any;             /* there was one */
    bool lost;            /* … in a chunk that could not be read to its end: what is due next was in it, perhaps */
};

static struct stored_chunk chunk_of(const struct share *share, sqlite3_stmt *statement)
{
    return (struct stored_chunk){.key = {.tier = share->tier,
                                         .bucket = share->bucket,
                                         .user_id = sqlite3_column_int64(statement, 0),
                                         .error = sqlite3_column_int64(statement, 1),
                                         .domain = sqlite3_column_int64(statement, 2)},
                                 .bytes = sqlite3_column_blob(statement, 3),
                                 .len = (size_t)sqlite3_column_bytes(statement, 3),
                                 .base = share->bucket * tier_width(share->tier)};
}

static bool same_run(const struct fold_key *a, const struct fold_key *b)
{
    return a->user_id == b->user_id && (a->error != 0) == (b->error != 0);
}

/* An unreadable chunk counts as one difference, not as one for each of its entries: skips all that was due before the
 * next chunk begins. */
static void find_back(struct chunk_walk *walk, const struct fold_key *next)
{
    struct due *due = &walk->due;
    while (walk->lost && due->count && same_run(&due->entries->key, &walk->last) &&
           (!next || !same_run(next, &walk->last) || due->entries->key.domain < next->domain))
        skip(due, 1);
    walk->lost = false;
}

/* Why this can't be the next entry of the chunk; NULL when it can. */
static const char *misplaced(const struct chunk_walk *walk, const struct stored_chunk *chunk,
                             const struct fold_key *key, bool first)
{
    bool goes_on = walk->any && same_run(&walk->last, key);
    if (first && key->domain != chunk->key.domain)
        return "its first entry is of another domain";
    if (!same_run(&chunk->key, key))
        return "it mixes entries with and without an error";
    if (goes_on && fold_order(&walk->last, key) >= 0)
        return "its entries are out of order";
    return goes_on && first && walk->last.domain == key->domain ? "its first domain is in the chunk before, too" : NULL;
}

/* Compares entry by entry. Returns what is wrong with the chunk itself, or NULL. */
static const char *compare_orders(struct verifier *verifier, struct chunk_walk *walk, const struct stored_chunk *chunk)
{
    struct pack_reader reader;
    const char *words = chunk->key.error >> 1 ? "its kind is unknown" : chunk->len ? NULL : "it is empty";
    pack_open(&reader, chunk->bytes, chunk->len, chunk->base, true);
    struct totals totals;
    for (bool first = true; !words && pack_next(&reader, &totals); first = false) {
        struct fold_key key = reader.key;
        key.tier = chunk->key.tier;
        key.bucket = chunk->key.bucket;
        key.user_id = chunk->key.user_id;
        words = misplaced(walk, chunk, &key, first);
        if (words)
            break;
        walk->last = key;
        walk->any = true;
        if (key.domain >= walk->share->domain_from && key.domain <= walk->share->domain_to)
            compare_one(verifier, CHUNK_TABLE, &walk->due, &key, &totals);
    }
    return words || !reader.damaged ? words : "its bytes cannot be read";
}

/* Compares the sums that stand before the orders of a group; the orders themselves were found to be right. `due` has
 * all entries of the chunk. */
static const char *compare_sums(struct verifier *verifier, const struct chunk_walk *walk,
                                const struct stored_chunk *chunk, struct due due)
{
    struct pack_reader reader;
    pack_open(&reader, chunk->bytes, chunk->len, chunk->base, false);
    struct totals totals;
    while (pack_next(&reader, &totals)) {
        struct totals sum = TOTALS_NONE;
        if (reader.key.domain < walk->share->domain_from || reader.key.domain > walk->share->domain_to)
            continue;
        if (!due.count || due.entries->key.domain != reader.key.domain || due.entries->key.error != reader.key.error)
            return "its groups of orders do not follow each other";
        struct fold_key key = due.entries->key;
        size_t count = pack_group_length(due.entries, due.count);
        for (size_t i = 0; i < count; i++)
            totals_add(&sum, &due.entries[i].totals);
        skip(&due, count);
        key.order_id = 0;
        if (!totals_equal(verifier, &key, &sum, &totals))
            verify_differs_at(verifier, CHUNK_TABLE, &key, &totals, &sum, "the sums before a user's orders");
    }
    return reader.damaged || due.count ? "its bytes cannot be read" : NULL;
}

static void compare_chunk(struct verifier *verifier, struct chunk_walk *walk, const struct stored_chunk *chunk)
{
    bool is_ours = chunk->key.domain >= walk->share->domain_from && chunk->key.domain <= walk->share->domain_to;
    int64_t before = verifier->result.differences;
    find_back(walk, &chunk->key);
    struct due due = walk->due;
    const char *words = compare_orders(verifier, walk, chunk);
    due.count -= walk->due.count;
    if (!words && verifier->result.differences == before)
        words = compare_sums(verifier, walk, chunk, due);
    if (!words)
        return;
    walk->lost = true;
    walk->any = true;
    walk->last = chunk->key;
    struct fold_key key = chunk->key;
    key.error = 0;
    if (is_ours) /* the share that this domain belongs to reports it */
        verify_differs_at(verifier, CHUNK_TABLE, &key, NULL, NULL, words);
}

static enum err compare_entries(struct verifier *verifier, const struct share *share, struct fault *fault)
{
    struct chunk_walk walk = {.share = share, .due = {verifier->entries.entries, verifier->entries.count}};
    bool row = true;
    sqlite3_stmt *statement =
        VERIFY_BIND(verifier, V_CHUNKS, share->tier, share->bucket, first_user(share), last_user(share, share->tier));
    enum err err = verify_step(verifier, statement, &row, fault);
    while (!err && row) {
        struct stored_chunk chunk = chunk_of(share, statement);
        compare_chunk(verifier, &walk, &chunk);
        err = verify_step(verifier, statement, &row, fault);
    }
    sqlite3_reset(statement);
    if (err)
        return err;
    find_back(&walk, NULL);
    compare_end(verifier, CHUNK_TABLE, &walk.due);
    return OK;
}

/* ---- a share ---- */

enum err verify_compare(struct verifier *verifier, const struct share *share, struct fault *fault)
{
    enum err err = OK;
    if (has_traffic(verifier, share))
        err = share->tier == TIER_HOUR ? compare_hour(verifier, share, fault) : compare_days(verifier, share, fault);
    if (err || !share->entries || verify_may_be_half_packed(verifier, share->tier, share->bucket))
        return err;
    return compare_entries(verifier, share, fault);
}
