/* watch.c: a long command of analyticsctl while it works: one line of progress on a terminal, and the signals that
 * end it. Knows terminals and clocks. Does not know what the work is. */
#include "ctl/ctl.h"

#include "time/mono.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define LINE_MS 200   /* how often the line is written */
#define RATE_MS 1000  /* a rate is known after that long */
#define LINE_CHARS 79 /* so that it never wraps */

static const int ending_signals[] = {SIGHUP, SIGINT, SIGTERM};

static volatile sig_atomic_t stopped_by;
static volatile sig_atomic_t ends_at_once;
static volatile sig_atomic_t line_chars; /* of the line that stands there; 0: none */

static bool is_terminal;
static const char *step;
static int64_t step_began_ms, written_ms;

/* ---- signals ---- */

static void stop(int number)
{
    stopped_by = number;
    if (!ends_at_once)
        return;
    if (line_chars && write(STDERR_FILENO, "\n", 1) < 0)
        _exit(128 + number);
    _exit(128 + number);
}

void ctl_watch_begin(bool at_once)
{
    struct sigaction action = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND};
    is_terminal = isatty(STDERR_FILENO) == 1;
    ends_at_once = at_once;
    for (size_t i = 0; i < sizeof ending_signals / sizeof *ending_signals; i++)
        sigaction(ending_signals[i], &action, NULL);
}

bool ctl_watch_is_stopped(void *ctx)
{
    (void)ctx;
    return stopped_by != 0;
}

int ctl_watch_status(void)
{
    return stopped_by ? 128 + stopped_by : 0;
}

int ctl_fault_of_work(const struct fault *fault, const char *stopped)
{
    if (!stopped_by || !fault->is_stopped)
        return ctl_fault(fault);
    ctl_fail("%s", stopped);
    return ctl_watch_status();
}

/* ---- the line ---- */

/* Over the line before, to its end. */
static void put_line(const char *text)
{
    int chars = (int)strlen(text);
    fprintf(stderr, "\r%s%*s", text, line_chars > chars ? (int)line_chars - chars : 0, "");
    if (line_chars > chars)
        fprintf(stderr, "\r%s", text);
    fflush(stderr);
    line_chars = chars;
}

/* How much is done in a second, once that is known; else 0. */
static int64_t rate_of(const struct progress *progress, int64_t took_ms)
{
    return took_ms >= RATE_MS ? progress->done * 1000 / took_ms : 0;
}

/* " 42 MiB, 12 MiB/s": for work whose length is not known. */
static void format_endless(const struct progress *progress, int64_t took_ms, char *text, size_t size)
{
    int64_t rate = rate_of(progress, took_ms);
    int len = snprintf(text, size, " %lld %s", (long long)(progress->done ? progress->done : took_ms / 1000),
                       progress->done ? progress->unit : "s");
    if (rate > 0)
        snprintf(text + len, size - (size_t)len, ", %lld %s/s", (long long)rate, progress->unit);
}

/* " 42 %, 512000 logs/s, 11 s left": the last two once they are known. */
static void format_rate(const struct progress *progress, int64_t took_ms, char *text, size_t size)
{
    int64_t done = progress->done < progress->total ? progress->done : progress->total;
    int64_t rate = rate_of(progress, took_ms);
    int len = snprintf(text, size, " %d %%", (int)(done * 100 / progress->total));
    if (rate > 0)
        snprintf(text + len, size - (size_t)len, ", %lld %s/s, %lld s left", (long long)rate, progress->unit,
                 (long long)((progress->total - done + rate - 1) / rate));
}

void ctl_watch_progress(void *ctx, const struct progress *progress)
{
    (void)ctx;
    char rate[64], line[LINE_CHARS + 1];
    int64_t now = is_terminal ? mono_us() / 1000 : 0;
    if (!is_terminal || (progress->step == step && now - written_ms < LINE_MS))
        return;
    if (progress->step != step)
        step_began_ms = now;
    step = progress->step;
    written_ms = now;
    if (progress->total > 0)
        format_rate(progress, now - step_began_ms, rate, sizeof rate);
    else
        format_endless(progress, now - step_began_ms, rate, sizeof rate);
    snprintf(line, sizeof line, "%s:%s", step, rate);
    put_line(line);
}

void ctl_watch_end(void)
{
    if (line_chars) {
        put_line("");
        fputc('\r', stderr);
    }
}
