/* imports.c: verify's look at import_log: each imported log that is kept must be in it, as often as it is stored. It
 * has more than that: logs that were deleted since stay known. Knows the tables of imports. Leaves what a hash is to
 * log_hash.c. */
#include "store/sqlite/care/imports.h"

#include "time/when.h"

#include "base/banned.h"

/* A run of one second of one source, of which some logs are missing. */
static void tell(struct verifier *verifier, sqlite3_stmt *statement)
{
    char time[WHEN_TEXT_BYTES];
    const char *source = (const char *)sqlite3_column_text(statement, 0);
    when_format(sqlite3_column_int64(statement, 1), time);
    verify_differs(verifier, "import_log", true,
                   "%lld imported logs of %s (source '%s') are not known: the next import would store them again",
                   (long long)sqlite3_column_int64(statement, 2), time, source ? source : "");
}

static enum err check_quarter(struct verifier *verifier, int64_t quarter, struct fault *fault)
{
    sqlite3_stmt *statement = VERIFY_BIND(verifier, V_NOT_KNOWN, quarter);
    bool row = false;
    enum err err = verify_begin(verifier, fault);
    if (!err)
        err = verify_step(verifier, statement, &row, fault);
    while (!err && row) {
        tell(verifier, statement);
        err = verify_step(verifier, statement, &row, fault);
    }
    sqlite3_reset(statement);
    verify_end(verifier);
    return err ? err : verify_pause(verifier, fault);
}

static enum err check_rows(struct verifier *verifier, struct fault *fault)
{
    int64_t rows = 0;
    enum err err = verify_i64(verifier, verify_statement(verifier, V_IMPORTS_DAMAGED), 0, &rows, fault);
    if (!err && rows > 0)
        verify_differs(verifier, "import_log", true, "%lld rows count no log, or are of no source", (long long)rows);
    return err;
}

enum err verify_imports(struct verifier *verifier, struct fault *fault)
{
    int64_t any = 0, quarter = INT64_MAX;
    verify_next_step(verifier, "comparing what imports know", 0);
    enum err err = check_rows(verifier, fault);
    if (!err)
        err = verify_i64(verifier, verify_statement(verifier, V_ANY_IMPORT), 0, &any, fault);
    if (!err && any)
        err = verify_i64(verifier, VERIFY_BIND(verifier, V_NEXT_RAW, 0), INT64_MAX, &quarter, fault);
    while (!err && quarter < VERIFY_END / WHEN_QUARTER) {
        err = check_quarter(verifier, quarter, fault);
        if (!err)
            err = verify_i64(verifier, VERIFY_BIND(verifier, V_NEXT_RAW, quarter + 1), INT64_MAX, &quarter, fault);
    }
    return err;
}
