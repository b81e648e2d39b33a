/* import_log.c: the table import_log. Knows how a batch falls into seconds, and how logs of versions before this table
 * get into it. Leaves what is the same log to log/import_match.c. */
#include "store/sqlite/write/import_log.h"

#include "log/import_mark.h"
#include "time/when.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* A log of the batch. */
struct import_line {
    int64_t second, hash;
    uint32_t index;
};

/* A change of a row of import_log. */
struct import_record {
    int64_t second;
    struct import_change change;
};

/* The time of which it can't be told whether its logs are known. */
struct unclear {
    bool any, by_pruning;
    int64_t from, to;
};

/* ---- memory ---- */

static enum err out_of_memory(struct fault *fault)
{
    return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
}

/* What was there is not kept. */
static enum err reserve_lines(struct writer_import *import, size_t count, struct fault *fault)
{
    if (count <= import->cap)
        return OK;
    free(import->known);
    free(import->lines);
    free(import->now);
    free(import->known_of);
    import->known = calloc(count, sizeof *import->known);
    import->lines = calloc(count, sizeof *import->lines);
    import->now = calloc(count, sizeof *import->now);
    import->known_of = calloc(count, sizeof *import->known_of);
    bool all = import->known && import->lines && import->now && import->known_of;
    import->cap = all ? count : 0;
    return all ? OK : out_of_memory(fault);
}

static enum err reserve_stored(struct writer_import *import, size_t count, struct fault *fault)
{
    if (count <= import->stored_cap)
        return OK;
    struct import_entry *stored = realloc(import->stored, count * 2 * sizeof *stored);
    if (!stored)
        return out_of_memory(fault);
    import->stored = stored;
    import->stored_cap = count * 2;
    return OK;
}

static enum err reserve_records(struct writer_import *import, size_t more, struct fault *fault)
{
    size_t needed = import->record_count + more;
    if (needed <= import->record_cap)
        return OK;
    struct import_record *records = realloc(import->records, needed * 2 * sizeof *records);
    if (!records)
        return out_of_memory(fault);
    import->records = records;
    import->record_cap = needed * 2;
    return OK;
}

void sqlite_import_release(struct writer_import *import)
{
    free(import->known);
    free(import->lines);
    free(import->now);
    free(import->known_of);
    free(import->stored);
    free(import->records);
}

/* ---- the batch by seconds ---- */

static int compare_lines(const void *left, const void *right)
{
    const struct import_line *a = left, *b = right;
    if (a->second != b->second)
        return a->second < b->second ? -1 : 1;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return (a->index > b->index) - (a->index < b->index);
}

/* The batch's logs from `first` on, in writer->import.lines; none is known yet. */
static enum err begin(struct sqlite_writer *writer, const struct batch *batch, uint32_t first, const char *source,
                      struct fault *fault)
{
    struct writer_import *import = &writer->import;
    import->record_count = 0;
    enum err err = sqlite_resolve_text(&writer->names, slice_of(source), &import->source, fault);
    if (!err)
        err = reserve_lines(import, batch->log_count, fault);
    if (err)
        return err;
    for (uint32_t i = 0; i < batch->log_count; i++)
        import->known[i] = i < first;
    for (uint32_t i = first; i < batch->log_count; i++)
        import->lines[i - first] =
            (struct import_line){.second = batch->logs[i].ts, .hash = import_log_hash(batch, i), .index = i};
    if (batch->log_count > first)
        qsort(import->lines, batch->log_count - first, sizeof *import->lines, compare_lines);
    return OK;
}

/* A run of lines of one second. */
struct second {
    const struct import_line *lines;
    size_t count;
    bool is_first;
};

static struct second second_at(const struct writer_import *import, size_t at, size_t end)
{
    struct second second = {.lines = import->lines + at, .is_first = at == 0};
    while (at + second.count < end && second.lines[second.count].second == second.lines->second)
        second.count++;
    return second;
}

/* Equal logs become one entry of import->now; returns how many entries there are. */
static size_t count_equal(struct writer_import *import, const struct second *second)
{
    size_t count = 0;
    for (size_t i = 0; i < second->count; i++) {
        if (count == 0 || import->now[count - 1].hash != second->lines[i].hash)
            import->now[count++] = (struct import_entry){.hash = second->lines[i].hash};
        import->now[count - 1].count++;
    }
    return count;
}

/* ---- what is stored of a second ---- */

static enum err load(struct sqlite_writer *writer, const struct second *second, bool is_part, size_t *ret_count,
                     struct fault *fault)
{
    struct writer_import *import = &writer->import;
    sqlite3_stmt *statement = sql_of(&writer->db, W_IMPORT_FIND);
    size_t count = 0;
    bool row = false;
    BIND_ALL(statement, import->source, second->lines->second, is_part ? second->lines->hash : INT64_MIN,
             is_part ? second->lines[second->count - 1].hash : INT64_MAX);
    enum err err = db_step(&writer->db, statement, "look for imported logs", &row, fault);
    while (!err && row) {
        err = reserve_stored(import, count + 1, fault);
        if (err)
            break;
        import->stored[count++] = (struct import_entry){.hash = sqlite3_column_int64(statement, 0),
                                                        .edges = sqlite3_column_int(statement, 1),
                                                        .count = sqlite3_column_int64(statement, 2)};
        err = db_step(&writer->db, statement, "look for imported logs", &row, fault);
    }
    sqlite3_reset(statement);
    *ret_count = count;
    return err;
}

