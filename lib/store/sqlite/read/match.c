/* match.c: which logs and packed entries pass the conditions that no statement has. Knows names by their ids, and what
 * excludes. Does not know which rows are read, nor why. */
#include "store/sqlite/read/match.h"

#include "log/domain.h"
#include "store/sqlite/read/names.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define MOST_KNOWN ((int64_t)1 << 26) /* a name with a greater id, which only a damaged file has, is read each time */

enum known { KNOWN_NOT, KNOWN_PASSES, KNOWN_FAILS };

/* ---- domains ---- */

static bool has_domain_conditions(const struct report_filter *filter)
{
    return (filter->has_domain && filter->is_below) || filter->without[BY_DOMAIN].is_set;
}

static bool domain_passes(const struct report_filter *filter, struct slice domain)
{
    const struct report_term *without = &filter->without[BY_DOMAIN];
    if (without->is_set && domain_is(domain, without->text, without->is_below))
        return false;
    return !filter->has_domain || domain_is(domain, filter->domain, filter->is_below);
}

static enum err make_room(struct match *match, size_t id, struct fault *fault)
{
    if (id < match->domain_count)
        return OK;
    size_t count = 2 * id + 1024;
    unsigned char *domains = realloc(match->domains, count);
    if (!domains)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    memset(domains + match->domain_count, KNOWN_NOT, count - match->domain_count);
    match->domains = domains;
    match->domain_count = count;
    return OK;
}

static enum err look_up(struct sqlite_reader *reader, const struct match *match, int64_t id, bool *ret_passes,
                        struct fault *fault)
{
    char *name = NULL;
    enum err err = scan_name(reader, id, &name, fault);
    if (!err)
        *ret_passes = domain_passes(match->filter, slice_of(name));
    free(name);
    return err;
}

enum err match_domain(struct sqlite_reader *reader, struct match *match, int64_t id, bool *ret_passes,
                      struct fault *fault)
{
    *ret_passes = true;
    if (!has_domain_conditions(match->filter))
        return OK;
    if (id < 0 || id > MOST_KNOWN)
        return look_up(reader, match, id, ret_passes, fault);
    enum err err = make_room(match, (size_t)id, fault);
    if (!err && match->domains[id] == KNOWN_NOT) {
        err = look_up(reader, match, id, ret_passes, fault);
        match->domains[id] = err ? KNOWN_NOT : *ret_passes ? KNOWN_PASSES : KNOWN_FAILS;
    }
    if (!err)
        *ret_passes = match->domains[id] == KNOWN_PASSES;
    return err;
}

/* ---- the conditions ---- */

enum err match_begin(struct sqlite_reader *reader, const struct report_filter *filter, struct match **ret_match,
                     struct fault *fault)
{
    *ret_match = NULL;
    if (!filter_has_conditions(filter))
        return OK;
    struct match *match = calloc(1, sizeof *match);
    if (!match)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    match->filter = filter;
    *ret_match = match;
    enum err err = OK;
    for (enum dimension by = 0; !err && by < DIMENSIONS; by++) {
        const struct report_term *without = &filter->without[by];
        match->without[by] = INT64_MIN;
        if (without->is_set && dimensions[by].kind == VALUE_NAME && by != BY_DOMAIN)
            err = scan_find_name(reader, without->text, &match->without[by], fault);
    }
    return err;
}

void match_free(struct match *match)
{
    if (!match)
        return;
    free(match->domains);
    free(match);
}

static bool is_number(const struct match *match, enum dimension by, int64_t number)
{
    return match->filter->without[by].is_set && match->filter->without[by].number == number;
}

bool match_user(const struct match *match, int64_t user)
{
    return !match || !is_number(match, BY_USER, user);
}

enum err match_entry(struct sqlite_reader *reader, struct match *match, const struct fold_key *key, bool *ret_passes,
                     struct fault *fault)
{
    *ret_passes = key->error != match->without[BY_ERROR] && !is_number(match, BY_ORDER, key->order_id);
    return *ret_passes ? match_domain(reader, match, key->domain, ret_passes, fault) : OK;
}

static bool is_address(sqlite3_stmt *statement, int column, const struct ip *ip)
{
    int len = sqlite3_column_bytes(statement, column);
    return len == ip->len && (len == 0 || memcmp(sqlite3_column_blob(statement, column), ip->bytes, (size_t)len) == 0);
}

static bool is_excluded(const struct match *match, enum dimension by, sqlite3_stmt *statement, int column)
{
    const struct report_term *without = &match->filter->without[by];
    if (!without->is_set)
        return false;
    switch (dimensions[by].kind) {
    case VALUE_NAME:
        return sqlite3_column_int64(statement, column) == match->without[by];
    case VALUE_NUMBER:
        return sqlite3_column_int64(statement, column) == without->number;
    case VALUE_ADDRESS:
        return is_address(statement, column, &without->ip);
    }
    return false;
}

enum err match_log(struct sqlite_reader *reader, struct match *match, sqlite3_stmt *statement, int values,
                   bool *ret_passes, struct fault *fault)
{
    *ret_passes = false;
    for (enum dimension by = 0; by < DIMENSIONS; by++)
        if (is_excluded(match, by, statement, values + (int)by))
            return OK;
    return match_domain(reader, match, sqlite3_column_int64(statement, values + BY_DOMAIN), ret_passes, fault);
}
