/* unit.c: what systemd lets a unit write to. Knows systemctl(1) and the properties of units (systemd.exec(5)). Knows no
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

static enum unit_may read_properties(FILE *pipe, const char *path)
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
    char command[256], path[CTL_PATH_BYTES];
    snprintf(command, sizeof command,
             "systemctl show --property=ProtectSystem,ReadWritePaths,StateDirectory %s 2>/dev/null", unit);
    resolve(folder, path);
    FILE *pipe = popen(command, "re");
    if (!pipe)
        return UNIT_UNKNOWN;
    enum unit_may may = read_properties(pipe, path);
    pclose(pipe);
    return may;
}
