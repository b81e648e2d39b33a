/* zone_file.c: time zones by name. Knows where the system keeps them, and which names are safe to look for. tzif.c
 * knows what is in a file. */
#include "time/zone_file.h"

#include "base/limit.h"
#include "time/tzif.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

static const struct zone utc = {.count = 1, .shifts = {{INT64_MIN, 0}}};

/* Is this a zone's name? It has only characters that names have, and no empty part. Folders that the database holds
 * beside its zones are refused: posix/ repeats all of them, right/ counts leap seconds, and the others are copies. */
static bool is_name(struct slice name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    static const char *const others[] = {"posix/", "right/", "posixrules", "localtime"};
    if (name.len == 0 || name.len > LIMIT_ZONE_NAME_BYTES)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        bool ends_part = i + 1 == name.len || name.data[i + 1] == '/';
        if (!memchr(letters, name.data[i], sizeof letters - 1) || (name.data[i] == '/' && (i == 0 || ends_part)))
            return false;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (name.len >= strlen(others[i]) && memcmp(name.data, others[i], strlen(others[i])) == 0)
            return false;
    return true;
}

static const char *folder(void)
{
    const char *given = getenv("TZDIR");
    return given && given[0] == '/' ? given : "/usr/share/zoneinfo";
}

/* Opens a regular file; a pipe or a device must not keep us waiting. */
static int open_file(const char *path, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= 0) {
        *ret_size = (size_t)st.st_size;
        return fd;
    }
    close(fd);
    errno = ENOENT;
    return -1;
}

static bool read_whole(int fd, size_t size, unsigned char *ret_bytes)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, ret_bytes + done, size - done);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            return false;
        done += n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* No such name; or, where even UTC is not there, no database. */
static enum err missing(const char *path, struct fault *fault)
{
    int error = errno;
    if (error != ENOENT && error != ENOTDIR && error != EISDIR && error != ENAMETOOLONG)
        return fault_set(fault, ERR_UNAVAILABLE, "%s: %s", path, strerror(error));
    char utc_path[4096];
    snprintf(utc_path, sizeof utc_path, "%s/Etc/UTC", folder());
    if (access(utc_path, R_OK) == 0)
        return ERR_PARAMETER_INVALID;
    return fault_set(fault, ERR_UNAVAILABLE, "%s: no time zones there: install tzdata", folder());
}

static enum err read_zone(const char *path, int fd, size_t size, struct zone *ret_zone, struct fault *fault)
{
    unsigned char bytes[ZONE_FILE_BYTES];
    if (size > sizeof bytes || !read_whole(fd, size, bytes))
        return fault_set(fault, ERR_UNAVAILABLE, "%s: can't be read as a time zone", path);
    if (!tzif_begins(bytes, size))
        return ERR_PARAMETER_INVALID;
    if (!tzif_parse(bytes, size, ret_zone))
        return fault_set(fault, ERR_UNAVAILABLE, "%s: damaged, or not as RFC 8536 has it", path);
    return OK;
}

enum err zone_load(struct slice name, struct zone *ret_zone, struct fault *fault)
{
    if (slice_equals(name, "UTC")) {
        *ret_zone = utc;
        return OK;
    }
    if (!is_name(name))
        return ERR_PARAMETER_INVALID;
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/%.*s", folder(), (int)name.len, name.data);
    if (len >= (int)sizeof path)
        return fault_set(fault, ERR_UNAVAILABLE, "TZDIR is too long");
    size_t size;
    int fd = open_file(path, &size);
    if (fd < 0)
        return missing(path, fault);
    enum err err = read_zone(path, fd, size, ret_zone, fault);
    close(fd);
    return err;
}
