/* form.h: what writing and reading a part share. Private to this room. */
#ifndef PART_FORM_H
#define PART_FORM_H

#include "log/batch.h"

#include <stddef.h>
#include <stdint.h>

#define PART_FORMAT 1
#define PART_HAS_TABLE 64u
#define PART_MAX_WIDTH 57u                  /* a number that begins anywhere in a byte lies within 8 bytes */
#define PART_WIDE (INT64_C(4294967296) + 1) /* the first IPv6 address */

/* Of bytes on disk, so the same in every process. It finds chance, not intent. */
uint64_t part_hash(const void *bytes, size_t len);

/* The number of an address that is none, or of IPv4. */
int64_t part_narrow_number(const struct ip *ip);

#endif
