/* form.h: what writing and reading a part share. Private to this room. */
#ifndef PART_FORM_H
#define PART_FORM_H

#include <stddef.h>
#include <stdint.h>

#define PART_FORMAT 1
#define PART_HAS_TABLE 64u
#define PART_MAX_WIDTH 57u /* a number that begins anywhere in a byte lies within 8 bytes */

/* Of bytes on disk, so the same in every process. It finds chance, not intent. */
uint64_t part_hash(const void *bytes, size_t len);

#endif
