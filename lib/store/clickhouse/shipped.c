/* shipped.c: a counter that processes share, and a futex on it (futex(2)). */
#include "store/clickhouse/shipped.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define PATH_BYTES 4096
#define FILE_BYTES 4096
#define AWAIT_NS 50000000L
#define BLIND_NS 1000000L /* where nobody is told */

_Static_assert(sizeof(_Atomic uint32_t) == 4, "what futex(2) takes");

static int open_file(const char *data_dir, bool tells)
{
    char path[PATH_BYTES];
    int len = snprintf(path, sizeof path, "%s/shipped", data_dir);
    if (len < 0 || len >= PATH_BYTES)
        return -1;
    int fd = open(path, (tells ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW, 0600);
    /* On a full disk a page without a block would be lost. */
    if (fd >= 0 && tells && posix_fallocate(fd, 0, FILE_BYTES) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Shorter than a page, what is mapped could not be read. */
static bool is_whole(int fd)
{
    return lseek(fd, 0, SEEK_END) >= FILE_BYTES;
}

void shipped_open(const char *data_dir, bool tells, struct shipped *ret_shipped)
{
    *ret_shipped = (struct shipped){0};
    int fd = open_file(data_dir, tells);
    if (fd < 0)
        return;
    void *map = is_whole(fd) ? mmap(NULL, FILE_BYTES, tells ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0)
                             : MAP_FAILED;
    if (map != MAP_FAILED)
        ret_shipped->counter = map;
    close(fd);
}

void shipped_close(struct shipped *shipped)
{
    if (shipped->counter)
        munmap((void *)shipped->counter, FILE_BYTES);
    *shipped = (struct shipped){0};
}

uint32_t shipped_count(const struct shipped *shipped)
{
    return shipped->counter ? *shipped->counter : 0;
}

void shipped_tell(const struct shipped *shipped)
{
    if (!shipped->counter)
        return;
    ++*shipped->counter;
    syscall(SYS_futex, shipped->counter, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void shipped_await(const struct shipped *shipped, uint32_t count)
{
    const struct timespec bound = {.tv_nsec = AWAIT_NS}, blind = {.tv_nsec = BLIND_NS};
    if (shipped->counter)
        syscall(SYS_futex, shipped->counter, FUTEX_WAIT, count, &bound, NULL, 0);
    else
        nanosleep(&blind, NULL);
}
