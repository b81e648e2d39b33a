/* when.h: instants and civil time, UTC. Knows the proleptic Gregorian calendar and ISO 8601. Does not know what time it
 * is now. */
#ifndef TIME_WHEN_H
#define TIME_WHEN_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Instants are seconds since 1970-01-01 00:00:00 UTC, without leap seconds. Accepted years: 1970 to 2999. */
#define WHEN_DAY 86400
#define WHEN_QUARTERS_OF_DAY (WHEN_DAY / WHEN_QUARTER)
#define WHEN_HOUR 3600
#define WHEN_QUARTER 900
#define WHEN_TEXT_BYTES 20 /* "YYYY-MM-DD HH:MM:SS" and a NUL */

struct civil {
    int year;  /* 1970 … 2999 */
    int month; /* 1 … 12 */
    int day;   /* 1 … 31 */
};

/* What was written in a date or date-time. */
struct when {
    int64_t seconds;   /* the instant, rounded down to a second; a date alone is its 00:00:00 */
    bool has_fraction; /* a fraction other than zero was cut off */
    bool date_only;
    int offset_seconds; /* the zone as written, east positive; 0 when none was */
    bool has_zone;      /* else the reader's own zone is meant, and `seconds` counts what its clocks show */
};

/* Parses the whole of `text`: YYYY-MM-DD, YYYY-MM-DD HH:MM:SS, or ISO 8601
 * YYYY-MM-DDTHH:MM[:SS[.fraction]][Z|±hh:mm|±hhmm|±hh] (a space may stand for the T, the comma for the point;
 * lower-case t and z too; 1 to 9 digits of fraction). Without a zone, `seconds` is as for UTC. Refuses impossible
 * dates, 24:00, second 60, offsets over 14:00, years before 1970 and after 2999, and instants before 1970-01-01
 * 00:00:00 UTC. */
bool when_parse(struct slice text, struct when *ret_when);

/* Says what is wrong with a text that when_parse refuses, for messages like "must be …, but …": "the year is not from
 * 1970 to 2999", "second 60 (a leap second) is not accepted". Static. */
const char *when_fault(struct slice text);

/* Days since 1970-01-01 of a civil date, and back. */
int64_t when_days_from_civil(struct civil civil);
struct civil when_civil_from_days(int64_t days);

/* `civil` moved by `months` (may be negative), the day clamped to the month's length: 31 January + 1 is 28 or 29
 * February. */
struct civil when_add_months(struct civil civil, int months);

/* "YYYY-MM-DD HH:MM:SS". */
void when_format(int64_t seconds, char ret_text[WHEN_TEXT_BYTES]);

/* "YYYY-MM-DDTHH:MM:SS.mmmZ" for error bodies and logs; `ret_text` holds 25 bytes. */
#define WHEN_ISO_BYTES 25
void when_format_iso_ms(int64_t milliseconds, char ret_text[WHEN_ISO_BYTES]);

/* Rounds toward minus infinity / plus infinity to a multiple of `width` seconds. */
int64_t when_floor(int64_t seconds, int64_t width);
int64_t when_ceil(int64_t seconds, int64_t width);

#endif
