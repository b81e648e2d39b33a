/* buf.c: growth, ceiling and first failure of the byte buffer. Knows nothing of what is written. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

#define FIRST_CAP 256u

void buf_init(struct buf *buf, size_t max_bytes)
{
    *buf = (struct buf){.max = max_bytes};
}

void buf_release(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

/* Doubles until `need` bytes fit, but never allocates more than the ceiling and a NUL. */
static size_t grown_cap(const struct buf *buf, size_t need)
{
    size_t most = buf->max < SIZE_MAX ? buf->max + 1 : buf->max;
    size_t cap = buf->cap ? buf->cap : FIRST_CAP;
    while (cap < need && cap <= most / 2)
        cap *= 2;
    return cap < need || cap > most ? most : cap;
}

/* Room for `n` more bytes of content and `spare` that the ceiling does not count. */
static bool make_room(struct buf *buf, size_t n, size_t spare)
{
    if (buf->failed)
        return false;
    buf->failed = n > buf->max - buf->len || n > SIZE_MAX - buf->len - spare;
    if (buf->failed)
        return false;
    size_t need = buf->len + n + spare;
    if (need <= buf->cap && buf->data)
        return true;
    size_t cap = grown_cap(buf, need ? need : 1);
    char *data = realloc(buf->data, cap);
    buf->failed = !data;
    if (!data)
        return false;
    buf->data = data;
    buf->cap = cap;
    return true;
}

char *buf_grow(struct buf *buf, size_t n)
{
    return make_room(buf, n, 0) ? buf->data + buf->len : NULL;
}

void buf_put(struct buf *buf, const void *bytes, size_t n)
{
    if (n == 0 || !make_room(buf, n, 0))
        return;
    memcpy(buf->data + buf->len, bytes, n);
    buf->len += n;
}

void buf_puts(struct buf *buf, const char *text)
{
    buf_put(buf, text, strlen(text));
}

void buf_putc(struct buf *buf, char c)
{
    buf_put(buf, &c, 1);
}

void buf_put_i64(struct buf *buf, int64_t value)
{
    char digits[20];
    char *at = digits + sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--at = '-';
    buf_put(buf, at, (size_t)(digits + sizeof digits - at));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (wanted < 0)
        buf->failed = true;
    if (wanted < 0 || !make_room(buf, (size_t)wanted, 1))
        return;
    va_start(arguments, format);
    vsnprintf(buf->data + buf->len, (size_t)wanted + 1, format, arguments);
    va_end(arguments);
    buf->len += (size_t)wanted;
}

const char *buf_cstr(struct buf *buf)
{
    if (!make_room(buf, 0, 1))
        return NULL;
    buf->data[buf->len] = '\0';
    return buf->data;
}
