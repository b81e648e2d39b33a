/* backup.c: analyticsctl backup and restore. Knows as which user a file is read or written, and what is said of it
 * and of the keys that a restore brings back.
 * Leaves the work to lib/store/sqlite/care/backup.c and lib/store/sqlite/care/restore.c. */
#include "ctl/ctl.h"
#include "ctl/engine.h"

#include "db/files.h"
#include "ctl/json.h"
#include "ctl/text.h"
#include "store/sqlite/care/backup.h"
#include "keys/keys.h"
#include "store/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

/* ---- what a restore does to keys ---- */

/* A key that was revoked after the backup is good again: nobody would know. Those ids are told; and how many good keys
 * are gone, because they were made after it. */
struct kept {
    char name[STORE_KEPT_BYTES]; /* the folder of what was there before; "": none */
    bool compared;               /* its keys with the restored ones */
    int64_t *good_again;
    size_t good_again_count;
    int64_t gone;
};

struct compare {
    struct key_store *keys; /* the restored ones */
    struct kept *kept;
    int64_t now;
};

static int64_t key_end(const struct api_key *key)
{
    if (key->revoked_at != 0)
        return key->revoked_at;
    return key->expires_at != 0 ? key->expires_at : INT64_MAX;
}

/* Ids are not used twice in one database of keys, but each has a first one. */
static enum err compare_key(void *ctx, const struct api_key *old)
{
    struct compare *compare = ctx;
    struct kept *kept = compare->kept;
    struct api_key key;
    struct fault ignored;
    bool found = !key_store_get(compare->keys, old->id, &key, &ignored) && key.created_at == old->created_at;
    kept->gone += !found && key_end(old) > compare->now;
    if (!found || key_end(&key) <= compare->now || key_end(&key) <= key_end(old))
        return OK;
    int64_t *ids = reallocarray(kept->good_again, kept->good_again_count + 1, sizeof *ids);
    if (!ids)
        return ERR_UNAVAILABLE;
    ids[kept->good_again_count++] = old->id;
    kept->good_again = ids;
    return OK;
}

/* The old keys may be damaged. Then nothing is compared. */
static void compare_keys(const struct ctl *ctl, struct kept *kept)
{
    char folder[CTL_PATH_BYTES];
    if (ctl_path_in(ctl, kept->name, folder))
        return;
    struct compare compare = {.kept = kept, .now = ctl->now};
    struct fault ignored;
    struct key_store *before = NULL;
    kept->compared = !key_store_open(folder, false, &before, &ignored) &&
                     !key_store_open(ctl->data_dir, false, &compare.keys, &ignored) &&
                     !key_store_list(before, compare_key, &compare, &ignored);
    key_store_close(compare.keys);
    key_store_close(before);
}

static void put_keys(struct json_object *json, const struct kept *kept)
{
    if (!kept->compared)
        return;
    struct json_object *again = ctl_json_array(json, "keys_good_again");
    for (size_t i = 0; i < kept->good_again_count; i++)
        ctl_json_push(again, kept->good_again[i]);
    ctl_json_count(json, "keys_gone", kept->gone);
}

static void say_keys(const struct kept *kept)
{
    if (!kept->compared)
        ctl_say("The keys are as they were then: keys that were revoked since are good again.");
    for (size_t i = 0; i < kept->good_again_count; i++)
        ctl_say("Key %lld was revoked or shortened since, and is as it was then: analyticsctl key revoke %lld ends it.",
                (long long)kept->good_again[i], (long long)kept->good_again[i]);
    char count[CTL_FIGURE_BYTES];
    if (kept->gone > 0)
        ctl_say("Good keys that were made since, and are gone: %s.", ctl_count_text(kept->gone, count));
}

/* ---- what is said ---- */

static int say_json(const char *file, const struct sqlite_backup_facts *facts, const struct kept *kept)
{
    struct json_object *json = ctl_json_new();
    ctl_json_bool(json, "ok", true);
    ctl_json_text(json, "file", file);
    ctl_json_time(json, "made_at", facts->made_at);
    ctl_json_count(json, "bytes", facts->bytes);
    ctl_json_count(json, "schema_version", facts->schema_version);
    ctl_json_count(json, "logs", facts->logs);
    ctl_json_count(json, "keys", facts->keys);
    if (kept && *kept->name) {
        ctl_json_text(json, "kept", kept->name);
        put_keys(json, kept);
    }
    return ctl_say_json(json);
}

