/* doctor.c: analyticsctl doctor: looks at everything that a service needs, each thing for itself, and says what to
 * do. Knows what is well and what is not. Changes nothing, and is most useful where nothing works. */
#include "config.h"

#include "ctl/ctl.h"
#include "ctl/engine.h"

#include "db/files.h"
#include "db/swap.h"
#include "ctl/json.h"
#include "ctl/nginx.h"
#include "ctl/probe.h"
#include "ctl/text.h"
#include "ctl/unit.h"
#include "base/limit.h"
#include "keys/keys.h"
#include "store/clickhouse/care.h"
#include "store/sqlite/spool/spool.h"
#include "store/sqlite/status.h"
#include "process/settings.h"
#include "base/text.h"
#include "time/when.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <unistd.h>

#include "base/banned.h"

#define SOCKETS "/run/fonproxy-analytics"
#define WORDS_BYTES 1024
#define MIB (INT64_C(1) << 20)
#define FEW_BYTES (256 * MIB) /* less room than this is trouble soon, whatever comes in */
#define DAYS_AHEAD 14         /* keys that end, disks that fill: told so long before */
#define MOST_DAYS 36500       /* a disk that lasts longer lasts */

enum level { FINE, WARNING, TROUBLE };

struct doctor {
    const struct ctl *ctl;
    const char *sockets;
    int counts[TROUBLE + 1];
    struct json_object *json; /* NULL: in words */
    struct json_object *findings;
    struct stat folder; /* st_mode 0: there is none */
};

/* ---- what is found ---- */

static const char *const level_names[] = {[FINE] = "ok", [WARNING] = "warn", [TROUBLE] = "FAIL"};

/* `advice`: what to do; NULL where all is well. */
static void find(struct doctor *doctor, enum level level, const char *check, const char *advice, const char *format,
                 ...) __attribute__((format(printf, 5, 6)));
static void find(struct doctor *doctor, enum level level, const char *check, const char *advice, const char *format,
                 ...)
{
    va_list args;
    va_start(args, format);
    char words[WORDS_BYTES];
    vsnprintf(words, sizeof words, format, args);
    va_end(args);
    doctor->counts[level]++;
    if (!doctor->json) {
        ctl_say("%-4s  %-9s %s%s%s", level_names[level], check, words, advice ? " — " : "", advice ? advice : "");
        return;
    }
    struct json_object *finding = ctl_json_item(doctor->findings);
    ctl_json_text(finding, "level", level_names[level]);
    ctl_json_text(finding, "check", check);
    ctl_json_text(finding, "message", words);
    if (advice)
        ctl_json_text(finding, "advice", advice);
}

static const char *user_name(uid_t uid, char text[CTL_FIGURE_BYTES])
{
    const struct passwd *user = getpwuid(uid);
    if (user)
        snprintf(text, CTL_FIGURE_BYTES, "%s", user->pw_name);
    else
        snprintf(text, CTL_FIGURE_BYTES, "user %u", uid);
    return text;
}

static const char *group_name(gid_t gid, char text[CTL_FIGURE_BYTES])
{
    const struct group *group = getgrgid(gid);
    if (group)
        snprintf(text, CTL_FIGURE_BYTES, "%s", group->gr_name);
    else
        snprintf(text, CTL_FIGURE_BYTES, "group %u", gid);
    return text;
}

/* ---- folder and files ---- */

static void check_folder(struct doctor *doctor)
{
    char owner[CTL_FIGURE_BYTES];
    const char *path = doctor->ctl->data_dir;
    struct stat *st = &doctor->folder;
    if (stat(path, st) != 0) {
        find(doctor, TROUBLE, "folder", "run analyticsctl --data DIR init, or give the right --data", "%s: %s", path,
             strerror(errno));
        *st = (struct stat){0};
    } else if (!S_ISDIR(st->st_mode)) {
        find(doctor, TROUBLE, "folder", "give the right --data", "%s is not a folder", path);
        *st = (struct stat){0};
    } else if (st->st_mode & 077) {
        find(doctor, TROUBLE, "folder", "run chmod 700 on it", "%s is open to other users (mode %04o)", path,
             st->st_mode & 07777);
    } else {
        find(doctor, FINE, "folder", NULL, "only %s can enter %s", user_name(st->st_uid, owner), path);
    }
}

