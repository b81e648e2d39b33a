/* parts.c: is each part of log_part as it was written, and does its row say what is in it? Knows that table alone. */
#include "store/sqlite/care/audit.h"

#include "base/int64.h"
#include "part/part.h"
#include "time/when.h"

#include <stdlib.h>

#include "base/banned.h"

/* Read in one transaction. */
#define PARTS_AT_ONCE 200

/* What is wrong with the statement's row; NULL: nothing. */
static const char *find_fault(struct part *part, sqlite3_stmt *statement)
{
    int64_t first = INT64_MAX, last = INT64_MIN;
    if (!part_open(part, sqlite3_column_blob(statement, 6), (size_t)sqlite3_column_bytes(statement, 6)))
        return "its logs are damaged";
    if ((int64_t)part->logs != sqlite3_column_int64(statement, 5))
        return "it has another number of logs";
    for (size_t i = 0; i < part->logs; i++) {
        int64_t second = part_number(part, PART_QUARTER, i) * WHEN_QUARTER + part_number(part, PART_SECOND, i);
        if (second < last)
            return "its logs are not in order of time";
        first = min64(first, second);
        last = max64(last, second);
    }
    if (first != sqlite3_column_int64(statement, 3) || last != sqlite3_column_int64(statement, 4))
        return "its logs are of another time";
    return NULL;
}

/* Some parts after *id, which becomes the last of them; *ret_more: there may be others. */
static enum err check_some(struct verifier *verifier, struct part *part, int64_t *id, bool *ret_more,
                           struct fault *fault)
{
    sqlite3_stmt *statement = VERIFY_BIND(verifier, V_PARTS, *id, PARTS_AT_ONCE);
    int count = 0;
    enum err err = verify_step(verifier, statement, ret_more, fault);
    for (; !err && *ret_more; count++) {
        const char *words = find_fault(part, statement);
        *id = sqlite3_column_int64(statement, 0);
        if (words)
            verify_differs(verifier, "log_part", true, "row %lld, user %lld, day %lld: %s", (long long)*id,
                           (long long)sqlite3_column_int64(statement, 2), (long long)sqlite3_column_int64(statement, 1),
                           words);
        verifier->parts_bad |= words != NULL;
        verifier->work.progress.done += sqlite3_column_int64(statement, 5);
        err = verify_step(verifier, statement, ret_more, fault);
    }
    sqlite3_reset(statement);
    *ret_more = count == PARTS_AT_ONCE;
    return err;
}

enum err verify_parts(struct verifier *verifier, struct fault *fault)
{
    struct part *part = malloc(sizeof *part);
    if (!part)
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    int64_t id = INT64_MIN, logs = 0;
    bool more = true;
    enum err err = verify_i64(verifier, verify_statement(verifier, V_PACKED_LOGS), 0, &logs, fault);
    verify_next_step(verifier, "reading packed logs", logs);
    while (!err && more) {
        err = check_some(verifier, part, &id, &more, fault);
        if (!err)
            err = verify_pause(verifier, fault);
    }
    free(part);
    return err;
}
