/* init.c: analyticsctl init. Knows what a data folder holds at first and whose it must be. Run again, it makes only
 * what is missing, and the first keys once. */
#include "ctl/ctl.h"

#include "ctl/key_file.h"
#include "db/files.h"
#include "store/sqlite/sqlite.h"
#include "keys/keys.h"
#include "process/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

static bool exists(const char *path)
{
    struct stat ignored;
    return lstat(path, &ignored) == 0;
}

/* ---- whose it is ---- */

/* The user named by --owner; *ret_owner is NULL without one. */
static int find_owner(const struct ctl *ctl, const struct passwd **ret_owner)
{
    const char *name = ctl->option[CTL_OWNER];
    if (!name)
        return CTL_OK;
    const struct passwd *owner = getpwnam(name);
    if (!owner)
        return ctl_fail("there is no user '%s'", name);
    if (geteuid() != 0 && geteuid() != owner->pw_uid)
        return ctl_fail("only root can make a data folder for user %s", name);
    *ret_owner = owner;
    return CTL_OK;
}

/* By descriptor, so that a link put in its place meanwhile gains nobody anything. */
static bool give_folder(const char *path, const struct passwd *owner)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool done = fd >= 0 && fchown(fd, owner->pw_uid, owner->pw_gid) == 0;
    if (fd >= 0)
        close(fd);
    return done;
}

static int make_folder(const char *path, const struct passwd *owner)
{
    bool made = mkdir(path, 0700) == 0;
    if (!made && errno == EEXIST)
        return CTL_OK;
    if (!made)
        return errno == EROFS ? ctl_fail(SETTINGS_READ_ONLY, path)
                              : ctl_fail("can't make folder %s: %s", path, strerror(errno));
    if (owner && !give_folder(path, owner))
        return ctl_fail("can't give %s to user %s: %s", path, owner->pw_name, strerror(errno));
    ctl_say("made %s", path);
    return CTL_OK;
}

static int check_owner(const char *path, const struct passwd *owner)
{
    struct stat dir;
    if (!owner || stat(path, &dir) < 0 || dir.st_uid == owner->pw_uid)
        return CTL_OK;
    return ctl_fail("%s was there before and is not %s's; run: chown %s %s", path, owner->pw_name, owner->pw_name,
                    path);
}

/* ---- what it holds ---- */

static int make_log_database(const struct ctl *ctl)
{
    char path[CTL_PATH_BYTES];
    int status = ctl_path_in(ctl, FILE_LOGS, path);
    if (status)
        return status;
    bool existed = exists(path);
    struct fault fault;
    if (sqlite_create(ctl->data_dir, &fault))
        return ctl_fault(&fault);
    if (!existed)
        ctl_say("made %s", path);
    return CTL_OK;
}

static int open_key_store(const struct ctl *ctl, struct key_store **ret_store)
{
    char path[CTL_PATH_BYTES];
    int status = ctl_path_in(ctl, FILE_KEYS, path);
    if (status)
        return status;
    bool existed = exists(path);
    struct fault fault;
    if (key_store_open(ctl->data_dir, true, ret_store, &fault))
        return ctl_fault(&fault);
    if (!existed)
        ctl_say("made %s", path);
    return CTL_OK;
}

static bool write_line(int fd, const char *text)
{
    return dprintf(fd, "%s\n", text) > 0 && fsync(fd) == 0;
}

/* Whole or not at all, and never over a file that is there: written under another name, then linked. Mode 0600. */
static bool write_new_file(const char *path, const char *text)
{
    char *draft = NULL;
    if (asprintf(&draft, "%s.XXXXXX", path) < 0)
        return false;
    int fd = mkostemp(draft, O_CLOEXEC);
    bool done = fd >= 0 && write_line(fd, text) && link(draft, path) == 0;
    int error = errno;
    if (fd >= 0) {
        close(fd);
        unlink(draft);
    }
    free(draft);
    errno = error;
    return done;
}