/* True when something was wrong. */
static bool check_file(struct doctor *doctor, const char *name, bool must_be)
{
    char path[CTL_PATH_BYTES], owner[CTL_FIGURE_BYTES], due[CTL_FIGURE_BYTES];
    struct stat st;
    bool is_there = !ctl_path_in(doctor->ctl, name, path) && lstat(path, &st) == 0;
    if (!is_there && errno == ENOENT && !must_be)
        return false;
    if (!is_there)
        find(doctor, TROUBLE, "files", errno == ENOENT ? "run analyticsctl init, or restore a backup" : NULL, "%s: %s",
             path, strerror(errno));
    else if (st.st_uid != doctor->folder.st_uid)
        find(doctor, TROUBLE, "files", "run chown: give it to the owner of the folder",
             "%s belongs to %s, but the folder to %s", path, user_name(st.st_uid, owner),
             user_name(doctor->folder.st_uid, due));
    else if (st.st_mode & 077)
        find(doctor, TROUBLE, "files", "run chmod go= on it", "%s is open to other users (mode %04o)", path,
             st.st_mode & 07777);
    else
        return false;
    return true;
}

static void check_files(struct doctor *doctor)
{
    static const char *const names[] = {FILE_LOGS_WAL, FILE_LOGS_SHM, FILE_KEYS, FILE_LOCK, CTL_KEY_FOLDER};
    char key[CTL_KEY_FILE_BYTES];
    bool bad = check_file(doctor, FILE_LOGS, true);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        bad |= check_file(doctor, names[i], false);
    bad |= check_file(doctor, ctl_key_file(ROLE_ADMIN, key), false);
    bad |= check_file(doctor, ctl_key_file(ROLE_WORKER, key), false);
    if (!bad)
        find(doctor, FINE, "files", NULL, "only the owner of the folder can read the databases");
    if (swap_is_pending(doctor->ctl->data_dir))
        find(doctor, WARNING, "files", "to finish it, run analyticsctl init or start analytics-ingest",
             "a restore was interrupted");
}

/* ---- room ---- */

static void check_room(struct doctor *doctor)
{
    struct statvfs room;
    if (statvfs(doctor->ctl->data_dir, &room) != 0)
        return;
    int64_t bytes = (int64_t)(room.f_bavail * room.f_frsize);
    char left[CTL_FIGURE_BYTES];
    ctl_size_text(bytes, left);
    if (room.f_flag & ST_RDONLY)
        find(doctor, TROUBLE, "disk", "mount it for writing", "%s is mounted read-only", doctor->ctl->data_dir);
    if (bytes < FEW_BYTES)
        find(doctor, TROUBLE, "disk", "make room: without it, batches are refused", "%s are free", left);
    else if (bytes < LIMIT_WAL_BYTES)
        find(doctor, WARNING, "disk", "make room: the write-ahead log alone may take as much for a while",
             "%s are free", left);
    else
        find(doctor, FINE, "disk", NULL, "%s are free", left);
}

/* How long it lasts, as the last day's logs go. */
static void check_growth(struct doctor *doctor, const struct sqlite_status *status)
{
    struct statvfs room;
    char left[CTL_FIGURE_BYTES], span[CTL_FIGURE_BYTES];
    int64_t a_day = status->received[SPAN_DAY].logs;
    if (a_day <= 0 || status->logs <= 0 || statvfs(doctor->ctl->data_dir, &room) != 0)
        return;
    double bytes = (double)room.f_bavail * (double)room.f_frsize;
    double days = bytes / ((double)status->file_bytes / (double)status->logs * (double)a_day);
    ctl_size_text((int64_t)bytes, left);
    if (days < MOST_DAYS)
        ctl_span_text((int64_t)(days * WHEN_DAY), span);
    else
        snprintf(span, sizeof span, "for many years");
    if (days < DAYS_AHEAD)
        find(doctor, WARNING, "disk", "make room, or keep logs for a shorter time",
             "%s of free room last %s at the last day's rate", left, span);
    else
        find(doctor, FINE, "disk", NULL, "%s of free room last %s at the last day's rate", left, span);
}

