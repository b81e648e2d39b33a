/* fastcgi.c: records of the FastCGI specification, section 3.3. */
#include "fastcgi.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum type { BEGIN_REQUEST = 1, END_REQUEST = 3, PARAMS = 4, STDIN = 5, STDOUT = 6 };

#define RECORD 8000

static FILE *open_text(char **text, size_t *len)
{
    FILE *file = open_memstream(text, len);
    if (!file)
        abort();
    return file;
}

static void put_record(FILE *out, enum type type, const char *data, size_t len)
{
    const unsigned char header[8] = {1, (unsigned char)type, 0, 1, (unsigned char)(len >> 8), (unsigned char)len, 0, 0};
    fwrite(header, 1, sizeof header, out);
    fwrite(data, 1, len, out);
}

/* The data in as many records as it takes, and the empty record that ends a stream. */
static void put_stream(FILE *out, enum type type, const char *data, size_t len)
{
    for (size_t done = 0; done < len; done += RECORD)
        put_record(out, type, data + done, len - done < RECORD ? len - done : RECORD);
    put_record(out, type, "", 0);
}

static void put_params(FILE *out, const char *const *params)
{
    char *text = NULL;
    size_t len = 0;
    FILE *pairs = open_text(&text, &len);
    for (; *params; params += 2) {
        fputc((int)strlen(params[0]), pairs);
        fputc((int)strlen(params[1]), pairs);
        fputs(params[0], pairs);
        fputs(params[1], pairs);
    }
    fclose(pairs);
    put_stream(out, PARAMS, text, len);
    free(text);
}

char *fastcgi_request(const char *const *params, const char *body, size_t body_len, size_t *ret_len)
{
    static const char responder[8] = {0, 1};
    char *bytes = NULL;
    FILE *out = open_text(&bytes, ret_len);
    put_record(out, BEGIN_REQUEST, responder, sizeof responder);
    put_params(out, params);
    put_stream(out, STDIN, body, body_len);
    fclose(out);
    return bytes;
}

char *fastcgi_answer(int fd, int *ret_whole)
{
    unsigned char header[8];
    char content[65536 + 256], *text = NULL;
    size_t text_len = 0;
    FILE *out = open_text(&text, &text_len);
    *ret_whole = 0;
    while (recv(fd, header, sizeof header, MSG_WAITALL) == sizeof header) {
        size_t len = ((size_t)header[4] << 8) + header[5], all = len + header[6];
        if (all && recv(fd, content, all, MSG_WAITALL) != (ssize_t)all)
            break;
        if (header[1] == STDOUT)
            fwrite(content, 1, len, out);
        *ret_whole |= header[1] == END_REQUEST;
    }
    fclose(out);
    return text;
}
