/* zone_file.h: time zones by name, from the system's time zone database. Knows no parameter and no answer. */
#ifndef TIME_ZONE_FILE_H
#define TIME_ZONE_FILE_H

#include "base/err.h"
#include "base/text.h"
#include "time/zone.h"

#define ZONE_FILE_BYTES (16u * 1024) /* Hebron takes 3,872 in tzdata 2025b */

/* Reads the zone of this IANA name, such as Europe/Kyiv, from $TZDIR or /usr/share/zoneinfo; "UTC" needs no file.
 * ERR_PARAMETER_INVALID (and *fault untouched) when there is no such zone; ERR_UNAVAILABLE when there is no database,
 * or its file can't be read or is damaged. Some 10 us, so nothing is kept: a new tzdata is used at once. */
enum err zone_load(struct slice name, struct zone *ret_zone, struct fault *fault);

#endif
