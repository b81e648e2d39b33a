/* owner.c: root goes on as the owner of the data folder. Knows Linux's capabilities (capabilities(7)). */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/banned.h"

#define SEARCH (UINT32_C(1) << CAP_DAC_READ_SEARCH)

static struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

static bool set_capabilities(uint32_t permitted, uint32_t effective)
{
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    sets[0].permitted = permitted;
    sets[0].effective = effective;
    return syscall(SYS_capset, &header, sets) == 0;
}

static bool is_open(const char *path)
{
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0;
}

/* Nothing of root stays. But where a folder above the data folder is closed to its owner (a clone below /root), the
 * right to pass through and to read stays; writing is the owner's in any case. False: that right was denied. */
static bool drop_capabilities(const char *path)
{
    bool may_search = set_capabilities(SEARCH, 0);
    if (!is_open(path))
        return may_search && set_capabilities(SEARCH, SEARCH);
    return set_capabilities(0, 0);
}

/* Names the folder that does not let the owner through: the first on the way. */
static int say_closed(const char *path, uid_t uid)
{
    char *whole = strdup(path), *end = whole;
    while (end && (end = strchr(end + 1, '/'))) {
        *end = '\0';
        if (!is_open(whole))
            break;
        *end = '/';
    }
    int status = ctl_fail("%s is closed to its owner (user %u) by %s: chmod o+x there, or move the data", path,
                          (unsigned)uid, end ? whole : "a folder above it");
    free(whole);
    return status;
}

int ctl_become_owner(const char *path)
{
    struct stat dir;
    if (stat(path, &dir) < 0)
        return ctl_fail("%s: %s", path, strerror(errno));
    if (!S_ISDIR(dir.st_mode))
        return ctl_fail("%s is not a folder", path);
    if (geteuid() != 0 || dir.st_uid == 0)
        return CTL_OK;
    prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP); /* so that access(2) counts what is kept; else nothing is kept */
    if (setgroups(1, &dir.st_gid) < 0 || setresgid(dir.st_gid, dir.st_gid, dir.st_gid) < 0 ||
        setresuid(dir.st_uid, dir.st_uid, dir.st_uid) < 0)
        return ctl_fail("can't go on as the owner of %s: %s", path, strerror(errno));
    return drop_capabilities(path) ? CTL_OK : say_closed(path, dir.st_uid);
}

void ctl_pass_closed(const char *path)
{
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (is_open(path) || syscall(SYS_capget, &header, sets) < 0)
        return;
    sets[0].effective |= sets[0].permitted & SEARCH;
    syscall(SYS_capset, &header, sets);
}
