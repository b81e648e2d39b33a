/* demo.c: analyticsctl demo. Knows the command line, and how a folder of made-up logs comes to be. Leaves the logs
 * to demo_traffic.c, the folder to init. */
#include "ctl/ctl.h"

#include "ctl/demo_traffic.h"
#include "time/when.h"
#include "store/sqlite/sqlite.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

#define DEFAULT_DAYS 30
#define MOST_DAYS 3660
#define DEFAULT_LOGS 200000
#define MOST_LOGS 1000000000
#define BATCH_LOGS 5000
#define GROUP_BATCHES 4
#define SERVE_USER "www-data" /* as whom ./serve runs when root starts it */

/* ---- the command line ---- */

/* To the end of the quarter of an hour in which --until lies; a date alone goes to the end of its day. */
static int parse_until(const struct ctl *ctl, int64_t *ret_until)
{
    struct when when = {.seconds = ctl->now};
    int status = ctl_parse_when(ctl->option[CTL_UNTIL], "--until", &when);
    if (status)
        return status;
    *ret_until = when_ceil(when.seconds + (when.date_only ? WHEN_DAY : 0), WHEN_QUARTER);
    return CTL_OK;
}

static int parse_plan(const struct ctl *ctl, struct demo_plan *ret_plan)
{
    int64_t days = DEFAULT_DAYS, seed = 1;
    ret_plan->logs = DEFAULT_LOGS;
    int status = ctl_parse_integer(ctl->option[CTL_DAYS], "--days", 1, MOST_DAYS, &days);
    if (!status)
        status = ctl_parse_integer(ctl->option[CTL_LOGS], "--logs", 1, MOST_LOGS, &ret_plan->logs);
    if (!status)
        status = ctl_parse_id(ctl->option[CTL_SEED], "--seed", &seed);
    if (!status)
        status = parse_until(ctl, &ret_plan->until);
    ret_plan->seed = (uint64_t)seed;
    ret_plan->from = ret_plan->until - days * WHEN_DAY;
    if (!status && ret_plan->from < 0)
        status = ctl_misuse("--days must not go back before 1970, but is \"%lld\"", (long long)days);
    return status;
}

/* ---- the folder ---- */

static bool is_empty_folder(const char *path)
{
    DIR *folder = opendir(path);
    int entries = 0;
    while (folder && readdir(folder))
        entries++;
    if (folder)
        closedir(folder);
    return entries == 2; /* . and .. */
}

/* An empty folder of root's becomes the user's, as with ./serve. */
static int give_empty_folder(const char *path, const char *user)
{
    struct stat folder;
    const struct passwd *owner = getpwnam(user);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int status = CTL_OK;
    if (owner && fd >= 0 && fstat(fd, &folder) == 0 && folder.st_uid == 0 && is_empty_folder(path) &&
        fchown(fd, owner->pw_uid, owner->pw_gid) < 0)
        status = ctl_fail("can't give %s to user %s: %s", path, user, strerror(errno));
    if (fd >= 0)
        close(fd);
    return status;
}

static bool is_there(const char *path)
{
    struct stat ignored;
    return stat(path, &ignored) == 0;
}

/* A folder that root makes belongs to the user of the service. A folder that is not empty keeps its owner. */
static int make_folder(const struct ctl *ctl)
{
    struct ctl init = *ctl;
    const char *owner = ctl->option[CTL_OWNER];
    bool there = is_there(ctl->data_dir);
    if (!owner && geteuid() == 0 && getpwnam(SERVE_USER) && (!there || is_empty_folder(ctl->data_dir)))
        owner = SERVE_USER;
    int status = owner && there && geteuid() == 0 ? give_empty_folder(ctl->data_dir, owner) : CTL_OK;
    init.option[CTL_OWNER] = owner;
    sqlite_setup(true);
    return status ? status : ctl_init(&init);
}

/* All that stands in the folder, and in those below it. */
static void empty_folder(int folder)
{
    DIR *entries = folder >= 0 ? fdopendir(folder) : NULL;
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            unlinkat(folder, entry->d_name, 0) == 0)
            continue;
        empty_folder(openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        unlinkat(folder, entry->d_name, AT_REMOVEDIR);
    }
    if (entries)
        closedir(entries);
    else if (folder >= 0)
        close(folder);
}

/* Removes what a failed demo has made, which would be in the way of the next. The folder itself stays if it was there
 * before, or if its owner has no right to remove it. */