/* ---- what systemd permits ---- */

static void check_unit_folder(struct doctor *doctor, const char *unit)
{
    const char *folder = doctor->ctl->data_dir;
    enum unit_may may = unit_may_write(unit, folder);
    if (may == UNIT_MAY)
        find(doctor, FINE, "systemd", NULL, "%s may write to %s", unit, folder);
    else if (may == UNIT_MAY_NOT)
        find(doctor, TROUBLE, "systemd",
             "run systemctl edit, add ReadWritePaths= with that folder, and restart it (analytics.conf(5) shows how)",
             "%s may not write to %s", unit, folder);
}

static void check_unit_network(struct doctor *doctor, const char *unit)
{
    enum unit_may may = unit_may_connect(unit);
    if (may == UNIT_MAY)
        find(doctor, FINE, "systemd", NULL, "%s may connect to ClickHouse", unit);
    else if (may == UNIT_MAY_NOT)
        find(doctor, TROUBLE, "systemd",
             "install the drop-in clickhouse.conf (docs/scaling.md, \"Under systemd\", has the commands)",
             "%s may not connect to ClickHouse: it has no network", unit);
}

/* What the settings file says is for the units as well; --data or the environment need not be. */
static bool is_for_units(const struct settings *settings, enum setting which)
{
    const char *origin = settings->values[which].origin;
    return origin && *origin != '$';
}

static void check_units(struct doctor *doctor)
{
    static const char *const units[] = {"analytics-ingest.service", "analytics-query@1.service"};
    struct settings settings;
    if (doctor->ctl->option[CTL_DATA])
        return;
    bool is_good = settings_load("analyticsctl", doctor->ctl->option[CTL_CONFIG], &settings);
    bool is_remote = is_good && strcmp(settings.values[SETTING_ENGINE].text, "clickhouse") == 0;
    for (size_t i = 0; is_good && i < sizeof units / sizeof *units; i++) {
        if (is_for_units(&settings, SETTING_DATA))
            check_unit_folder(doctor, units[i]);
        if (is_remote && is_for_units(&settings, SETTING_ENGINE))
            check_unit_network(doctor, units[i]);
    }
    settings_release(&settings);
}

/* ---- the clock ---- */

static void check_clock(struct doctor *doctor)
{
    char now[CTL_FIGURE_BYTES];
    ctl_time_text(doctor->ctl->now, "1970", now);
    struct timex timex = {0};
    if (doctor->ctl->now < INT64_C(1767225600)) /* 2026-01-01 */
        find(doctor, TROUBLE, "clock", "set the clock", "the clock shows %s", now);
    else if (adjtimex(&timex) < 0)
        find(doctor, FINE, "clock", NULL, "the clock shows %s", now);
    else if (timex.status & STA_UNSYNC)
        find(doctor, WARNING, "clock", "install chrony, or enable systemd-timesyncd",
             "the clock shows %s, and no service synchronises it", now);
    else
        find(doctor, FINE, "clock", NULL, "the clock shows %s and is synchronised", now);
}

/* ---- the programs ---- */

static void check_writer(struct doctor *doctor)
{
    int64_t pid;
    char name[LOCK_HOLDER_BYTES] = "";
    if (!sqlite_lock_holder(doctor->ctl->data_dir, &pid, name))
        find(doctor, TROUBLE, "ingest",
             "run systemctl start analytics-ingest; if it ends again, journalctl -u analytics-ingest says why",
             "analytics-ingest does not run on this folder");
    else if (*name && strcmp(name, "analytics-ingest") != 0)
        find(doctor, WARNING, "ingest", "batches are refused until it ends",
             "%s (pid %lld) holds the lock of the database", name, (long long)pid);
    else
        find(doctor, FINE, "ingest", NULL, "analytics-ingest runs (pid %lld)", (long long)pid);
}

