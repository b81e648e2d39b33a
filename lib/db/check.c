/* check.c: SQLite's own checks of a file. SQLite reports only words, and these alone show whether a page is damaged or
 * could not be read. Nobody else looks at these words. */
#include "db/check.h"

#include <string.h>

#include "base/banned.h"

/* As of SQLite 3.40.1 (btree.c): a failed read, or no memory for it. */
static bool is_unread(const char *words)
{
    return strstr(words, "unable to get the page") || strstr(words, "failed to get page") ||
           strstr(words, "Failed to read ptrmap");
}

/* One row of the answer: "ok", or a line for each thing that is wrong, perhaps below a title. */
static void tell_lines(const char *words, void (*damage)(void *ctx, const char *words, int len), void *ctx)
{
    bool is_ok = strcmp(words, "ok") == 0;
    while (*words) {
        int len = (int)strcspn(words, "\n");
        if (!is_ok && *words != '*') /* a title: "*** in database main ***" */
            damage(ctx, words, len);
        words += words[len] ? len + 1 : len;
    }
}

enum err db_check(struct db *db, const char *pragma, void (*damage)(void *ctx, const char *words, int len), void *ctx,
                  struct fault *fault)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db->handle, pragma, -1, &statement, NULL) != SQLITE_OK)
        return db_fault(db, pragma, fault);
    bool row = true;
    enum err err = db_step(db, statement, db->path, &row, fault);
    while (!err && row) {
        const char *words = (const char *)sqlite3_column_text(statement, 0);
        if (!words)
            err = fault_set(fault, ERR_UNAVAILABLE, "out of memory");
        else if (is_unread(words))
            err = fault_set(fault, ERR_UNAVAILABLE, "the file can't be read: %s", words);
        else
            tell_lines(words, damage, ctx);
        if (!err)
            err = db_step(db, statement, db->path, &row, fault);
    }
    sqlite3_finalize(statement);
    return err;
}