static void take_back(const struct ctl *ctl, bool was_there)
{
    empty_folder(open(ctl->data_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!was_there)
        rmdir(ctl->data_dir);
}

static int check_empty(struct store_writer *writer, const char *data_dir)
{
    struct fault fault;
    bool empty = false;
    if (sqlite_is_empty(sqlite_writer_of(writer), &empty, &fault))
        return ctl_fault(&fault);
    return empty ? CTL_OK : ctl_fail("%s has logs already; demo is for a folder of its own: --data DIR", data_dir);
}

/* ---- the logs ---- */

struct group {
    struct batch batches[GROUP_BATCHES];
    size_t count;
    int64_t logs;
};

static enum err fill_group(struct demo_traffic *traffic, struct group *group)
{
    group->count = 0;
    group->logs = 0;
    enum err err = OK;
    while (!err && group->count < GROUP_BATCHES) {
        struct batch *batch = &group->batches[group->count];
        batch_init(batch, NULL);
        err = demo_next(traffic, BATCH_LOGS, batch);
        if (batch->log_count == 0) {
            batch_release(batch);
            break;
        }
        group->logs += batch->log_count;
        group->count++;
    }
    return err;
}

static void release_group(struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        batch_release(&group->batches[i]);
}

static int write_group(struct store_writer *writer, const struct group *group, int64_t now)
{
    struct store_item items[GROUP_BATCHES];
    struct watch watch = {.is_stopped = ctl_watch_is_stopped};
    for (size_t i = 0; i < group->count; i++)
        items[i] = (struct store_item){.batch = &group->batches[i], .caller = "analyticsctl demo"};
    struct store_times times;
    store_write(writer, items, group->count, now, &times);
    struct fault fault;
    for (size_t i = 0; i < group->count; i++)
        if (items[i].result)
            return ctl_fault(&items[i].fault);
    return sqlite_tend(sqlite_writer_of(writer), now, &watch, &fault) ? ctl_fault(&fault) : CTL_OK;
}

static int write_logs(const struct ctl *ctl, const struct demo_plan *plan, struct demo_traffic *traffic,
                      struct store_writer *writer)
{
    struct group group;
    struct progress progress = {.step = "making logs", .unit = "logs", .total = plan->logs};
    int status = CTL_OK;
    do {
        status = fill_group(traffic, &group) ? ctl_fail("out of memory") : CTL_OK;
        if (!status && group.count > 0)
            status = write_group(writer, &group, ctl->now);
        progress.done += group.logs;
        ctl_watch_progress(NULL, &progress);
        release_group(&group);
    } while (!status && group.logs > 0 && !ctl_watch_is_stopped(NULL));
    return status;
}

static int settle(const struct ctl *ctl, struct store_writer *writer)
{
    struct fault fault;
    struct watch watch = {.is_stopped = ctl_watch_is_stopped};
    return sqlite_settle(sqlite_writer_of(writer), ctl->now, &watch, &fault) ? ctl_fault(&fault) : CTL_OK;
}

static int fill(const struct ctl *ctl, const struct demo_plan *plan, struct store_writer *writer)
{
    struct demo_traffic *traffic = demo_open(plan);
    if (!traffic)
        return ctl_fail("out of memory");
    int status = write_logs(ctl, plan, traffic, writer);
    if (!status)
        status = settle(ctl, writer);
    ctl_watch_end();
    demo_close(traffic);
    return ctl_watch_is_stopped(NULL) ? ctl_watch_status() : status;
}

static void say_how_to_look(const struct ctl *ctl, const struct demo_plan *plan)
{
    char from[WHEN_TEXT_BYTES], until[WHEN_TEXT_BYTES];
    when_format(plan->from, from);
    when_format(plan->until, until);
    ctl_say("%lld logs from %s to %s UTC.", (long long)plan->logs, from, until);
    ctl_say("To look at them: ./serve --data %s", ctl->data_dir);
    ctl_say("and open http://127.0.0.1:8080/analytics/dashboard/ with the key in %s/keys/admin.key", ctl->data_dir);
}

static int make_logs(const struct ctl *ctl, const struct demo_plan *plan)
{
    struct fault fault;
    struct store_writer *writer = NULL;
    if (store_writer_open(store_in(ctl->data_dir), &writer, &fault))
        return ctl_fault(&fault);
    int status = check_empty(writer, ctl->data_dir);
    if (!status)
        status = fill(ctl, plan, writer);
    store_writer_close(writer);
    return status;
}

int ctl_demo(const struct ctl *ctl)
{
    struct demo_plan plan;
    int status = parse_plan(ctl, &plan);
    if (status)
        return status;
    ctl_watch_begin(false);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error like a full disk */
    bool was_there = is_there(ctl->data_dir);
    bool is_ours = !was_there || is_empty_folder(ctl->data_dir);
    status = make_folder(ctl);
    if (!status)
        status = make_logs(ctl, &plan);
    if (!status)
        say_how_to_look(ctl, &plan);
    else if (is_ours)
        take_back(ctl, was_there);
    if (status && ctl_watch_is_stopped(NULL))
        ctl_fail("stopped; %s", is_ours ? "what was made is removed again" : "the folder has a part of the logs");
    return status;
}
