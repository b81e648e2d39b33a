/* fuzz_when.c: times as text. Whatever the bytes: they are accepted if they have one of the forms listed here, as the
 * instant that the C library's timegm gives for the same digits; and a printed instant is read back as the same.
 *
 * Planted to see it fail, and found: 29 February 2100, an offset of +14:59, hour 24, a tenth
 * digit of fraction, an offset added in place of taken away. */
#include "fuzz.h"
#include "time/when.h"

#include <stdbool.h>
#include <time.h>

/* The accepted forms: 0 stands for a digit, the rest for itself. ? is one of "Tt ", , is one of ".,", = is a sign, z is
 * one of "Zz", and * is one to nine digits. */
static const char *const days[] = {"0000-00-00", NULL};
static const char *const clocks[] = {"?00:00", "?00:00:00", "?00:00:00,*", NULL};
static const char *const zones[] = {"", "z", "=00:00", "=0000", "=00", NULL};

static bool fits(char wanted, char c)
{
    switch (wanted) {
    case '0':
        return c >= '0' && c <= '9';
    case '?':
        return c == 'T' || c == 't' || c == ' ';
    case ',':
        return c == '.' || c == ',';
    case '=':
        return c == '+' || c == '-';
    case 'z':
        return c == 'Z' || c == 'z';
    default:
        return c == wanted;
    }
}

/* The place after `form` in the text, or NULL when the text at `at` has another form. */
static const char *match(const char *form, const char *at, const char *end)
{
    for (; *form; form++) {
        const char *digits = at;
        while (*form == '*' && at < end && fits('0', *at))
            at++;
        if (*form == '*' && (at == digits || at - digits > 9))
            return NULL;
        if (*form != '*' && (at == end || !fits(*form, *at++)))
            return NULL;
    }
    return at;
}

static int number(const char *at, int digits)
{
    int value = 0;
    for (; digits > 0; digits--)
        value = value * 10 + (*at++ - '0');
    return value;
}

/* A date and time as written, and its zone in seconds east. */
struct written {
    struct tm tm;
    bool date_only;
    bool fraction;
    bool has_zone;
    int zone;
};

/* Fills in the time of day and the zone, which begin at `at`. False when they have none of the forms. */
static bool find_clock(const char *at, const char *end, struct written *written)
{
    for (size_t c = 0; clocks[c]; c++)
        for (size_t z = 0; zones[z]; z++) {
            const char *zone = match(clocks[c], at, end);
            if (!zone || match(zones[z], zone, end) != end)
                continue;
            written->tm.tm_hour = number(at + 1, 2);
            written->tm.tm_min = number(at + 4, 2);
            written->tm.tm_sec = c > 0 ? number(at + 7, 2) : 0;
            written->has_zone = z > 0;
            for (const char *digit = at + 10; c == 2 && digit < zone; digit++)
                written->fraction |= *digit != '0';
            if (zones[z][0] == '=')
                written->zone = number(zone + 1, 2) * 60 + (z == 4 ? 0 : number(end - 2, 2));
            if (zones[z][0] == '=' && z != 4 && number(end - 2, 2) > 59)
                return false;
            written->zone *= zones[z][0] == '=' && *zone == '-' ? -60 : 60;
            return true;
        }
    return false;
}

static bool find_form(const char *text, size_t len, struct written *ret_written)
{
    const char *end = text + len, *at = match(days[0], text, end);
    *ret_written = (struct written){.date_only = true};
    if (!at)
        return false;
    ret_written->tm.tm_year = number(text, 4) - 1900;
    ret_written->tm.tm_mon = number(text + 5, 2) - 1;
    ret_written->tm.tm_mday = number(text + 8, 2);
    if (at == end)
        return true;
    ret_written->date_only = false;
    return find_clock(at, end, ret_written);
}

/* timegm normalises a field that is out of range: if a field has changed, the time is refused. */
static bool instant(const struct written *written, int64_t *ret_seconds)
{
    struct tm tm = written->tm;
    if (tm.tm_year < 70 || tm.tm_year > 1099 || written->zone > 14 * 3600 || written->zone < -14 * 3600)
        return false;
    int64_t local = timegm(&tm);
    if (tm.tm_mday != written->tm.tm_mday || tm.tm_mon != written->tm.tm_mon || tm.tm_hour != written->tm.tm_hour ||
        tm.tm_min != written->tm.tm_min || tm.tm_sec != written->tm.tm_sec)
        return false;
    *ret_seconds = local - written->zone;
    return *ret_seconds >= 0 && *ret_seconds < INT64_C(32503680000); /* 3000-01-01 */
}

static void check_printed(int64_t seconds)
{
    char text[WHEN_TEXT_BYTES], iso[WHEN_ISO_BYTES];
    struct when again;
    when_format(seconds, text);
    CHECK(when_parse(slice_of(text), &again) && again.seconds == seconds && !again.date_only);
    when_format_iso_ms(seconds * 1000 + 7, iso);
    CHECK(when_parse(slice_of(iso), &again) && again.seconds == seconds && again.has_fraction);
    struct civil civil = when_civil_from_days(when_floor(seconds, WHEN_DAY) / WHEN_DAY);
    CHECK(when_days_from_civil(civil) * WHEN_DAY <= seconds);
    CHECK(when_days_from_civil(civil) * WHEN_DAY > seconds - WHEN_DAY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct written written;
    struct when when;
    int64_t seconds;
    char *text = fuzz_copy(data, size);
    bool taken = when_parse((struct slice){text, size}, &when);
    CHECK(taken == (find_form(text, size, &written) && instant(&written, &seconds)));
    free(text);
    if (!taken)
        return 0;
    CHECK(when.seconds == seconds && when.date_only == written.date_only);
    CHECK(when.has_fraction == written.fraction && when.offset_seconds == written.zone);
    CHECK(when.has_zone == written.has_zone);
    check_printed(seconds);
    return 0;
}
