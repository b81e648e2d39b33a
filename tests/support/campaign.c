/* campaign.c: see campaign.h. */
#include "support/campaign.h"

#include "support/fixture.h"
#include "support/runner.h"

#include <stdio.h>

#define DENSE_UNDER_SANITIZERS 2
#define CUTS_UNDER_SANITIZERS 10

size_t campaign_next(size_t n, size_t dense)
{
    if (is_long_run())
        return n + 1;
    return n + 1 + n / (is_sanitized() ? DENSE_UNDER_SANITIZERS : dense);
}

/* ---- power cuts ---- */

static const struct cut cuts[] = {{100, 0, 0}, {0, 0, 0}, {50, 30, 0}, {90, 50, 20}, {50, 100, 50}, {15, 20, 100}};

static void record(const struct campaign *campaign, size_t operations)
{
    struct fault fault = {0};
    image_write(campaign->ground, folder);
    tape_begin(campaign->ground);
    disk_install(tape_hook);
    ck_assert_msg(campaign->run(&(struct watch){0}, &fault) == OK, "%s", fault.detail);
    disk_install(NULL);
    ck_assert_uint_gt(tape_length(), operations);
}

/* Leaves the files as after a cut. `about` becomes its name. */
static void cut_power(size_t length, struct cut cut, char *about, size_t size)
{
    struct image image = {0};
    snprintf(about, size, "cut behind operation %zu, kept %d%%, torn %d%%, noise %d%%", length, cut.kept, cut.torn,
             cut.noise);
    tape_cut(length, cut, &image);
    image_write(&image, folder);
    image_release(&image);
}

void campaign_cut(const struct campaign *campaign, size_t count, size_t operations, void (*reopen)(const char *about),
                  size_t finish_each)
{
    record(campaign, operations);
    size_t length = tape_length(), used = is_sanitized() ? count / CUTS_UNDER_SANITIZERS : count;
    for (size_t i = 0; i <= used; i++) {
        char about[96];
        cut_power(length * i / used, cuts[i % (sizeof cuts / sizeof *cuts)], about, sizeof about);
        reopen(about);
        campaign->check(about);
        if (i % finish_each == 0)
            campaign->finish(about);
    }
    printf("%zu cuts of %zu operations\n", used + 1, length);
    tape_release();
}

/* ---- faults ---- */

static const struct kind {
    const char *name;
    int calls;  /* enum disk_call */
    int answer; /* the result that SQLite gets */
} kinds[CAMPAIGN_FAULTS] = {
    {"write", DISK_WRITE, SQLITE_IOERR_WRITE},
    {"disk full", DISK_WRITE, SQLITE_FULL},
    {"sync", DISK_SYNC, SQLITE_IOERR_FSYNC},
    {"read", DISK_READ, SQLITE_IOERR_READ},
    {"truncate", DISK_TRUNCATE, SQLITE_IOERR_TRUNCATE},
};

static const struct kind *failing;
static size_t calls_left;

static int fail_call(struct disk_event *event)
{
    if (!((int)event->call & failing->calls) || calls_left == 0 || --calls_left > 0)
        return SQLITE_OK;
    return failing->answer;
}

/* Returns whether the fault has struck. */
static bool try_fault(const struct campaign *campaign, size_t n)
{
    char about[64];
    struct fault fault = {0};
    snprintf(about, sizeof about, "%s %zu fails", failing->name, n);
    image_write(campaign->ground, folder);
    calls_left = n;
    disk_install(fail_call);
    enum err err = campaign->run(&(struct watch){0}, &fault);
    disk_install(NULL);
    bool struck = calls_left == 0;
    ck_assert_msg(!err || struck, "%s: %s", about, fault.detail);
    campaign->check(about);
    if (n % 4 == 0)
        campaign->finish(about);
    return struck;
}

void campaign_fail(const struct campaign *campaign, int kind)
{
    size_t n = 1, tried = 0;
    failing = &kinds[kind];
    for (; try_fault(campaign, n); tried++)
        n = campaign_next(n, 10);
    printf("%s: %zu faults, the last of them n = %zu\n", failing->name, tried, n);
}

/* ---- a stop ---- */

static bool stop_later(void *ctx)
{
    size_t *asked = ctx;
    return *asked == 0 || --*asked == 0;
}

/* Returns whether the work ended before it was done. */
static bool try_stop(const struct campaign *campaign, size_t n)
{
    char about[64];
    struct fault fault = {0};
    struct watch watch = {.ctx = &n, .is_stopped = stop_later};
    snprintf(about, sizeof about, "stopped when asked %zu times", n);
    image_write(campaign->ground, folder);
    enum err err = campaign->run(&watch, &fault);
    campaign->check(about);
    if (!err)
        return false;
    ck_assert_msg(fault.is_stopped, "%s: %s", about, fault.detail);
    campaign->finish(about);
    return true;
}

void campaign_stop(const struct campaign *campaign)
{
    size_t stops = 0;
    for (size_t n = 1; try_stop(campaign, n); n = campaign_next(n, 8))
        stops++;
    ck_assert_uint_gt(stops, 3);
}
