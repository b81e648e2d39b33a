/* log_names.c: the names of logs by their ids. Knows the table name. Does not know which logs are read. */
#include "store/sqlite/log_names.h"

#include "base/hash.h"

#include <stdlib.h>

#include "base/banned.h"

#define FIRST_SLOTS 1024u
#define MAX_TEXT_BYTES ((size_t)1 << 30)
#define KEPT_TEXT_BYTES ((size_t)8 << 20)

void log_names_release(struct log_names *names)
{
    free(names->entries);
    index_release(&names->index);
    buf_release(&names->text);
    *names = (struct log_names){0};
}

void log_names_begin(struct log_names *names)
{
    if (names->text.cap > KEPT_TEXT_BYTES)
        log_names_release(names);
    if (!names->text.max)
        buf_init(&names->text, MAX_TEXT_BYTES);
    buf_clear(&names->text);
    names->count = 0;
    index_clear(&names->index);
}

static uint64_t hash_of(int64_t id)
{
    return hash_mix((uint64_t)id ^ hash_secret(), UINT64_C(0x9e3779b97f4a7c15));
}

static bool has_id(const void *entries, size_t entry, const void *id)
{
    return ((const struct log_names_entry *)entries)[entry].id == *(const int64_t *)id;
}

static enum err grow(struct log_names *names, struct fault *fault)
{
    size_t cap = names->index.count ? names->index.count : FIRST_SLOTS / 2;
    struct log_names_entry *entries = realloc(names->entries, cap * sizeof *entries);
    if (entries)
        names->entries = entries;
    if (!entries || !index_grow(&names->index, FIRST_SLOTS))
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    for (size_t i = 0; i < names->count; i++)
        index_put(&names->index, hash_of(entries[i].id), i);
    return OK;
}

static enum err look_up(struct log_names *names, struct db *db, sqlite3_stmt *lookup, int64_t id, struct fault *fault)
{
    bool row = false;
    sqlite3_bind_int64(lookup, 1, id);
    enum err err = db_step(db, lookup, "read a name", &row, fault);
    if (err)
        return err;
    if (!row)
        return fault_set(fault, ERR_UNAVAILABLE, "a log has a name that is not there; see analyticsctl verify");
    const unsigned char *text = sqlite3_column_text(lookup, 0);
    size_t len = (size_t)sqlite3_column_bytes(lookup, 0);
    if (text) {
        names->entries[names->count++] = (struct log_names_entry){.id = id, .offset = names->text.len, .len = len};
        buf_put(&names->text, text, len + 1); /* its NUL too: so there is memory also where all are empty */
    }
    sqlite3_reset(lookup);
    return !text || names->text.failed ? fault_set(fault, ERR_UNAVAILABLE, "out of memory") : OK;
}

/* The number of the entry. */
static enum err find(struct log_names *names, struct db *db, sqlite3_stmt *lookup, int64_t id, uint32_t *ret_number,
                     struct fault *fault)
{
    if (index_is_full(&names->index, names->count) && grow(names, fault))
        return fault->err;
    uint32_t *slot = index_find(&names->index, hash_of(id), has_id, names->entries, &id);
    if (!*slot && look_up(names, db, lookup, id, fault))
        return fault->err;
    if (!*slot)
        *slot = (uint32_t)names->count;
    *ret_number = *slot - 1;
    return OK;
}

struct slice log_names_text(const struct log_names *names, uint32_t number)
{
    const struct log_names_entry *name = &names->entries[number];
    return (struct slice){names->text.data + name->offset, name->len};
}

enum err log_names_read(struct log_names *names, struct db *db, sqlite3_stmt *lookup, sqlite3_stmt *row, int first,
                        struct log_text *ret_log, struct fault *fault)
{
    for (int field = 0; field < NAME_FIELDS; field++) {
        enum err err =
            find(names, db, lookup, sqlite3_column_int64(row, first + field), &ret_log->number[field], fault);
        if (err)
            return err;
    }
    for (int field = 0; field < NAME_FIELDS; field++) /* only now: the texts stay where they are */
        ret_log->name[field] = log_names_text(names, ret_log->number[field]);
    return OK;
}
