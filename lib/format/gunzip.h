/* gunzip.h: gzip (RFC 1952) in pieces, with a ceiling. The only user of zlib. */
#ifndef FORMAT_GUNZIP_H
#define FORMAT_GUNZIP_H

#include "base/err.h"

#include <stddef.h>

struct gunzip; /* opaque */

/* Called with each piece of inflated data; anything but OK stops and is returned. */
typedef enum err (*gunzip_sink)(void *ctx, const char *data, size_t len, struct fault *fault);

/* At most `max_bytes` come out (over it: ERR_BODY_TOO_LARGE). NULL when out of memory. */
struct gunzip *gunzip_open(size_t max_bytes, gunzip_sink sink, void *ctx);
void gunzip_close(struct gunzip *gunzip);

/* Feeds compressed bytes. Several members one after the other are one stream (RFC 1952, 2.2). Not gzip, a bad checksum,
 * or bytes after the last member: ERR_BODY_INVALID. */
enum err gunzip_feed(struct gunzip *gunzip, const char *data, size_t len, struct fault *fault);

/* OK when a member ended exactly here; else ERR_BODY_INVALID (cut short, or empty). */
enum err gunzip_finish(struct gunzip *gunzip, struct fault *fault);

#endif
