/* match.h: the conditions of a filter that no statement has: domains below one, and whatever is excluded. Private to
 * this room. */
#ifndef STORE_SQLITE_READ_MATCH_H
#define STORE_SQLITE_READ_MATCH_H

#include "rollup/fold.h"
#include "store/sqlite/read/reader.h"

/* The conditions of one question. What is known of a domain is kept under its id, so that its name is read once. */
struct match {
    const struct report_filter *filter;
    int64_t without[DIMENSIONS]; /* the name.id of each excluded text; INT64_MIN where no log has it, or none is */
    unsigned char *domains;      /* by name.id: 0 where nothing is known yet */
    size_t domain_count;
};

/* *ret_match is NULL for a filter without such conditions. To be freed by match_free, also after an error. */
enum err match_begin(struct sqlite_reader *reader, const struct report_filter *filter, struct match **ret_match,
                     struct fault *fault);
void match_free(struct match *match);

/* Is the user not excluded? */
bool match_user(const struct match *match, int64_t user);

/* Does a domain pass, by its name.id? */
enum err match_domain(struct sqlite_reader *reader, struct match *match, int64_t id, bool *ret_passes,
                      struct fault *fault);

/* Does a packed entry pass? By its domain, its error and its order. */
enum err match_entry(struct sqlite_reader *reader, struct match *match, const struct fold_key *key, bool *ret_passes,
                     struct fault *fault);

/* Does a log? `values`: the column of the first dimension; all follow, in their order. */
enum err match_log(struct sqlite_reader *reader, struct match *match, sqlite3_stmt *statement, int values,
                   bool *ret_passes, struct fault *fault);

#endif
