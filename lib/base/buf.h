/* buf.h: the one growing byte buffer. It has a ceiling and remembers its first failure: write freely, look once. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *data;  /* NULL until the first write; not terminated, see buf_cstr */
    size_t len;  /* bytes written */
    size_t cap;  /* bytes allocated */
    size_t max;  /* ceiling in bytes */
    bool failed; /* a write was refused (ceiling or memory); later writes do nothing */
};

/* Makes an empty buffer that holds at most `max_bytes`. Allocates nothing. */
void buf_init(struct buf *buf, size_t max_bytes);

/* Frees the memory; the buffer is as after buf_init. */
void buf_release(struct buf *buf);

/* Forgets content and failure, keeps the memory. */
void buf_clear(struct buf *buf);

char *buf_grow(struct buf *buf, size_t n); /* for buf_reserve, where there is no room yet */

/* Makes room for `n` more bytes and returns where they go (commit with buf.len += n), or NULL after a failure. */
static inline char *buf_reserve(struct buf *buf, size_t n)
{
    bool fits =
        !buf->failed && n < buf->cap - buf->len && n <= buf->max - buf->len; /* so there is memory, also for 0 */
    return fits ? buf->data + buf->len : buf_grow(buf, n);
}

void buf_put(struct buf *buf, const void *bytes, size_t n);
void buf_puts(struct buf *buf, const char *text);
void buf_putc(struct buf *buf, char c);

/* Decimal, without allocation. */
void buf_put_i64(struct buf *buf, int64_t value);

/* For our own formats and short values only; never with client text. */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The content, NUL-terminated (the NUL is not counted), or NULL after a failure. */
const char *buf_cstr(struct buf *buf);

#endif
