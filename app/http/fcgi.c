/* fcgi.c: connections. The only file that knows libfcgi, and what libfcgi 2.4.2 gets wrong. Knows no endpoint.
 *
 * We accept ourselves and hand the connection to libfcgi, for three reasons: a stop wakes us without a signal during a
 * request (libfcgi takes an interrupted read for the end of the body), a peer that goes silent half way through costs a
 * thread 10 seconds (2 before the body) and not for ever, and a connection wakes one thread of one process: of the
 * threads one waits, and of the processes that share the socket the kernel chooses one (EPOLLEXCLUSIVE, epoll_ctl(2)).
 */
#include "http/fcgi.h"

#include "http/cgi.h"
#include "process/clock.h"
#include "base/limit.h"
#include "process/log.h"

#include <errno.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/banned.h"

#define LISTEN_FD 0 /* FastCGI specification, 2.2 */
#define SILENCE_SECONDS 10
#define HEAD_SILENCE_SECONDS 2 /* nginx sends the head at once; a slower peer does not hold a thread for longer */
#define STACK_BYTES (256u << 10)
#define NO_DESCRIPTORS_WAIT_MS 100
#define ACCEPT_TICK_MS 100
#define RESPONDER 1 /* FastCGI specification, 5.1 */

struct fcgi {
    fcgi_handler handler;
    void *ctx;
    int stop_fd; /* an eventfd, readable for ever once we stop */
    int wait_fd; /* an epoll instance: a connection waits, or we stop */
    atomic_bool stopping;
    pthread_mutex_t accept_lock; /* whoever has it waits for the next connection */
};

/* ---- start ---- */

static bool is_listening_unix_socket(int fd)
{
    int listening = 0;
    socklen_t len = sizeof listening;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) != 0)
        return false;
    int domain = 0;
    len = sizeof domain;
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && listening != 0 && domain == AF_UNIX;
}

/* Whatever a process manager may send to ask for an end: SIGUSR1 is multiwatch's own choice, and libfcgi would catch it
 * and go on. */
static void stop_signals(sigset_t *ret_set)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    sigemptyset(ret_set);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(ret_set, signals[i]);
}

/* Several processes share the socket, so the one that comes too late must not block in accept. O_NONBLOCK sees to that,
 * but every process that holds the socket can take the flag away, and systemd does so whenever it starts a helper of a
 * unit. Then accept blocks, and no stop would end it: so it returns after a tick as well (SO_RCVTIMEO, socket(7)). The
 * tick belongs to each call, so there is no moment at which a stop can be missed. A signal would have to be repeated
 * until it finds the thread in accept, and would cut off what libfcgi reads in another. */
static bool bound_accept(int fd)
{
    struct timeval tick = {.tv_usec = ACCEPT_TICK_MS * 1000};
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick, sizeof tick) == 0;
}

