/* file.c: numbers that all processes share. Knows files, locks and mappings, and what may go wrong with them.
 * Knows no metric. */
#include "metrics/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"

#define NAME "metrics"
#define NEW_NAME "metrics.new"
#define LOCK_TRIES 200
#define LOCK_PAUSE_MS 5

static const char magic[8] = {'F', 'P', 'M', 'E', 'T', 'R', 'I', 'C'};

/* ---- a page that can't be had: the kernel says so by SIGBUS, at any access ---- */

static _Atomic(char *) mapped; /* the mapping that is guarded … */
static _Atomic size_t mapped_bytes;
static atomic_bool lost;

/* Other memory in its place; then the access is made again. mmap is a mere system call (signal-safety(7) does not list
 * it, but nothing of the C library stands behind it). */
static void replace_mapping(int number, siginfo_t *info, void *context)
{
    char *start = atomic_load(&mapped);
    char *at = info->si_addr;
    size_t bytes = atomic_load(&mapped_bytes);
    (void)context;
    if (start && at >= start && at < start + bytes &&
        mmap(start, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
        atomic_store(&lost, true);
    else
        signal(number, SIG_DFL); /* not ours: the access is made again, and ends the program */
}

static void guard(void *area, size_t bytes)
{
    atomic_store(&mapped_bytes, bytes);
    atomic_store(&mapped, area);
    struct sigaction action = {.sa_sigaction = replace_mapping, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

bool metrics_file_lost(void)
{
    return atomic_load(&lost) && atomic_exchange(&lost, false);
}

/* ---- the file ---- */

static size_t size_of(size_t slots)
{
    return sizeof(struct metrics_area) + slots * sizeof(uint64_t);
}

static struct metrics_area header(uint64_t layout, size_t bytes)
{
    struct metrics_area area = {.layout = layout, .bytes = bytes};
    memcpy(area.magic, magic, sizeof magic);
    return area;
}

/* The folder, locked against others who open or make the file; the lock goes with the descriptor. */
static int lock_folder(const char *data_dir, bool wait)
{
    int fd = open(data_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int tries = wait ? LOCK_TRIES : 1;
    while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (--tries == 0) {
            close(fd);
            return -1;
        }
        nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_MS * 1000000}, NULL);
    }
    return fd;
}

/* Disk space for all of it, or false: a hole could not be filled later. */
static bool has_room(int fd, size_t bytes)
{
    return posix_fallocate(fd, 0, (off_t)bytes) == 0;
}

/* A file that is there and as it should be, or -1. */
static int open_old(int folder, uint64_t layout, size_t bytes)
{
    struct metrics_area wanted = header(layout, bytes);
    int fd = openat(folder, NAME, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct metrics_area found;
    struct stat about;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && (size_t)about.st_size == bytes &&
        pread(fd, &found, sizeof found, 0) == (ssize_t)sizeof found && memcmp(&found, &wanted, sizeof found) == 0 &&
        has_room(fd, bytes))
        return fd;
    close(fd);
    return -1;
}

/* A new file in its place, or -1. */
static int open_new(int folder, uint64_t layout, size_t bytes)
{
    struct metrics_area head = header(layout, bytes);
    unlinkat(folder, NEW_NAME, 0); /* of a process that was killed here */
    int fd = openat(folder, NEW_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (has_room(fd, bytes) && pwrite(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
        renameat(folder, NEW_NAME, folder, NAME) == 0)
        return fd;
    unlinkat(folder, NEW_NAME, 0);
    close(fd);
    return -1;
}

static struct metrics_area *map_file(int fd, size_t bytes)
{
    void *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (area == MAP_FAILED)
        return NULL;
    guard(area, bytes);
    return area;
}

struct metrics_area *metrics_file_map(const char *data_dir, uint64_t layout, size_t slots, bool wait,
                                      const char **ret_why)
{
    int folder = lock_folder(data_dir, wait);
    *ret_why = "the data folder can't be opened, or is locked";
    if (folder < 0)
        return NULL;
    size_t bytes = size_of(slots);
    int fd = open_old(folder, layout, bytes);
    if (fd < 0)
        fd = open_new(folder, layout, bytes);
    *ret_why = "DIR/" NAME " can't be made: no room, or no right to write";
    struct metrics_area *area = NULL;
    if (fd >= 0) {
        area = map_file(fd, bytes);
        close(fd);
    }
    close(folder);
    return area;
}

struct metrics_area *metrics_file_none(size_t slots)
{
    void *area = mmap(NULL, size_of(slots), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return area == MAP_FAILED ? NULL : area;
}
