/* client.c: one epoll loop over all connections. Knows as much of HTTP/1.1 as nginx's answers need. Knows no endpoint.
 */
#include "client.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES 4096
#define DRAIN_US 30000000 /* how long the last answers may take */

struct connection {
    int fd;
    bool busy;
    struct outgoing out;
    char request_head[1024];
    int part; /* of `out`, being sent */
    int64_t due_us;
    char head[HEAD_BYTES]; /* of the answer */
    size_t head_len;
    bool in_body;
    int status;
    bool closing;
    int64_t body_left;
};

struct run {
    const struct plan *plan;
    struct measured *measured;
    struct connection *connections;
    int epoll_fd;
    int busy;
    bool exhausted; /* no more requests to send */
    bool measuring;
    int64_t start_us, measure_from_us, next_due_us;
    int64_t requests;
};

volatile sig_atomic_t client_stop;

int64_t clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- samples ---- */

static void samples_add(struct samples *samples, int64_t us)
{
    if (samples->count == samples->cap) {
        samples->cap = samples->cap ? samples->cap * 2 : 4096;
        samples->us = realloc(samples->us, samples->cap * sizeof *samples->us);
        if (!samples->us)
            die("memory");
    }
    samples->us[samples->count++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

double samples_quantile(const struct samples *samples, double quantile)
{
    if (samples->count == 0)
        return 0;
    return samples->us[(size_t)(quantile * (double)(samples->count - 1) + 0.5)];
}

void measured_release(struct measured *measured)
{
    for (int kind = 0; kind < CLIENT_KINDS; kind++)
        free(measured->latency[kind].us);
    *measured = (struct measured){0};
}

/* ---- sending ---- */

static void open_connection(struct run *run, struct connection *connection)
{
    int one = 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((in_port_t)run->plan->port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.ptr = connection}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl");
    connection->fd = fd;
    connection->closing = false;
}

/* Sends as much as the socket takes. */
static void push(struct connection *connection)
{
    struct outgoing *out = &connection->out;
    while (connection->part < out->parts) {
        struct msghdr message = {.msg_iov = &out->part[connection->part],
                                 .msg_iovlen = (size_t)(out->parts - connection->part)};
        ssize_t sent = sendmsg(connection->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EPIPE || errno == ECONNRESET))
            return; /* pull() sees the answer, or the end of the connection */
        if (sent < 0)
            die("send");
        for (size_t left = (size_t)sent; connection->part < out->parts;) {
            struct iovec *part = &out->part[connection->part];
            size_t n = left < part->iov_len ? left : part->iov_len;
            part->iov_base = (char *)part->iov_base + n;
            part->iov_len -= n;
            left -= n;
            if (part->iov_len > 0)
                break;
            connection->part++;
        }
    }
}

static void begin_request(struct run *run, struct connection *connection, int64_t due_us)
{
    if (connection->fd >= 0 && connection->closing) {
        close(connection->fd);
        connection->fd = -1;
    }
    if (!run->plan->next(run->plan->ctx, connection->request_head, sizeof connection->request_head, &connection->out)) {
        run->exhausted = true;
        return;
    }
    if (connection->fd < 0)
        open_connection(run, connection);
    connection->busy = true;
    connection->part = 0;
    connection->due_us = due_us;
    connection->head_len = 0;
    connection->in_body = false;
    run->busy++;
    push(connection);
}

/* ---- receiving ---- */

static void parse_head(struct connection *connection)
{
    connection->head[connection->head_len] = '\0';
    const char *length = strcasestr(connection->head, "\r\nContent-Length:");
    connection->status = strncmp(connection->head, "HTTP/1.1 ", 9) ? 0 : (int)strtol(connection->head + 9, NULL, 10);
    connection->closing = strcasestr(connection->head, "\r\nConnection: close") != NULL;
    connection->body_left = length ? strtoll(length + 17, NULL, 10) : 0;
    if (!length && connection->status != 204) {
        fprintf(stderr, "client: an answer without a length:\n%s", connection->head);
        exit(1);
    }
}

static void count_answer(struct run *run, struct connection *connection)
{
    struct measured *measured = run->measured;
    if (connection->status == run->plan->expected_status) {
        samples_add(&measured->latency[connection->out.kind], clock_us() - connection->due_us);
        measured->weight += connection->out.weight;
    } else if (connection->status == 503) {
        measured->refused_503++;
    } else if (connection->status == 429) {
        measured->refused_429++;
    } else if (measured->failed++ == 0) {
        fprintf(stderr, "client: unexpected answer to %.200s\n%s\n", connection->request_head, connection->head);
    }
}

static void end_answer(struct run *run, struct connection *connection)
{
    connection->busy = false;
    run->busy--;
    if (connection->part < connection->out.parts)
        connection->closing = true; /* answered before the whole body was sent */
    if (run->measuring) {
        run->requests++;
        count_answer(run, connection);
    }
}

/* Takes bytes of an answer. Returns how many of them belong to the head, which ends with an empty line. */
static size_t take_head(struct connection *connection, const char *data, size_t len)
{
    size_t i = 0;
    while (i < len && !connection->in_body) {
        if (connection->head_len == HEAD_BYTES - 1) {
            fprintf(stderr, "client: the head of an answer is longer than %d bytes\n", HEAD_BYTES);
            exit(1);
        }
        connection->head[connection->head_len++] = data[i++];
        connection->in_body = connection->head_len >= 4 && data[i - 1] == '\n' &&
                              !memcmp(connection->head + connection->head_len - 4, "\r\n\r\n", 4);
    }
    if (connection->in_body)
        parse_head(connection);
    return i;
}

static void lost(struct run *run, struct connection *connection)
{
    bool was_busy = connection->busy;
    close(connection->fd);
    connection->fd = -1;
    if (!was_busy)
        return;
    snprintf(connection->head, sizeof connection->head, "(connection lost)");
    connection->status = 0;
    end_answer(run, connection);
    connection->closing = false;
}

static void pull(struct run *run, struct connection *connection)
{
    static char data[256 << 10];
    while (connection->fd >= 0) {
        ssize_t got = recv(connection->fd, data, sizeof data, MSG_DONTWAIT);
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0 || !connection->busy) {
            lost(run, connection);
            return;
        }
        size_t used = connection->in_body ? 0 : take_head(connection, data, (size_t)got);
        connection->body_left -= connection->in_body ? got - (ssize_t)used : 0;
        if (connection->in_body && connection->body_left <= 0) {
            end_answer(run, connection);
            return;
        }
    }
}