/* ---- versions before this table ---- */

static bool is_pruned(const struct sqlite_writer *writer, int64_t quarter)
{
    return quarter < writer->closed.horizons.raw_from * WHEN_QUARTERS_OF_DAY;
}

/* *ret_gone: what old versions imported of this quarter can't be known any more. */
static enum err take_over(struct sqlite_writer *writer, int64_t quarter, bool *ret_gone, struct fault *fault)
{
    int64_t is_read = 0;
    enum err err = sqlite_lookup(&writer->db, W_IMPORT_IS_READ, quarter, 0, &is_read, fault);
    *ret_gone = !is_read && is_pruned(writer, quarter);
    if (err || is_read || *ret_gone)
        return err;
    sqlite3_bind_int64(sql_of(&writer->db, W_IMPORT_READ), 1, quarter);
    sqlite3_bind_int64(sql_of(&writer->db, W_IMPORT_SET_READ), 1, quarter);
    err = db_run(&writer->db, sql_of(&writer->db, W_IMPORT_READ), "take over imported logs", fault);
    return err ? err : db_run(&writer->db, sql_of(&writer->db, W_IMPORT_SET_READ), "take over imported logs", fault);
}

enum err sqlite_import_take_over(struct sqlite_writer *writer, int64_t quarter, struct fault *fault)
{
    bool ignored;
    return writer->import.has_old ? take_over(writer, quarter, &ignored, fault) : OK;
}

/* Old versions knew no sources. */
static enum err look_back(struct sqlite_writer *writer, int64_t second, bool *ret_gone, struct fault *fault)
{
    *ret_gone = false;
    if (!writer->import.has_old || writer->import.source != 0)
        return OK;
    return take_over(writer, when_floor(second, WHEN_QUARTER) / WHEN_QUARTER, ret_gone, fault);
}

/* Is each of import->now stored, whatever is gone? */
static bool holds_all(const struct writer_import *import, const struct import_second *second)
{
    size_t at = 0;
    for (size_t i = 0; i < second->now_count; i++) {
        int64_t count = 0;
        for (; at < second->known_count && import->stored[at].hash <= import->now[i].hash; at++)
            count += import->stored[at].hash == import->now[i].hash ? import->stored[at].count : 0;
        if (count < import->now[i].count + (i == 0 ? second->base : 0))
            return false;
    }
    return true;
}

/* ---- a second ---- */

/* The first logs of each hash are the known ones. */
static void mark_known(struct writer_import *import, const struct second *second, struct store_item *item)
{
    size_t entry = 0;
    int64_t left = import->known_of[0];
    for (size_t i = 0; i < second->count; i++) {
        if (import->now[entry].hash != second->lines[i].hash)
            left = import->known_of[++entry];
        if (left-- <= 0)
            continue;
        import->known[second->lines[i].index] = true;
        item->already++;
    }
}

/* A second of which old logs are gone: they are taken for known, or for others. */
static void skip_second(struct writer_import *import, const struct second *second, size_t now_count,
                        struct store_item *item)
{
    for (size_t i = 0; i < now_count; i++)
        import->known_of[i] = import->now[i].count;
    mark_known(import, second, item);
}

static enum err note_changes(struct writer_import *import, int64_t second, const struct import_change *changes,
                             size_t count, struct fault *fault)
{
    enum err err = reserve_records(import, count, fault);
    for (size_t i = 0; i < count && !err; i++)
        import->records[import->record_count++] = (struct import_record){.second = second, .change = changes[i]};
    return err;
}

static void note_unclear(struct unclear *unclear, int64_t second, bool by_pruning)
{
    if (!unclear->any || second < unclear->from)
        unclear->from = second;
    if (!unclear->any || second > unclear->to)
        unclear->to = second;
    unclear->any = true;
    unclear->by_pruning |= by_pruning;
}

static enum err match(struct writer_import *import, struct store_item *item, const struct second *second,
                      const struct import_second *both, enum import_overlap overlap, struct unclear *unclear,
                      struct fault *fault)
{
    size_t changes_count = 0;
    struct import_change *changes = calloc(both->now_count + 2 * both->known_count, sizeof *changes);
    if (!changes)
        return out_of_memory(fault);
    enum err err = OK;
    if (import_match(both, overlap, import->known_of, changes, &changes_count)) {
        mark_known(import, second, item);
        err = note_changes(import, second->lines->second, changes, changes_count, fault);
    } else {
        note_unclear(unclear, second->lines->second, false);
    }
    free(changes);
    return err;
}

