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

static int open_file(int flags)
{
    const char *build = getenv("ANALYTICS_BUILDDIR");
    char path[PATH_MAX];
    if (!build)
        return -1;
    snprintf(path, sizeof path, "%s/tests/e2e/exchanges", build);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/tests/e2e/exchanges/%s.ndjson", build, program_invocation_short_name);
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
}

void exchanges_begin(void)
{
    int fd = open_file(O_TRUNC);
    if (fd >= 0)
        close(fd);
}

static void add_text(json_object *object, const char *name, const char *text, size_t len)
{
    json_object_object_add(object, name, text ? json_object_new_string_len(text, (int)len) : NULL);
}

void exchanges_note(const struct request_spec *spec, const struct reply *reply)
{
    int fd = reply->status && reply->body_len <= BODY_BYTES ? open_file(O_APPEND) : -1;
    if (fd < 0)
        return;
    json_object *object = json_object_new_object();
    char *type = reply_header(reply, "content-type");
    const char *method = spec->method ? spec->method : spec->body ? "POST" : "GET";
    add_text(object, "method", method, strlen(method));
    add_text(object, "path", spec->path, strlen(spec->path));
    json_object_object_add(object, "status", json_object_new_int64(reply->status));
    add_text(object, "type", type, type ? strlen(type) : 0);
    add_text(object, "body", reply->body, reply->body_len);
    const char *line = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
    char *whole = NULL;
    int len = asprintf(&whole, "%s\n", line);
    if (len > 0 && write(fd, whole, (size_t)len) != len)
        fprintf(stderr, "exchanges: %s\n", strerror(errno));
    free(whole);
    free(type);
    json_object_put(object);
    close(fd);
}
