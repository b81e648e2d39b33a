/* tzif.h: the bytes of a time zone file (RFC 8536) as a zone. Knows no file system. */
#ifndef TIME_TZIF_H
#define TIME_TZIF_H

#include "time/zone.h"

#include <stdbool.h>
#include <stddef.h>

/* True when the bytes begin as every such file does. */
bool tzif_begins(const unsigned char *bytes, size_t size);

/* False when the bytes are not a whole file of version 2 or later, count leap seconds, or list more changes than a zone
 * holds. Changes before 1969 are left out. */
bool tzif_parse(const unsigned char *bytes, size_t size, struct zone *ret_zone);

#endif
