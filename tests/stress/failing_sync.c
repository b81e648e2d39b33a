/* failing_sync.c: a library to be loaded before the others (LD_PRELOAD): while the file that $FAIL_SYNC names exists,
 * all syncs fail. Knows two system calls. */
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int fails(void)
{
    const char *path = getenv("FAIL_SYNC");
    if (!path || access(path, F_OK) != 0)
        return 0;
    errno = EIO;
    return 1;
}

int fsync(int fd)
{
    return fails() ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return fails() ? -1 : (int)syscall(SYS_fdatasync, fd);
}