enum err fcgi_init(struct fault *fault)
{
    if (!is_listening_unix_socket(LISTEN_FD))
        return fault_set(fault, ERR_INTERNAL,
                         "descriptor 0 is not a listening Unix socket: start it by a FastCGI process manager, such as "
                         "./serve, or spawn-fcgi -s SOCKET -n -- PROGRAM --data DIR");
    sigset_t stops;
    stop_signals(&stops);
    pthread_sigmask(SIG_BLOCK, &stops, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* so that a write past RLIMIT_FSIZE fails like one to a full disk */
    if (!bound_accept(LISTEN_FD) || FCGX_Init() != 0)
        return fault_set(fault, ERR_INTERNAL, "libfcgi can't be started");
    return OK;
}

/* ---- one request ---- */

/* A body on its way in, for struct request. */
static ptrdiff_t read_body(void *ctx, char *ret_data, size_t size)
{
    FCGX_Request *fcgx = ctx;
    int got = FCGX_GetStr(ret_data, (int)size, fcgx->in);
    if (FCGX_GetError(fcgx->in) != 0)
        return -1;
    return got;
}

/* An early refusal leaves the body unread, and a web server that can't send it may not look at our answer. True when
 * nothing is left of it. */
static bool drain_body(FCGX_Request *fcgx)
{
    char trash[4096];
    size_t drained = 0;
    ptrdiff_t got = 1;
    while (got > 0 && drained <= LIMIT_BODY_BYTES) {
        got = read_body(fcgx, trash, sizeof trash);
        drained += got > 0 ? (size_t)got : 0;
    }
    return got == 0;
}

/* An answer on its way out. */
struct sending {
    FCGX_Request *fcgx;
    bool head_only; /* of a HEAD request */
};
static bool send_head(const struct sending *sending, const struct response *response, bool is_whole)
{
    struct buf head;
    buf_init(&head, 16u << 10);
    cgi_put_head(response, is_whole, &head);
    bool sent = !head.failed && FCGX_PutStr(head.data, (int)head.len, sending->fcgx->out) >= 0;
    buf_release(&head);
    return sent;
}

static bool send_body(const struct sending *sending, const struct response *response)
{
    if (sending->head_only || response->body.len == 0)
        return true;
    return FCGX_PutStr(response->body.data, (int)response->body.len, sending->fcgx->out) >= 0;
}

/* For struct response. */
static bool send_piece(void *ctx, const struct response *response)
{
    const struct sending *sending = ctx;
    bool is_open = response->begun || send_head(sending, response, false);
    return is_open && send_body(sending, response);
}

/* The rest of it. A broken one ends without the record that ends a request, so that nginx breaks off as well. */
static void send_rest(const struct sending *sending, const struct response *response)
{
    if (response->broken)
        shutdown(sending->fcgx->ipcFd, SHUT_RDWR);
    else if (response->begun || send_head(sending, response, true))
        send_body(sending, response);
}

/* True when the request was read to its end, and answered. */
static bool answer(struct fcgi *fcgi, FCGX_Request *fcgx)
{
    struct cgi_room room;
    struct request request;
    cgi_request((const char *const *)fcgx->envp, &room, &request);
    request.now_ms = clock_wall_ms();
    request.read_body = read_body;
    request.read_ctx = fcgx;
    struct sending sending = {fcgx, request.method == HTTP_HEAD};
    struct response response;
    response_init(&response);
    response.send = send_piece;
    response.send_ctx = &sending;
    fcgi->handler(fcgi->ctx, &request, &response);
    bool whole = drain_body(fcgx) && !response.broken;
    send_rest(&sending, &response);
    response_release(&response);
    return whole;
}

/* `direction`: SO_RCVTIMEO or SO_SNDTIMEO. */
static void bound_silence(int fd, int direction, int seconds)
{
    struct timeval silence = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, direction, &silence, sizeof silence);
}

/* libfcgi skips its own accept when the request has a connection that it was told to keep. Should that connection break
 * before a request is read, it closes it and tries to accept from descriptor -1, which fails: then we are called again.
 * One request per connection: after it, an unread rest of the body would be taken for records (a forged request was
 * accepted that way).
 *
 * libfcgi closes in four steps, so that what the peer still sends does not make the kernel drop the answer: it shuts
 * the socket down, waits for the peer, reads, closes. Where everything was read, closing is enough, and no thread
 * waits. */
static void serve_connection(struct fcgi *fcgi, int fd)
{
    FCGX_Request fcgx;
    FCGX_InitRequest(&fcgx, -1, 0);
    fcgx.ipcFd = fd;
    fcgx.keepConnection = 1;
    bound_silence(fd, SO_SNDTIMEO, SILENCE_SECONDS);
    bound_silence(fd, SO_RCVTIMEO, HEAD_SILENCE_SECONDS);
    if (FCGX_Accept_r(&fcgx) < 0)
        return;
    bound_silence(fd, SO_RCVTIMEO, SILENCE_SECONDS);
    fcgx.keepConnection = 0;
    if (FCGX_GetError(fcgx.in) != 0)
        shutdown(fd, SHUT_RDWR); /* the head was cut short, which libfcgi takes for its end: no request */
    else if (fcgx.role == RESPONDER)
        fcgx.keepConnection = answer(fcgi, &fcgx);
    FCGX_Finish_r(&fcgx);
    if (fcgx.ipcFd >= 0) /* kept, and all is well */
        close(fcgx.ipcFd);
}

/* ---- accepting ---- */