static enum err compare_second(struct sqlite_writer *writer, struct store_item *item, const struct import_batch *batch,
                               const struct second *second, struct unclear *unclear, struct fault *fault)
{
    struct writer_import *import = &writer->import;
    bool gone = false;
    size_t known_count = 0, now_count = count_equal(import, second);
    enum err err = look_back(writer, second->lines->second, &gone, fault);
    if (!err)
        err = load(writer, second, batch->is_part, &known_count, fault);
    if (err)
        return err;
    struct import_second both = {.known = import->stored,
                                 .known_count = known_count,
                                 .now = import->now,
                                 .now_count = now_count,
                                 .edges = import_edges(batch, second->lines->second),
                                 .repeats = batch->repeats,
                                 .mixed = batch->mixed,
                                 .is_part = batch->is_part,
                                 .base = second->is_first ? batch->base : 0};
    if (!gone || batch->overlap == IMPORT_COUNT || holds_all(import, &both))
        return match(import, item, second, &both, batch->overlap, unclear, fault);
    if (batch->overlap == IMPORT_SKIP)
        skip_second(import, second, now_count, item);
    else
        note_unclear(unclear, second->lines->second, true);
    return OK;
}

static enum err refuse(const struct sqlite_writer *writer, const struct unclear *unclear, struct store_item *item)
{
    char from[WHEN_TEXT_BYTES], to[WHEN_TEXT_BYTES], kept[WHEN_TEXT_BYTES];
    when_format(unclear->from, from);
    when_format(unclear->to, to);
    when_format(writer->closed.horizons.raw_from * WHEN_DAY, kept);
    item->already = 0;
    if (unclear->by_pruning)
        return fault_set(&item->fault, ERR_IMPORT_UNCLEAR,
                         "logs of %s to %s may have been imported by an earlier version of this program; it can't be "
                         "told, because single logs are kept from %.10s on",
                         from, to, kept);
    return fault_set(&item->fault, ERR_IMPORT_UNCLEAR,
                     "of %s to %s this source has brought logs before; some of those that come now are equal to "
                     "them, and it can't be told whether they are the same",
                     from, to);
}

enum err sqlite_import_compare(struct sqlite_writer *writer, struct store_item *item, const struct import_batch *batch,
                               struct fault *fault)
{
    struct unclear unclear = {.any = false};
    size_t end = item->batch->log_count;
    enum err err = begin(writer, item->batch, 0, batch->source, fault);
    for (size_t at = 0; at < end && !err;) {
        struct second second = second_at(&writer->import, at, end);
        err = compare_second(writer, item, batch, &second, &unclear, fault);
        at += second.count;
    }
    if (!err && unclear.any)
        item->result = refuse(writer, &unclear, item);
    return err;
}

enum err sqlite_import_note(struct sqlite_writer *writer, const struct store_item *item, struct fault *fault)
{
    size_t end = item->batch->log_count - item->already;
    enum err err = begin(writer, item->batch, item->already, "", fault);
    for (size_t i = 0; i < end && !err; i++) {
        const struct import_line *line = &writer->import.lines[i];
        err = note_changes(&writer->import, line->second, &(struct import_change){.hash = line->hash, .count = 1}, 1,
                           fault);
    }
    return err;
}

/* ---- remembering ---- */

static enum err change_row(struct sqlite_writer *writer, int64_t source, int64_t second,
                           const struct import_change *change, struct fault *fault)
{
    sqlite3_stmt *add = sql_of(&writer->db, W_IMPORT_ADD), *drop = sql_of(&writer->db, W_IMPORT_DROP);
    BIND_ALL(add, source, second, change->hash, change->edges, change->count);
    enum err err = db_run(&writer->db, add, "remember an imported log", fault);
    if (err || change->count >= 0)
        return err;
    BIND_ALL(drop, source, second, change->hash, change->edges);
    return db_run(&writer->db, drop, "forget an imported log", fault);
}

enum err sqlite_import_record(struct sqlite_writer *writer, int64_t batch_id, struct fault *fault)
{
    struct writer_import *import = &writer->import;
    sqlite3_stmt *statement = sql_of(&writer->db, W_IMPORT_BATCH_ADD);
    enum err err = OK;
    if (batch_id != 0) {
        BIND_ALL(statement, batch_id, import->source);
        err = db_run(&writer->db, statement, "note the batch of an import", fault);
    }
    for (size_t i = 0; i < import->record_count && !err; i++)
        err = change_row(writer, import->source, import->records[i].second, &import->records[i].change, fault);
    return err;
}

enum err sqlite_import_forget(struct sqlite_writer *writer, int64_t source, int64_t second, int64_t hash, int64_t count,
                              struct fault *fault)
{
    struct import_line line = {.second = second, .hash = hash};
    size_t entries = 0;
    writer->import.source = source;
    enum err err = load(writer, &(struct second){.lines = &line, .count = 1}, true, &entries, fault);
    for (size_t i = 0; i < entries && count > 0 && !err; i++) {
        const struct import_entry *entry = &writer->import.stored[i];
        int64_t less = entry->count < count ? entry->count : count;
        struct import_change change = {.hash = hash, .edges = entry->edges, .count = -less};
        err = change_row(writer, source, second, &change, fault);
        count -= less;
    }
    return err;
}