static void find_silence(struct doctor *doctor, const char *name, const char *path, int error)
{
    if (error == EACCES || error == EPERM)
        find(doctor, WARNING, name, "run doctor as root", "%s: this user has no right to connect", path);
    else if (error == ECONNREFUSED)
        find(doctor, TROUBLE, name, "start its program, or restart its socket unit", "%s: no program listens", path);
    else if (error == ETIMEDOUT)
        find(doctor, TROUBLE, name, "see the log of its program, and restart it", "%s: no answer in 5 s", path);
    else
        find(doctor, TROUBLE, name, "see the log of its program", "%s: %s", path, strerror(error));
}

static void check_program(struct doctor *doctor, const char *name, const char *path)
{
    char words[PROBE_WORDS_BYTES];
    int status = probe_socket(path, words);
    if (status == 200)
        find(doctor, FINE, name, NULL, "%s answers", path);
    else if (status < 0)
        find_silence(doctor, name, path, -status);
    else
        find(doctor, TROUBLE, name, "see the log of its program", "%s answers %d: %s", path, status, words);
}

/* ---- nginx ---- */

/* Those that may be the one that serves us. */
struct nginxes {
    struct nginx one[NGINX_MOST];
    size_t count;
};

/* The first thing on the way that keeps it out: "" for none. */
static void find_obstacle(const struct nginx *nginx, const char *path, char ret_obstacle[CTL_PATH_BYTES])
{
    char *whole = realpath(path, NULL);
    ret_obstacle[0] = '\0';
    struct stat st;
    for (size_t len = 0; whole && whole[len] != '\0';) {
        len += 1 + strcspn(whole + len + 1, "/");
        snprintf(ret_obstacle, CTL_PATH_BYTES, "%.*s", (int)len, whole);
        if (stat(ret_obstacle, &st) != 0 || !nginx_may(nginx, &st, S_ISDIR(st.st_mode) ? 1 : 2))
            break;
        ret_obstacle[0] = '\0';
    }
    free(whole);
}

static void find_closed(struct doctor *doctor, const struct nginx *nginx, const char *path, const char *obstacle)
{
    char group[CTL_FIGURE_BYTES] = "";
    struct stat st;
    if (stat(obstacle, &st) == 0)
        find(doctor, TROUBLE, "nginx", "give it the group of nginx: SocketGroup= of its socket unit",
             "%s cannot reach %s: %s is of group %s, mode %04o", nginx->name, path, obstacle,
             group_name(st.st_gid, group), st.st_mode & 07777);
}

/* If several run, one of them must be able to use the socket. */
static void check_reach(struct doctor *doctor, const struct nginxes *nginxes, const char *path)
{
    char obstacle[CTL_PATH_BYTES] = "";
    for (size_t i = 0; i < nginxes->count; i++) {
        find_obstacle(&nginxes->one[i], path, obstacle);
        if (!*obstacle) {
            find(doctor, FINE, "nginx", NULL, "%s may use %s", nginxes->one[i].name, path);
            return;
        }
    }
    if (nginxes->count == 1)
        find_closed(doctor, &nginxes->one[0], path, obstacle);
    else if (nginxes->count > 1)
        find(doctor, TROUBLE, "nginx", "give --url, and doctor looks at the one that listens there",
             "%zu nginx run here, and none of them can reach %s", nginxes->count, path);
}

