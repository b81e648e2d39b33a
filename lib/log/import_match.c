/* import_match.c: one second of what is stored against the same second of what comes. */
#include "log/import_match.h"

#include "base/banned.h"

/* A run of entries of one hash. */
struct entry_run {
    const struct import_entry *entries;
    size_t count;
};

/* What both have, if equal logs are the same ones; and if those that may be neighbours are not. */
struct common {
    int64_t all, sure;
    int64_t now, known; /* logs in all */
    bool open;          /* the known ones in common are of a piece that begins or ends here */
    bool repeats;
};

/* The known log may be the last one before the piece, or the first one after it. Pieces that begin in the same second
 * are taken for the same file, which has grown. */
static bool is_neighbour(int known, int now)
{
    if (known & now & IMPORT_BEGINS)
        return false;
    return (known & IMPORT_ENDS && now & IMPORT_BEGINS) || (known & IMPORT_BEGINS && now & IMPORT_ENDS);
}

/* The known entries of this hash; *at moves on. */
static struct entry_run run_of(const struct import_second *second, int64_t hash, size_t *at)
{
    while (*at < second->known_count && second->known[*at].hash < hash)
        ++*at;
    struct entry_run run = {.entries = second->known + *at};
    while (*at < second->known_count && second->known[*at].hash == hash) {
        ++*at;
        run.count++;
    }
    return run;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t base_of(const struct import_second *second, size_t i)
{
    return i == 0 ? second->base : 0;
}

/* How many logs of now[i] are known; `sure`: not counting neighbours. */
static int64_t count_known(const struct import_second *second, size_t i, const struct entry_run *run, bool sure)
{
    int64_t known = -base_of(second, i);
    for (size_t at = 0; at < run->count; at++)
        if (!sure || !is_neighbour(run->entries[at].edges, second->edges))
            known += run->entries[at].count;
    return known > 0 ? least(known, second->now[i].count) : 0;
}

static void add_run(const struct import_second *second, size_t now, const struct entry_run *run, struct common *common)
{
    common->all += count_known(second, now, run, false);
    common->sure += count_known(second, now, run, true);
    common->now += second->now[now].count;
    common->repeats |= second->now[now].count + base_of(second, now) > 1;
    for (size_t i = 0; i < run->count; i++)
        common->open |= run->entries[i].edges != 0;
}

static struct common compare(const struct import_second *second)
{
    struct common common = {.repeats = second->repeats};
    size_t at = 0;
    for (size_t i = 0; i < second->now_count; i++) {
        struct entry_run run = run_of(second, second->now[i].hash, &at);
        add_run(second, i, &run, &common);
    }
    for (size_t i = 0; i < second->known_count; i++) {
        common.known += second->known[i].count;
        common.repeats |= second->known[i].count > 1 || (i > 0 && second->known[i].hash == second->known[i - 1].hash);
    }
    return common;
}

/* What is taken for known: all that is equal, what is sure alone, or nothing. */
enum match_taken { TAKE_ALL, TAKE_SURE, TAKE_NONE };

static bool decide(const struct import_second *second, enum import_overlap overlap, enum match_taken *ret_taken)
{
    struct common common = compare(second);
    bool is_chance = common.all != common.sure && common.repeats;
    bool is_piece = common.all == 0 || common.all == common.now || common.all == common.known || common.open ||
                    second->is_part || (second->mixed && !common.repeats);
    *ret_taken = TAKE_ALL;
    if (is_piece && !is_chance)
        return true;
    if (overlap == IMPORT_COUNT)
        *ret_taken = is_chance ? TAKE_SURE : TAKE_NONE;
    return overlap != IMPORT_REFUSE;
}

/* ---- what becomes of the entries ---- */

struct changes {
    struct import_change *changes;
    size_t count;
};

static void change(struct changes *changes, int64_t hash, int edges, int64_t count)
{
    changes->changes[changes->count++] = (struct import_change){.hash = hash, .edges = edges, .count = count};
}

/* Which entry comes first: that of the same file, one that is no neighbour, a neighbour. */
#define RANKS 3
static int rank_of(int known, int now)
{
    if (known == now)
        return 0;
    return is_neighbour(known, now) ? 2 : 1;
}

/* An edge is one no more when a piece goes on there. */
static void join(const struct import_entry *entry, int64_t count, int edges, struct changes *changes)
{
    if (count == 0 || (entry->edges & edges) == entry->edges)
        return;
    change(changes, entry->hash, entry->edges, -count);
    change(changes, entry->hash, entry->edges & edges, count);
}

static void join_run(const struct entry_run *run, int64_t known, int edges, struct changes *changes)
{
    for (int rank = 0; rank < RANKS; rank++)
        for (size_t i = 0; i < run->count && known > 0; i++)
            if (rank_of(run->entries[i].edges, edges) == rank) {
                int64_t count = least(known, run->entries[i].count);
                join(&run->entries[i], count, edges, changes);
                known -= count;
            }
}

bool import_match(const struct import_second *second, enum import_overlap overlap, int64_t *ret_known,
                  struct import_change *ret_changes, size_t *ret_change_count)
{
    enum match_taken taken;
    struct changes changes = {.changes = ret_changes};
    size_t at = 0;
    if (!decide(second, overlap, &taken))
        return false;
    for (size_t i = 0; i < second->now_count; i++) {
        const struct import_entry *now = &second->now[i];
        struct entry_run run = run_of(second, now->hash, &at);
        ret_known[i] = taken == TAKE_NONE ? 0 : count_known(second, i, &run, taken == TAKE_SURE);
        join_run(&run, ret_known[i], second->edges, &changes);
        if (now->count > ret_known[i])
            change(&changes, now->hash, second->edges, now->count - ret_known[i]);
    }
    *ret_change_count = changes.count;
    return true;
}
