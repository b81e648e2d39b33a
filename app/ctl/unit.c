/* unit.c: what systemd lets a unit do. Knows systemctl(1) and the properties of units (systemd.exec(5)). Knows no
 * setting of ours. */
#include "ctl/unit.h"

#include "ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define LINE_BYTES 16384
#define STATE_FOLDERS "/var/lib/"

/* Symbolic links are followed, as systemd does. A folder that is not there has none. */
static void resolve(const char *path, char ret_path[CTL_PATH_BYTES])
{
    char *whole = realpath(path, NULL);
    snprintf(ret_path, CTL_PATH_BYTES, "%s", whole ? whole : path);
    free(whole);
}

static bool is_within(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    while (len > 0 && folder[len - 1] == '/')
        len--;
    return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

/* "-/srv/a +/srv/b": the signs say what systemd does where a folder is missing, or about the root folder. */
static bool is_listed(const char *path, const char *parent, char *list)
{
    char folder[CTL_PATH_BYTES], resolved[CTL_PATH_BYTES], *rest = NULL;
    for (char *word = strtok_r(list, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest)) {
        snprintf(folder, sizeof folder, "%s%s", parent, word + strspn(word, "-+"));
        resolve(folder, resolved);
        if (is_within(path, resolved))
            return true;
    }
    return false;
}

/* A line "NAME=…" of that name: what follows. Else NULL. */
static char *value_of(char *line, const char *name)
{
    size_t len = strlen(name);
    return strncmp(line, name, len) == 0 ? line + len : NULL;
}

typedef enum unit_may read_properties(FILE *pipe, const char *path);

static enum unit_may ask_systemd(const char *unit, const char *properties, read_properties *read, const char *path)
{
    char command[256];
    snprintf(command, sizeof command, "systemctl show --property=%s %s 2>/dev/null", properties, unit);
    FILE *pipe = popen(command, "re");
    if (!pipe)
        return UNIT_UNKNOWN;
    enum unit_may may = read(pipe, path);
    pclose(pipe);
    return may;
}

/* ---- folders ---- */

static enum unit_may read_folders(FILE *pipe, const char *path)
{
    char line[LINE_BYTES], *list;
    bool is_strict = false, may = false;
    while (fgets(line, sizeof line, pipe)) {
        is_strict |= strcmp(line, "ProtectSystem=strict\n") == 0;
        if ((list = value_of(line, "ReadWritePaths=")))
            may |= is_listed(path, "", list);
        else if ((list = value_of(line, "StateDirectory=")))
            may |= is_listed(path, STATE_FOLDERS, list);
    }
    if (!is_strict)
        return UNIT_UNKNOWN;
    return may ? UNIT_MAY : UNIT_MAY_NOT;
}

enum unit_may unit_may_write(const char *unit, const char *folder)
{
    char path[CTL_PATH_BYTES];
    resolve(folder, path);
    return ask_systemd(unit, "ProtectSystem,ReadWritePaths,StateDirectory", read_folders, path);
}

/* ---- the network ---- */

/* "AF_INET AF_UNIX" permits these, "~AF_INET AF_UNIX" all others: "" none, and "~" all. */
static bool has_internet(char *list)
{
    bool is_denial = *list == '~', is_named = false;
    char *rest = NULL;
    for (char *word = strtok_r(list + is_denial, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
        is_named |= strcmp(word, "AF_INET") == 0 || strcmp(word, "AF_INET6") == 0;
    return is_denial != is_named;
}

static enum unit_may read_network(FILE *pipe, const char *path)
{
    (void)path;
    char line[LINE_BYTES], *list;
    bool is_loaded = false, may = true;
    while (fgets(line, sizeof line, pipe)) {
        is_loaded |= strcmp(line, "LoadState=loaded\n") == 0;
        may &= strcmp(line, "PrivateNetwork=yes\n") != 0;
        if ((list = value_of(line, "RestrictAddressFamilies=")))
            may &= has_internet(list);
    }
    if (!is_loaded)
        return UNIT_UNKNOWN;
    return may ? UNIT_MAY : UNIT_MAY_NOT;
}

enum unit_may unit_may_connect(const char *unit)
{
    return ask_systemd(unit, "LoadState,PrivateNetwork,RestrictAddressFamilies", read_network, NULL);
}
