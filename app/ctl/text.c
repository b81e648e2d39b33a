/* text.c: sizes, counts, spans and times in words. Knows no command. */
#include "ctl/text.h"

#include "ctl/ctl.h"
#include "time/when.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

#define YEAR_3000 INT64_C(32503680000)

const char *ctl_size_text(int64_t bytes, char ret_text[CTL_FIGURE_BYTES])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(ret_text, CTL_FIGURE_BYTES, "%lld bytes", (long long)bytes);
        return ret_text;
    }
    double value = (double)bytes / 1024;
    size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    snprintf(ret_text, CTL_FIGURE_BYTES, "%.*f %s", value < 99.95 ? 1 : 0, value, units[unit]);
    return ret_text;
}

const char *ctl_count_text(int64_t count, char ret_text[CTL_FIGURE_BYTES])
{
    char digits[CTL_FIGURE_BYTES];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)count);
    char *out = ret_text;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return ret_text;
}

const char *ctl_span_text(int64_t seconds, char ret_text[CTL_FIGURE_BYTES])
{
    if (seconds < 120)
        snprintf(ret_text, CTL_FIGURE_BYTES, "%lld s", (long long)seconds);
    else if (seconds < 2 * WHEN_HOUR)
        snprintf(ret_text, CTL_FIGURE_BYTES, "%lld min", (long long)seconds / 60);
    else if (seconds < 2 * WHEN_DAY)
        snprintf(ret_text, CTL_FIGURE_BYTES, "%lld h", (long long)seconds / WHEN_HOUR);
    else
        snprintf(ret_text, CTL_FIGURE_BYTES, "%lld days", (long long)seconds / WHEN_DAY);
    return ret_text;
}

bool ctl_is_time(int64_t seconds)
{
    return seconds > 0 && seconds < YEAR_3000;
}

void ctl_put_clock(int64_t seconds, const char *none, char ret_text[CTL_FIGURE_BYTES])
{
    if (ctl_is_time(seconds))
        when_format(seconds, ret_text);
    else
        snprintf(ret_text, CTL_FIGURE_BYTES, "%s", seconds == 0 ? none : "?");
}

static const char *time_text(int64_t seconds, char ret_text[CTL_FIGURE_BYTES])
{
    char time[WHEN_TEXT_BYTES];
    when_format(seconds, time);
    snprintf(ret_text, CTL_FIGURE_BYTES, "%s UTC", time);
    return ret_text;
}

const char *ctl_time_text(int64_t seconds, const char *none, char ret_text[CTL_FIGURE_BYTES])
{
    if (!ctl_is_time(seconds))
        return seconds == 0 ? none : "?";
    return time_text(seconds, ret_text);
}

const char *ctl_log_time_text(int64_t seconds, char ret_text[CTL_FIGURE_BYTES])
{
    return seconds == 0 || ctl_is_time(seconds) ? time_text(seconds, ret_text) : "?";
}