static void log_accept_failure(int error)
{
    struct log_line line;
    log_begin(&line, LEVEL_ERROR, "accept_failed");
    log_cstr(&line, "detail", strerrordesc_np(error));
    log_end(&line);
}

/* No descriptors or no memory: others may free some. Anything else is the connection's own trouble. */
static void accept_trouble(int error)
{
    if (error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM)
        return;
    log_accept_failure(error);
    poll(NULL, 0, NO_DESCRIPTORS_WAIT_MS);
}

/* A connection that waits already, or -1. */
static int try_accept(void)
{
    int fd = accept4(LISTEN_FD, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        accept_trouble(errno);
    return fd;
}

/* Until a connection may be there, or we stop. */
static void await_connection(const struct fcgi *fcgi)
{
    struct epoll_event event;
    epoll_wait(fcgi->wait_fd, &event, 1, -1);
}

/* The next connection, or -1 to stop. Who comes from a request looks for one before it queues up for waiting. */
static int accept_next(struct fcgi *fcgi)
{
    int fd = atomic_load(&fcgi->stopping) ? -1 : try_accept();
    if (fd >= 0)
        return fd;
    pthread_mutex_lock(&fcgi->accept_lock);
    while (fd < 0 && !atomic_load(&fcgi->stopping)) {
        await_connection(fcgi);
        fd = atomic_load(&fcgi->stopping) ? -1 : try_accept();
    }
    pthread_mutex_unlock(&fcgi->accept_lock);
    return fd;
}

static void *thread_main(void *ctx)
{
    struct fcgi *fcgi = ctx;
    int fd = accept_next(fcgi);
    while (fd >= 0) {
        serve_connection(fcgi, fd);
        fd = accept_next(fcgi);
    }
    return NULL;
}

/* ---- threads ---- */

/* Starts as many as it can. */
static int start_threads(struct fcgi *fcgi, pthread_t *threads, int wanted)
{
    pthread_attr_t attr;
    if (pthread_attr_init(&attr) != 0)
        return 0;
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    int started = 0;
    while (started < wanted && pthread_create(&threads[started], &attr, thread_main, fcgi) == 0)
        started++;
    pthread_attr_destroy(&attr);
    return started;
}

static void wait_for_stop(void)
{
    sigset_t stops;
    stop_signals(&stops);
    int signal_number;
    while (sigwait(&stops, &signal_number) != 0)
        ;
}

static enum err run_threads(struct fcgi *fcgi, pthread_t *threads, int wanted, struct fault *fault)
{
    int started = start_threads(fcgi, threads, wanted);
    if (started == wanted)
        wait_for_stop();
    atomic_store(&fcgi->stopping, true);
    eventfd_write(fcgi->stop_fd, 1);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    if (started < wanted)
        return fault_set(fault, ERR_INTERNAL, "only %d of %d threads could be started", started, wanted);
    return OK;
}

static bool watch(int wait_fd, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events};
    return epoll_ctl(wait_fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_descriptors(struct fcgi *fcgi)
{
    fcgi->stop_fd = eventfd(0, EFD_CLOEXEC);
    fcgi->wait_fd = epoll_create1(EPOLL_CLOEXEC);
    return fcgi->stop_fd >= 0 && fcgi->wait_fd >= 0 && watch(fcgi->wait_fd, fcgi->stop_fd, EPOLLIN) &&
           watch(fcgi->wait_fd, LISTEN_FD, EPOLLIN | EPOLLEXCLUSIVE);
}

static void close_descriptor(int fd)
{
    if (fd >= 0)
        close(fd);
}

enum err fcgi_serve(fcgi_handler handler, void *ctx, int threads, struct fault *fault)
{
    struct fcgi fcgi = {.handler = handler, .ctx = ctx, .accept_lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t *ids = calloc((size_t)threads, sizeof *ids);
    enum err err = open_descriptors(&fcgi) && ids ? run_threads(&fcgi, ids, threads, fault)
                                                  : fault_set(fault, ERR_INTERNAL, "no memory or descriptors to start");
    close_descriptor(fcgi.wait_fd);
    close_descriptor(fcgi.stop_fd);
    free(ids);
    return err;
}