static void check_socket(struct doctor *doctor, const char *name, const struct nginxes *nginxes)
{
    char path[CTL_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s.sock", doctor->sockets, name);
    struct stat st;
    if (stat(path, &st) != 0) {
        find(doctor, errno == EACCES ? WARNING : TROUBLE, name,
             errno == EACCES ? "run doctor as root" : "start its socket unit or program, or give --sockets DIR",
             "%s: %s", path, strerror(errno));
        return;
    }
    if (!S_ISSOCK(st.st_mode)) {
        find(doctor, TROUBLE, name, "remove it, and start the socket unit or program again", "%s is no socket", path);
        return;
    }
    if (st.st_mode & 07)
        find(doctor, TROUBLE, name, "run chmod 660 on it: a program that can write to it can claim any identity",
             "%s is open to everyone (mode %04o)", path, st.st_mode & 07777);
    check_program(doctor, name, path);
    check_reach(doctor, nginxes, path);
}

/* The one that listens where the URL points to; where none does, or no URL is given, all of them. */
static void choose_nginx(const struct doctor *doctor, struct nginxes *nginxes)
{
    const char *url = doctor->ctl->option[CTL_URL];
    int port = url ? probe_port(url) : 0;
    for (size_t i = 0; port > 0 && i < nginxes->count; i++) {
        struct nginx *one = &nginxes->one[i];
        if (!nginx_listens(one, port))
            continue;
        snprintf(one->name, sizeof one->name, "nginx (pid %lld, port %d)", (long long)one->pid, port);
        nginxes->one[0] = *one;
        nginxes->count = 1;
    }
}

static void check_sockets(struct doctor *doctor)
{
    static struct nginxes nginxes;
    nginxes.count = nginx_find(nginxes.one);
    if (nginxes.count > 0) {
        choose_nginx(doctor, &nginxes);
    } else {
        find(doctor, WARNING, "nginx", "start it, or run doctor as root to see it", "no process of nginx is seen here");
        nginxes.count = nginx_guess(&nginxes.one[0]);
    }
    check_socket(doctor, "ingest", &nginxes);
    check_socket(doctor, "query", &nginxes);
}

static void check_url(struct doctor *doctor)
{
    const char *url = doctor->ctl->option[CTL_URL];
    if (!url)
        return;
    char distrust[PROBE_WORDS_BYTES], words[PROBE_WORDS_BYTES];
    int status = probe_url(url, distrust, words);
    if (*distrust)
        find(doctor, WARNING, "url", "if the certificate is your own, make the clients trust it", "%s: %s", url,
             distrust);
    if (status == 200)
        find(doctor, FINE, "url", NULL, "%s/analytics/health answers 200: nginx reaches both programs", url);
    else if (status == 0)
        find(doctor, TROUBLE, "url", "check that nginx runs, and that this is its address", "%s: %s", url, words);
    else if (status == 404)
        find(doctor, TROUBLE, "url", "include analytics.conf in this server of nginx, and reload it",
             "%s/analytics/health answers 404", url);
    else if (status == 502 || status == 503 || status == 504)
        find(doctor, TROUBLE, "url", "see the lines about the sockets, and the error log of nginx",
             "%s/analytics/health answers %d: %s", url, status,
             *words ? words : "nginx does not get through, or a program is not well");
    else
        find(doctor, TROUBLE, "url", "give the address where nginx serves /analytics", "%s/analytics/health answers %d",
             url, status);
}

/* ---- the databases ---- */

/* From the settings. analytics-ingest may have been started with another limit on its command line. */
static int64_t wal_limit(const struct doctor *doctor)
{
    struct settings settings;
    int64_t mib = LIMIT_WAL_MIB;
    if (settings_load("analyticsctl", doctor->ctl->option[CTL_CONFIG], &settings))
        mib = settings.values[SETTING_WAL_LIMIT_MIB].number;
    settings_release(&settings);
    return mib * MIB;
}

static void check_wal(struct doctor *doctor, const struct sqlite_status *status)
{
    char size[CTL_FIGURE_BYTES], limit[CTL_FIGURE_BYTES];
    int64_t limit_bytes = wal_limit(doctor);
    ctl_size_text(status->wal_bytes, size);
    ctl_size_text(limit_bytes, limit);
    const char *advice =
        "end the program that keeps a transaction open; fuser -v " FILE_LOGS " lists those that have it open";
    if (status->wal_bytes >= limit_bytes)
        find(doctor, TROUBLE, "wal", advice, "the write-ahead log has %s, and batches are refused from %s on", size,
             limit);
    else if (status->wal_bytes >= limit_bytes / 2)
        find(doctor, WARNING, "wal", advice, "the write-ahead log has %s; batches are refused from %s on", size, limit);
    else
        find(doctor, FINE, "wal", NULL, "the write-ahead log has %s", size);
}

static void check_times(struct doctor *doctor, const struct sqlite_status *status)
{
    char last[CTL_FIGURE_BYTES];
    if (status->last_batch > doctor->ctl->now + 60)
        find(doctor, TROUBLE, "clock", "set the clock, or wait: idempotency keys and rates depend on it",
             "the last batch came at %s, which is later than now", ctl_time_text(status->last_batch, "?", last));
    if (status->last_log > doctor->ctl->now + WHEN_DAY)
        find(doctor, WARNING, "clock", "check the clocks of the workers",
             "the newest log is of %s, more than a day ahead", ctl_time_text(status->last_log, "?", last));
}

/* ---- ClickHouse ---- */

#define LONG_WAIT 60 /* seconds in the spool */

static void find_server(void *ctx, const struct clickhouse_finding *finding)
{
    static const enum level levels[] = {
        [CLICKHOUSE_FINE] = FINE, [CLICKHOUSE_WARNING] = WARNING, [CLICKHOUSE_TROUBLE] = TROUBLE};
    find(ctx, levels[finding->level], "engine", finding->advice, "%s", finding->words);
}

static void find_waiting(struct doctor *doctor, const struct spool_position *spool)
{
    char logs[CTL_FIGURE_BYTES], span[CTL_FIGURE_BYTES];
    int64_t age = spool->waiting_logs > 0 ? doctor->ctl->now - spool->waiting_since : 0;
    ctl_count_text(spool->waiting_logs, logs);
    if (spool->target.trouble[0])
        find(doctor, TROUBLE, "spool", "mend that; batches are taken meanwhile, until the spool is full",
             "%s logs wait for ClickHouse: %s", logs, spool->target.trouble);
    else if (age > LONG_WAIT)
        find(doctor, WARNING, "spool", "see that analytics-ingest runs", "%s logs wait for ClickHouse, for %s", logs,
             ctl_span_text(age, span));
    else
        find(doctor, FINE, "spool", NULL, "%s logs wait for ClickHouse", logs);
    if (spool->aside > 0)
        find(doctor, TROUBLE, "spool", "run analyticsctl blocks",
             "ClickHouse refused %lld blocks for what they hold; they are put aside", (long long)spool->aside);
}

static void check_spool(struct doctor *doctor)
{
    struct spool_reader *reader = NULL;
    struct spool_position spool;
    struct fault fault;
    if (spool_reader_open(doctor->ctl->data_dir, &reader, &fault) || spool_position(reader, &spool, &fault))
        find(doctor, TROUBLE, "spool", NULL, "%s", fault.detail);
    else
        find_waiting(doctor, &spool);
    spool_reader_close(reader);
}

/* A folder that is a spool, or is to be one. */
static void check_engine(struct doctor *doctor)
{
    struct settings settings;
    bool is_spool = spool_is_used(doctor->ctl->data_dir);
    struct clickhouse_look look = {
        .as_writer = true, .as_reports = true, .now = doctor->ctl->now, .ctx = doctor, .tell = find_server};
    if (is_spool)
        check_spool(doctor);
    if (!settings_load("analyticsctl", doctor->ctl->option[CTL_CONFIG], &settings))
        find(doctor, TROUBLE, "engine", "run analyticsctl config", "the settings are not good");
    else if (strcmp(settings.values[SETTING_ENGINE].text, "clickhouse") == 0)
        clickhouse_look(&settings.clickhouse, &look);
    else if (is_spool)
        find(doctor, TROUBLE, "engine", "set engine = clickhouse, or give --config",
             "the folder is the spool of the engine clickhouse, and the settings say engine = %s",
             settings.values[SETTING_ENGINE].text);
    settings_release(&settings);
}

/* ---- the database ---- */

/* A spool has no logs to be read, but the same file. */
static bool can_be_read(struct doctor *doctor)
{
    struct fault fault;
    struct store_reader *reader = NULL;
    if (spool_is_used(doctor->ctl->data_dir))
        return true;
    if (store_reader_open(store_in(doctor->ctl->data_dir), &reader, &fault)) {
        find(doctor, TROUBLE, "database", "docs/operating.md has upgrade, restore and rebuild", "%s", fault.detail);
        return false;
    }
    store_reader_close(reader);
    return true;
}

static void check_database(struct doctor *doctor)
{
    struct fault fault;
    if (!can_be_read(doctor))
        return;
    struct watch watch = {0};
    struct sqlite_status status;
    if (sqlite_status_read(doctor->ctl->data_dir, doctor->ctl->now, &watch, &status, &fault)) {
        find(doctor, TROUBLE, "database", "run analyticsctl verify, or restore a backup", "%s", fault.detail);
        return;
    }
    find(doctor, FINE, "database", NULL, FILE_LOGS " can be read, schema %d", status.schema_version);
    check_wal(doctor, &status);
    check_growth(doctor, &status);
    check_times(doctor, &status);
}

#define MAX_ENDING 100
#define IDS_BYTES 120

struct key_check {
    int64_t now;
    int64_t active[ROLE_ADMIN + 1];
    struct api_key ending[MAX_ENDING]; /* soon, and nothing is known yet to take their place */
    size_t ending_count;
    char endless[IDS_BYTES]; /* "1, 2, …": that never end; that were never used */
    char unused[IDS_BYTES];
};

/* As far as there is room. */
static void add_id(char ids[IDS_BYTES], int64_t id)
{
    size_t len = strlen(ids);
    if (len + 32 < IDS_BYTES)
        snprintf(ids + len, IDS_BYTES - len, "%s%lld", len ? ", " : "", (long long)id);
    else if (len > 0 && ids[len - 1] != '.')
        snprintf(ids + len, IDS_BYTES - len, ", ...");
}

static bool ends_soon(const struct api_key *key, int64_t now)
{
    return key->expires_at && key->expires_at < now + DAYS_AHEAD * (int64_t)WHEN_DAY;
}

/* One that was rotated has a younger one in its line, which comes later. */
static void drop_replaced(struct key_check *check, const struct api_key *younger)
{
    size_t kept = 0;
    for (size_t i = 0; i < check->ending_count; i++)
        if (check->ending[i].caller_id != younger->caller_id)
            check->ending[kept++] = check->ending[i];
    check->ending_count = kept;
}

static enum err check_key(void *ctx, const struct api_key *key)
{
    struct key_check *check = ctx;
    if (key->revoked_at || (key->expires_at && key->expires_at <= check->now))
        return OK;
    check->active[key->role]++;
    drop_replaced(check, key);
    if (!key->expires_at)
        add_id(check->endless, key->id);
    if (!key->last_used_at)
        add_id(check->unused, key->id);
    if (ends_soon(key, check->now) && check->ending_count < MAX_ENDING)
        check->ending[check->ending_count++] = *key;
    return OK;
}

static void find_ending(struct doctor *doctor, const struct key_check *check)
{
    char end[CTL_FIGURE_BYTES];
    for (size_t i = 0; i < check->ending_count; i++) {
        const struct api_key *key = &check->ending[i];
        find(doctor, WARNING, "keys", "run analyticsctl key rotate ID --expires DATE",
             "key %lld (%s, \"%s\") ends at %s", (long long)key->id, role_name(key->role), key->name,
             ctl_time_text(key->expires_at, "?", end));
    }
}

/* These keys are valid. But a key that nobody uses is a risk without a benefit. */
static void find_idle(struct doctor *doctor, const struct key_check *check)
{
    if (*check->unused)
        find(doctor, FINE, "keys", NULL, "in force and never used: %s (analyticsctl key revoke ID ends one)",
             check->unused);
    if (*check->endless)
        find(doctor, FINE, "keys", NULL, "in force without an end: %s", check->endless);
}

static void check_keys(struct doctor *doctor)
{
    struct stat st;
    char path[CTL_PATH_BYTES];
    struct key_store *keys = NULL;
    if (!ctl_path_in(doctor->ctl, FILE_KEYS, path) && lstat(path, &st) != 0 && errno == ENOENT) {
        find(doctor, WARNING, "keys", "run analyticsctl init, unless another service authenticates the callers",
             "there is no " FILE_KEYS);
        return;
    }
    static struct key_check check;
    check.now = doctor->ctl->now;
    struct fault fault;
    enum err err = key_store_open(doctor->ctl->data_dir, false, &keys, &fault);
    if (!err)
        err = key_store_list(keys, check_key, &check, &fault);
    key_store_close(keys);
    find_ending(doctor, &check);
    find_idle(doctor, &check);
    if (err)
        find(doctor, TROUBLE, "keys", "run analyticsctl init, which upgrades it, or restore a backup", "%s",
             fault.detail);
    else if (check.active[ROLE_WORKER] == 0 || check.active[ROLE_ADMIN] == 0)
        find(doctor, WARNING, "keys", "run analyticsctl key add, unless another service authenticates the callers",
             "no key of role %s is in force", check.active[ROLE_WORKER] == 0 ? "worker" : "admin");
    else
        find(doctor, FINE, "keys", NULL, "%lld worker, %lld user and %lld admin keys are in force",
             (long long)check.active[ROLE_WORKER], (long long)check.active[ROLE_USER],
             (long long)check.active[ROLE_ADMIN]);
}

/* SQLite's own list of versions: sqlite.org/wal.html#walresetbug. */
static void check_versions(struct doctor *doctor)
{
    int number;
    const char *sqlite = sqlite_version(&number);
    bool mended =
        number >= 3051003 || (number >= 3050007 && number < 3051000) || (number >= 3044006 && number < 3045000);
    find(doctor, FINE, "version", NULL, "analyticsctl %s, SQLite %s%s", PACKAGE_VERSION, sqlite,
         mended ? "" : " (its WAL-reset bug cannot happen here: one thread writes and checkpoints)");
}

/* Only its user, or root as that user, sees what is in the folder. */
static void check_inside(struct doctor *doctor)
{
    if (doctor->folder.st_mode == 0)
        return;
    check_room(doctor);
    if (geteuid() != 0 && geteuid() != doctor->folder.st_uid) {
        find(doctor, WARNING, "files", "run doctor as root", "this user cannot read %s", doctor->ctl->data_dir);
        return;
    }
    check_files(doctor);
    check_writer(doctor);
    if (ctl_become_owner(doctor->ctl->data_dir) != CTL_OK)
        return;
    check_database(doctor);
    check_engine(doctor);
    check_keys(doctor);
}

/* ---- the whole ---- */

static int say_result(struct doctor *doctor)
{
    int failed = doctor->counts[TROUBLE], warnings = doctor->counts[WARNING];
    if (doctor->json) {
        ctl_json_bool(doctor->json, "ok", failed == 0);
        ctl_json_count(doctor->json, "failures", failed);
        ctl_json_count(doctor->json, "warnings", warnings);
        if (ctl_say_json(doctor->json))
            return CTL_FAILED;
    } else if (failed || warnings) {
        ctl_say("%d failure%s, %d warning%s.", failed, failed == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s");
    } else {
        ctl_say("All is well.");
    }
    return failed ? CTL_FAILED : CTL_OK;
}

int ctl_doctor(const struct ctl *ctl)
{
    struct doctor doctor = {.ctl = ctl, .sockets = ctl->option[CTL_SOCKETS]};
    const char *url = ctl->option[CTL_URL];
    if (url && strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return ctl_must_be("--url", url, "an address that begins with http:// or https:// and ends before /analytics");
    doctor.sockets = doctor.sockets ? doctor.sockets : SOCKETS;
    sqlite_setup(true);
    if (ctl->option[CTL_JSON]) {
        doctor.json = ctl_json_new();
        doctor.findings = ctl_json_array(doctor.json, "findings");
    }
    check_versions(&doctor);
    check_clock(&doctor);
    check_folder(&doctor);
    check_units(&doctor);
    check_sockets(&doctor);
    check_url(&doctor);
    check_inside(&doctor);
    return say_result(&doctor);
}
