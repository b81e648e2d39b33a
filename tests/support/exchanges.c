/* exchanges.c: see exchanges.h. Each line is one write to a file opened for appending, so the processes of a test's
 * cases may share it. */
#include "support/exchanges.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_BYTES (256u << 10) /* longer ones are left out */

/* `engine`: "", or the argument of exchanges_begin_behind. */
static int open_file(const char *engine, int flags)
{
    const char *build = getenv("ANALYTICS_BUILDDIR");
    char path[PATH_MAX];
    if (!build)
        return -1;
    snprintf(path, sizeof path, "%s/tests/e2e/exchanges", build);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/tests/e2e/exchanges/%s%s%s.ndjson", build, program_invocation_short_name,
             *engine ? "." : "", engine);
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
}

void exchanges_begin_behind(const char *engine)
{
    int fd = open_file(engine, O_TRUNC);
    if (fd >= 0)
        close(fd);
}

void exchanges_begin(void)
{
    exchanges_begin_behind("");
}

struct exchange {
    const char *method, *path, *type; /* the type may be NULL */
    int status;
    struct slice body;
};

static void add_text(json_object *object, const char *name, const char *text, size_t len)
{
    json_object_object_add(object, name, text ? json_object_new_string_len(text, (int)len) : NULL);
}

static void note(const char *engine, const struct exchange *exchange)
{
    int fd = exchange->status && exchange->body.len <= BODY_BYTES ? open_file(engine, O_APPEND) : -1;
    if (fd < 0)
        return;
    json_object *object = json_object_new_object();
    add_text(object, "method", exchange->method, strlen(exchange->method));
    add_text(object, "path", exchange->path, strlen(exchange->path));
    json_object_object_add(object, "status", json_object_new_int64(exchange->status));
    add_text(object, "type", exchange->type, exchange->type ? strlen(exchange->type) : 0);
    add_text(object, "body", exchange->body.data, exchange->body.len);
    const char *line = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
    char *whole = NULL;
    int len = asprintf(&whole, "%s\n", line);
    if (len > 0 && write(fd, whole, (size_t)len) != len)
        fprintf(stderr, "exchanges: %s\n", strerror(errno));
    free(whole);
    json_object_put(object);
    close(fd);
}

void exchanges_note(const struct request_spec *spec, const struct reply *reply)
{
    char *type = reply_header(reply, "content-type");
    note("", &(struct exchange){.method = spec->method ? spec->method
                                          : spec->body ? "POST"
                                                       : "GET",
                                .path = spec->path,
                                .type = type,
                                .status = (int)reply->status,
                                .body = {reply->body, reply->body_len}});
    free(type);
}

void exchanges_note_behind(const char *engine, const struct request *request, const struct response *response)
{
    note(engine, &(struct exchange){.method = http_method_name(request->method),
                                    .path = request->route,
                                    .type = response->content_type,
                                    .status = response->status,
                                    .body = {response->body.data, response->body.len}});
}