/* "6,000,000 logs and 4 keys". */
static void say_contents(const char *before, const struct sqlite_backup_facts *facts, const char *after)
{
    char logs[CTL_FIGURE_BYTES], keys[CTL_FIGURE_BYTES], size[CTL_FIGURE_BYTES];
    ctl_count_text(facts->logs, logs);
    ctl_size_text(facts->bytes, size);
    if (facts->keys < 0)
        ctl_say("%s %s logs and no " FILE_KEYS " (%s)%s", before, logs, size, after);
    else
        ctl_say("%s %s logs and %s keys (%s)%s", before, logs, ctl_count_text(facts->keys, keys), size, after);
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
static int begin(const struct ctl *ctl, const struct watch *watch, struct sqlite_backup **ret_backup)
{
    struct stat dir;
    bool is_root = stays_root(ctl->operand[0]) && stat(ctl->data_dir, &dir) == 0;
    int status = is_root ? CTL_OK : ctl_become_owner(ctl->data_dir);
    if (status)
        return status;
    if (is_root && (setegid(dir.st_gid) != 0 || seteuid(dir.st_uid) != 0))
        return ctl_fail("can't read as the owner of %s: %s", ctl->data_dir, strerror(errno));
    if (is_root)
        ctl_pass_closed(ctl->data_dir);
    struct fault fault;
    status = ctl_refuse_spool(ctl, "backup", "back up ClickHouse, which has the logs");
    if (!status && sqlite_backup_begin(ctl->data_dir, watch, ret_backup, &fault))
        status = ctl_fault_of_work(&fault, "stopped; nothing was written");
    if (is_root && (seteuid(0) != 0 || setegid(0) != 0))
        status = ctl_fail("can't go on as root: %s", strerror(errno));
    return status;
}

/* ---- backup ---- */

static int write_backup(const struct ctl *ctl, struct sqlite_backup *backup)
{
    struct fault fault;
    struct sqlite_backup_facts facts;
    const char *file = ctl->operand[0];
    enum err err = sqlite_backup_write(backup, file, ctl->option[CTL_FORCE] != NULL, ctl->now, &facts, &fault);
    ctl_watch_end();
    if (err)
        return ctl_fault_of_work(&fault, "stopped; no backup was written");
    if (ctl->option[CTL_JSON])
        return say_json(file, &facts, NULL);
    ctl_say("Wrote %s, and checked it.", file);
    say_contents("It holds", &facts, ".");
    return CTL_OK;
}

int ctl_backup(const struct ctl *ctl)
{
    struct watch watch = {.is_stopped = ctl_watch_is_stopped, .progress = ctl_watch_progress};
    if (!*ctl->operand[0])
        return ctl_misuse("FILE must be the name of a file, but is empty");
    sqlite_setup(true);
    ctl_watch_begin(false);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
    struct sqlite_backup *backup = NULL;
    int status = begin(ctl, &watch, &backup);
    if (!status)
        status = write_backup(ctl, backup);
    ctl_watch_end();
    sqlite_backup_end(backup);
    return status;
}

/* ---- restore ---- */

static int say_restored(const struct ctl *ctl, const struct sqlite_backup_facts *facts, const struct kept *kept)
{
    if (ctl->option[CTL_JSON])
        return say_json(ctl->operand[0], facts, kept);
    char made_at[CTL_FIGURE_BYTES];
    ctl_say("Restored the backup of %s.", ctl_time_text(facts->made_at, "?", made_at));
    say_contents("It held", facts, ".");
    if (facts->keys < 0)
        ctl_say("The keys were left as they are.");
    if (*kept->name)
        ctl_say("What was there before is in %s/%s; remove it when all is well.", ctl->data_dir, kept->name);
    if (*kept->name && facts->keys >= 0)
        say_keys(kept);
    ctl_say("Start analytics-ingest now; analyticsctl verify compares every report with the logs.");
    return CTL_OK;
}

static int restore(const struct ctl *ctl, int fd)
{
    struct watch watch = {.is_stopped = ctl_watch_is_stopped, .progress = ctl_watch_progress};
    sqlite_setup(true);
    ctl_watch_begin(false);
    signal(SIGXFSZ, SIG_IGN);
    int status = ctl_refuse_spool(ctl, "restore", "give another data folder");
    if (status)
        return status;
    struct fault fault;
    struct sqlite_backup_facts facts;
    struct kept kept = {0};
    enum err err = sqlite_restore(ctl->data_dir, fd, ctl->option[CTL_FORCE] != NULL, &watch, &facts, kept.name, &fault);
    ctl_watch_end();
    if (err)
        return ctl_fault_of_work(&fault, "stopped; nothing is changed");
    if (*kept.name && facts.keys >= 0)
        compare_keys(ctl, &kept);
    status = say_restored(ctl, &facts, &kept);
    free(kept.good_again);
    return status;
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