/* ---- the loop ---- */

static void start_idle(struct run *run)
{
    const struct plan *plan = run->plan;
    for (int i = 0; i < plan->clients && !run->exhausted; i++) {
        int64_t now = clock_us();
        if (run->connections[i].busy)
            continue;
        if (plan->rate > 0 && run->next_due_us > now)
            return;
        begin_request(run, &run->connections[i], plan->rate > 0 ? run->next_due_us : now);
        if (plan->rate > 0)
            run->next_due_us += (int64_t)(1e6 / plan->rate);
    }
}

static void wait_and_serve(struct run *run, int64_t until_us)
{
    struct epoll_event events[256];
    int64_t wait_us = until_us - clock_us();
    if (run->plan->rate > 0 && run->busy < run->plan->clients && run->next_due_us - clock_us() < wait_us)
        wait_us = run->next_due_us - clock_us();
    if (wait_us < 0)
        wait_us = 0;
    struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
    int count = epoll_pwait2(run->epoll_fd, events, 256, &wait, NULL);
    if (count < 0 && errno != EINTR)
        die("epoll_pwait2");
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        if (connection->busy && events[i].events & EPOLLOUT)
            push(connection);
        if (connection->fd >= 0 && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            pull(run, connection);
    }
}

static bool measured_enough(const struct run *run)
{
    const struct plan *plan = run->plan;
    return client_stop || clock_us() >= run->measure_from_us + plan->measure_us ||
           (plan->max_requests && run->requests >= plan->max_requests) || (run->exhausted && run->busy == 0);
}

static void loop(struct run *run)
{
    const struct plan *plan = run->plan;
    while (!run->exhausted && clock_us() < run->start_us + plan->warm_us) {
        start_idle(run);
        wait_and_serve(run, run->start_us + plan->warm_us);
    }
    if (plan->begin)
        plan->begin(plan->ctx);
    run->measure_from_us = clock_us();
    run->measuring = true;
    while (!measured_enough(run)) {
        start_idle(run);
        wait_and_serve(run, run->measure_from_us + plan->measure_us);
    }
    run->measured->seconds = (double)(clock_us() - run->measure_from_us) / 1e6;
    run->measuring = false;
    if (plan->end)
        plan->end(plan->ctx);
    for (int64_t until = clock_us() + DRAIN_US; run->busy > 0 && clock_us() < until;)
        wait_and_serve(run, until);
}

void client_run(const struct plan *plan, struct measured *ret_measured)
{
    struct run run = {.plan = plan, .measured = ret_measured, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    *ret_measured = (struct measured){0};
    run.connections = calloc((size_t)plan->clients, sizeof *run.connections);
    if (!run.connections || run.epoll_fd < 0)
        die("start");
    for (int i = 0; i < plan->clients; i++)
        open_connection(&run, &run.connections[i]);
    run.start_us = run.next_due_us = clock_us();
    loop(&run);
    for (int i = 0; i < plan->clients; i++)
        if (run.connections[i].fd >= 0)
            close(run.connections[i].fd);
    close(run.epoll_fd);
    free(run.connections);
    for (int kind = 0; kind < CLIENT_KINDS; kind++)
        if (ret_measured->latency[kind].count > 0)
            qsort(ret_measured->latency[kind].us, ret_measured->latency[kind].count, sizeof(uint32_t), by_value);
}
