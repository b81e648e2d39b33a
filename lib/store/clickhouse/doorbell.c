/* doorbell.c: "ship now": from the processes that answer reports to the one that ships. Knows its socket. */
#include "store/clickhouse/doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/banned.h"

#define SOCKET_NAME "ship.sock"

/* A socket's path ends after 107 bytes and a folder's need not: the way leads over a descriptor of the folder. */
struct door {
    int folder;
    int fd;
    struct sockaddr_un address;
};

static void close_door(struct door *door)
{
    if (door->folder >= 0)
        close(door->folder);
    if (door->fd >= 0)
        close(door->fd);
}

static bool open_door(const char *data_dir, struct door *ret_door)
{
    ret_door->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    ret_door->folder = open(data_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ret_door->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(ret_door->address.sun_path, sizeof ret_door->address.sun_path, "/proc/self/fd/%d/" SOCKET_NAME,
             ret_door->folder);
    return ret_door->folder >= 0 && ret_door->fd >= 0;
}

void doorbell_ring(const char *data_dir)
{
    struct door door;
    if (open_door(data_dir, &door)) {
        ssize_t sent =
            sendto(door.fd, "", 1, MSG_NOSIGNAL, (const struct sockaddr *)&door.address, sizeof door.address);
        (void)sent; /* nobody listens, or it was rung already */
    }
    close_door(&door);
}

/* The units of the package permit no socket, unless they are told of this engine. */
static enum err no_door(const char *data_dir, int error, struct fault *fault)
{
    bool is_denied = error == EPERM || error == EAFNOSUPPORT;
    return fault_set(
        fault, ERR_UNAVAILABLE, "can't listen at %s/" SOCKET_NAME ": %s%s", data_dir, strerror(error),
        is_denied ? "; under systemd, engine = clickhouse needs its drop-in (docs/scaling.md, \"Under systemd\")" : "");
}

enum err doorbell_listen(const char *data_dir, int *ret_fd, struct fault *fault)
{
    struct door door;
    bool listens = open_door(data_dir, &door);
    if (listens) {
        unlink(door.address.sun_path); /* of a run before: the writer's lock is ours */
        listens = bind(door.fd, (const struct sockaddr *)&door.address, sizeof door.address) == 0;
    }
    enum err err = listens ? OK : no_door(data_dir, errno, fault);
    if (listens) {
        *ret_fd = door.fd;
        door.fd = -1;
    }
    close_door(&door);
    return err;
}

static bool drain(int fd)
{
    char bytes[64];
    bool is_asked = false;
    while (recv(fd, bytes, sizeof bytes, 0) >= 0)
        is_asked = true;
    return is_asked;
}

bool doorbell_wait(int fd, int wake_fd, int64_t milliseconds)
{
    struct pollfd polled[] = {{.fd = fd, .events = POLLIN}, {.fd = wake_fd, .events = POLLIN}};
    return poll(polled, 2, (int)milliseconds) > 0 && drain(fd);
}
