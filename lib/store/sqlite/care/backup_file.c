/* backup_file.c: how a backup is checked, where it is made and where it is used. */
#include "store/sqlite/care/backup_file.h"

#include "db/check.h"
#include "store/sqlite/packed_log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/banned.h"

/* Tables and columns of schema step 1 only, so that a file of an older program can be backed up. */
static const char figures_sql[] =
    "SELECT printf('schema %d, logs %d, batches %d %d %d, names %d, keys %d, total %d %d %d %d, closed %d %d',"
    " (SELECT user_version FROM pragma_user_version), ?1,"
    " (SELECT count(*) FROM batch), (SELECT max(id) FROM batch), (SELECT sum(logs) FROM batch),"
    " (SELECT max(id) FROM name), (SELECT count(*) FROM batch_key), t.count, t.bytes_sent, t.bytes_received, t.errors,"
    " c.closed_hour, c.closed_day) FROM total AS t, closing AS c";

enum err backup_figures(struct db *db, char ret_figures[BACKUP_FIGURES_BYTES], int64_t *ret_logs, struct fault *fault)
{
    sqlite3_stmt *statement = NULL;
    enum err err = sqlite_count_logs(db, ret_logs, fault);
    if (err)
        return err;
    if (sqlite3_prepare_v2(db->handle, figures_sql, -1, &statement, NULL) != SQLITE_OK)
        return db_fault(db, db->path, fault);
    sqlite3_bind_int64(statement, 1, *ret_logs);
    bool row = false;
    err = db_step(db, statement, db->path, &row, fault);
    if (!err && !row)
        err = fault_set(fault, ERR_UNAVAILABLE, "%s: damaged: the tables total and closing have no row", db->path);
    if (!err)
        snprintf(ret_figures, BACKUP_FIGURES_BYTES, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    return err;
}

static void note_damage(void *ctx, const char *words, int len)
{
    fault_set(ctx, ERR_UNAVAILABLE, "the copy is damaged: %.*s", len, words);
}

enum err backup_check_file(struct db *db, struct work *work, struct fault *fault)
{
    work_step(work, "checking the copy", "", 0);
    struct fault found = {0};
    enum err err = db_check(db, "PRAGMA quick_check(1)", note_damage, &found, fault);
    if (err && watch_is_stopped(work->watch))
        return fault_stopped(fault);
    if (!err && found.err)
        *fault = found;
    return err ? err : found.err;
}

enum err backup_file_fault(const char *path, struct fault *fault)
{
    return fault_set(fault, ERR_UNAVAILABLE, "%s: %s", path, strerror(errno));
}

enum err backup_check_room(int fd, const char *name, int64_t bytes, struct fault *fault)
{
    struct statvfs room;
    if (fstatvfs(fd, &room) != 0)
        return OK; /* writing will tell */
    int64_t free_bytes = (int64_t)(room.f_bavail * room.f_frsize);
    if (free_bytes >= bytes)
        return OK;
    return fault_set(fault, ERR_UNAVAILABLE, "%s: no room: it takes %lld MiB, and %lld MiB are free", name,
                     (long long)(bytes >> 20) + 1, (long long)(free_bytes >> 20));
}
