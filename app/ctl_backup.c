/* ctl_backup.c: analyticsctl backup and restore. Knows as which user a file is read or written, and what is said of it.
 * Leaves the work to lib/store_backup.c and lib/store_restore.c. */
#include "ctl.h"

#include "ctl_text.h"
#include "store_backup.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "banned.h"

#define JSON_BYTES (16u << 10)

/* ---- what is said ---- */

static int say_json(const char *file, const struct store_backup_facts *facts, const char *kept)
{
    struct buf text;
    struct json_out out;
    buf_init(&text, JSON_BYTES);
    json_out_init(&out, &text);
    json_out_begin_object(&out);
    ctl_json_bool(&out, "ok", true);
    ctl_json_cstr(&out, "file", file);
    ctl_json_time(&out, "made_at", facts->made_at);
    ctl_json_number(&out, "bytes", facts->bytes);
    ctl_json_number(&out, "schema_version", facts->schema_version);
    ctl_json_number(&out, "logs", facts->logs);
    ctl_json_number(&out, "keys", facts->keys);
    if (kept && *kept)
        ctl_json_cstr(&out, "kept", kept);
    json_out_end_object(&out);
    return ctl_say_json(&text);
}

/* "6,000,000 logs and 4 keys". */
static void say_contents(const char *before, const struct store_backup_facts *facts, const char *after)
{
    char logs[CTL_FIGURE_BYTES], keys[CTL_FIGURE_BYTES], size[CTL_FIGURE_BYTES];
    ctl_count_text(facts->logs, logs);
    ctl_size_text(facts->bytes, size);
    if (facts->keys < 0)
        ctl_say("%s %s logs and no keys.db (%s)%s", before, logs, size, after);
    else
        ctl_say("%s %s logs and %s keys (%s)%s", before, logs, ctl_count_text(facts->keys, keys), size, after);
}

static int say_fault(const struct fault *fault, const char *stopped)
{
    if (!ctl_watch_is_stopped(NULL) || strcmp(fault->detail, "stopped") != 0)
        return ctl_fault(fault);
    ctl_fail("%s", stopped);
    return ctl_watch_status();
}

/* ---- as which user ---- */

/* Nobody but root can put another file, or a link, into the folder or into one on the way to it. */
static bool is_roots_alone(const char *folder)
{
    struct stat there;
    if (stat(folder, &there) != 0 || there.st_uid != 0)
        return false;
    if ((there.st_mode & (S_IWGRP | S_IWOTH)) && !(there.st_mode & S_ISVTX))
        return false;
    if (strcmp(folder, "/") == 0)
        return true;
    char *copy = strdup(folder);
    bool good = copy && is_roots_alone(dirname(copy));
    free(copy);
    return good;
}

static bool stays_root(const char *file)
{
    char *copy = strdup(file), *folder = copy ? realpath(dirname(copy), NULL) : NULL;
    bool stays = geteuid() == 0 && folder && is_roots_alone(folder);
    free(folder);
    free(copy);
    return stays;
}

/* Root opens the databases as their owner, so that all that SQLite makes beside them is the owner's, and goes on as
 * root only to write where nobody else can. Elsewhere root writes as the owner, too. */
static int begin(const struct ctl *ctl, const struct store_watch *watch, struct store_backup **ret_backup)
{
    struct fault fault;
    struct stat dir;
    bool is_root = stays_root(ctl->operand[0]) && stat(ctl->data_dir, &dir) == 0;
    int status = is_root ? CTL_OK : ctl_become_owner(ctl->data_dir);
    if (status)
        return status;
    if (is_root && (setegid(dir.st_gid) != 0 || seteuid(dir.st_uid) != 0))
        return ctl_fail("can't read as the owner of %s: %s", ctl->data_dir, strerror(errno));
    if (store_backup_begin(ctl->data_dir, watch, ret_backup, &fault))
        status = say_fault(&fault, "stopped; nothing was written");
    if (is_root && (seteuid(0) != 0 || setegid(0) != 0))
        status = ctl_fail("can't go on as root: %s", strerror(errno));
    return status;
}

/* ---- backup ---- */

static int write_backup(const struct ctl *ctl, struct store_backup *backup)
{
    struct fault fault;
    struct store_backup_facts facts;
    const char *file = ctl->operand[0];
    enum err err = store_backup_write(backup, file, ctl->option[CTL_FORCE] != NULL, ctl->now, &facts, &fault);
    ctl_watch_end();
    if (err)
        return say_fault(&fault, "stopped; no backup was written");
    if (ctl->option[CTL_JSON])
        return say_json(file, &facts, NULL);
    ctl_say("Wrote %s, and checked it.", file);
    say_contents("It holds", &facts, ".");
    return CTL_OK;
}

int ctl_backup(const struct ctl *ctl)
{
    struct store_backup *backup = NULL;
    struct store_watch watch = {.is_stopped = ctl_watch_is_stopped, .progress = ctl_watch_progress};
    if (!*ctl->operand[0])
        return ctl_misuse("FILE is empty");
    store_setup(true);
    ctl_watch_begin(false);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
    int status = begin(ctl, &watch, &backup);
    if (!status)
        status = write_backup(ctl, backup);
    ctl_watch_end();
    store_backup_end(backup);
    return status;
}

/* ---- restore ---- */

static int say_restored(const struct ctl *ctl, const struct store_backup_facts *facts, const char *kept)
{
    char made_at[CTL_FIGURE_BYTES];
    if (ctl->option[CTL_JSON])
        return say_json(ctl->operand[0], facts, kept);
    ctl_say("Restored the backup of %s.", ctl_time_text(facts->made_at, "?", made_at));
    say_contents("It held", facts, ".");
    if (facts->keys < 0)
        ctl_say("The keys were left as they are.");
    if (*kept)
        ctl_say("What was there before is in %s/%s; remove it when all is well.", ctl->data_dir, kept);
    ctl_say("Start analytics-ingest now; analyticsctl verify compares every report with the logs.");
    return CTL_OK;
}

static int restore(const struct ctl *ctl, int fd)
{
    struct fault fault;
    struct store_backup_facts facts;
    char kept[STORE_KEPT_BYTES];
    struct store_watch watch = {.is_stopped = ctl_watch_is_stopped, .progress = ctl_watch_progress};
    store_setup(true);
    ctl_watch_begin(false);
    signal(SIGXFSZ, SIG_IGN);
    enum err err = store_restore(ctl->data_dir, fd, ctl->option[CTL_FORCE] != NULL, &watch, &facts, kept, &fault);
    ctl_watch_end();
    return err ? say_fault(&fault, "stopped; nothing is changed") : say_restored(ctl, &facts, kept);
}

/* Root opens the backup, wherever it is, and does all else as the owner of the data folder. */
int ctl_restore(const struct ctl *ctl)
{
    struct stat dir;
    if (stat(ctl->data_dir, &dir) != 0 && errno == ENOENT)
        return ctl_fail("there is no folder %s: make it first, mode 0700, for the user of the service", ctl->data_dir);
    int fd = open(ctl->operand[0], O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return ctl_fail("%s: %s", ctl->operand[0], strerror(errno));
    int status = ctl_become_owner(ctl->data_dir);
    if (!status)
        status = restore(ctl, fd);
    close(fd);
    return status;
}