/* A key whose file could not be written is known to nobody, so it is taken back. */
static int store_new_key(const struct ctl *ctl, struct key_store *store, enum role role, const char *path)
{
    struct api_key key = {.role = role};
    snprintf(key.name, sizeof key.name, "%s", role_name(role));
    struct fault fault;
    char text[KEY_TEXT_BYTES];
    if (key_store_add(store, &key, ctl->now, text, &fault))
        return ctl_fault(&fault);
    bool written = write_new_file(path, text);
    int error = errno;
    explicit_bzero(text, sizeof text);
    if (written) {
        ctl_say("made %s (key %lld, role %s)", path, (long long)key.id, role_name(role));
        return CTL_OK;
    }
    if (key_store_revoke(store, key.id, ctl->now, &fault))
        ctl_fault(&fault);
    /* Another init was quicker: the file is there, as was asked. */
    return error == EEXIST ? CTL_OK
                           : ctl_fail("can't write %s: %s; once it can, make a key: analyticsctl key add --role %s",
                                      path, strerror(error), role_name(role));
}

static enum err note_role(void *ctx, const struct api_key *key)
{
    bool *had = ctx;
    had[key->role] = true;
    return OK;
}

/* Once in the life of the database of keys, which forgets no key, not even a revoked one: whoever deleted the file, or
 * revoked the key, does not want it back at the next start. */
static int make_key_file(const struct ctl *ctl, struct key_store *store, enum role role)
{
    bool had[ROLE_ADMIN + 1] = {false};
    struct fault fault;
    if (key_store_list(store, note_role, had, &fault))
        return ctl_fault(&fault);
    if (had[role])
        return CTL_OK;
    char name[CTL_KEY_FILE_BYTES], path[CTL_PATH_BYTES];
    int status = ctl_path_in(ctl, ctl_key_file(role, name), path);
    if (status)
        return status;
    return exists(path) ? CTL_OK : store_new_key(ctl, store, role, path);
}

/* A key of the operator's own, in the place of one that is made here. It is no mere first key: a file that holds
 * another one later adds that. */
static int adopt_key(const struct ctl *ctl, struct key_store *store, enum role role, const char *path)
{
    bool is_new = false;
    struct fault fault;
    char text[KEY_FILE_MAX + 1];
    struct api_key key = {.role = role};
    snprintf(key.name, sizeof key.name, "%s", role_name(role));
    int status = key_file_read(path, text);
    if (!status && key_store_adopt(store, slice_of(text), &key, ctl->now, &is_new, &fault))
        status = ctl_fail("%s: %s", path, fault.detail);
    explicit_bzero(text, sizeof text);
    if (!status && is_new)
        ctl_say("the key in %s is key %lld, role %s", path, (long long)key.id, role_name(role));
    return status;
}

static int make_key(const struct ctl *ctl, struct key_store *store, enum role role, enum ctl_option given)
{
    const char *path = ctl->option[given];
    return path ? adopt_key(ctl, store, role, path) : make_key_file(ctl, store, role);
}

static int make_keys(const struct ctl *ctl)
{
    struct key_store *store = NULL;
    char folder[CTL_PATH_BYTES];
    int status = ctl_path_in(ctl, CTL_KEY_FOLDER, folder);
    if (!status)
        status = open_key_store(ctl, &store);
    if (!status)
        status = make_folder(folder, NULL);
    if (!status)
        status = make_key(ctl, store, ROLE_ADMIN, CTL_ADMIN_KEY);
    if (!status)
        status = make_key(ctl, store, ROLE_WORKER, CTL_WORKER_KEY);
    key_store_close(store);
    return status;
}

/* SQLite's message for it would not say what to do. */
static int check_writable(const char *path)
{
    return settings_is_read_only(path) ? ctl_fail(SETTINGS_READ_ONLY, path) : CTL_OK;
}

int ctl_init(const struct ctl *ctl)
{
    const struct passwd *owner = NULL;
    int status = find_owner(ctl, &owner);
    if (!status)
        status = make_folder(ctl->data_dir, owner);
    if (!status)
        status = check_writable(ctl->data_dir);
    if (!status)
        status = check_owner(ctl->data_dir, owner);
    if (!status)
        status = ctl_become_owner(ctl->data_dir);
    if (!status)
        status = make_log_database(ctl);
    return status ? status : make_keys(ctl);
}
