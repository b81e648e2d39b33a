/* nginx.c: the processes of nginx on this machine: as whom they run, and where they listen. Knows Linux's /proc
 * (proc(5)) and how nginx calls its processes. Knows no configuration of nginx. */
#include "ctl/nginx.h"

#include "base/text.h"

#include <dirent.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/banned.h"

#define LINE_BYTES 4096
#define PATH_BYTES 320

/* ---- who runs ---- */

/* One that ends after a reload listens no more. */
static bool is_worker(const char *pid)
{
    char path[PATH_BYTES], title[64] = "";
    snprintf(path, sizeof path, "/proc/%s/cmdline", pid);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(title, 1, sizeof title - 1, file) : 0;
    title[n] = '\0';
    if (file)
        fclose(file);
    return strncmp(title, "nginx: worker process", 21) == 0 && !strstr(title, "shutting down");
}

/* "Uid:\t33\t33\t33\t33": real, effective, saved, file system. */
static void read_ids(char *line, struct nginx *nginx)
{
    char *rest = NULL, *word = strtok_r(line, " \t\n", &rest);
    bool is_uid = word && strcmp(word, "Uid:") == 0, is_gid = word && strcmp(word, "Gid:") == 0;
    bool is_parent = word && strcmp(word, "PPid:") == 0;
    if (!is_uid && !is_gid && !is_parent && !(word && strcmp(word, "Groups:") == 0))
        return;
    for (int i = 0; (word = strtok_r(NULL, " \t\n", &rest)); i++) {
        int64_t id;
        if (!text_to_i64(slice_of(word), 0, UINT32_MAX, &id) || (i != 1 && (is_uid || is_gid)))
            continue;
        if (is_parent)
            nginx->master = id;
        else if (is_uid)
            nginx->uid = (uid_t)id;
        else if (nginx->group_count < NGINX_GROUPS)
            nginx->groups[nginx->group_count++] = (gid_t)id;
    }
}

static bool read_worker(const char *pid, struct nginx *ret_nginx)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    snprintf(path, sizeof path, "/proc/%s/status", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    *ret_nginx = (struct nginx){.uid = (uid_t)-1};
    snprintf(ret_nginx->name, sizeof ret_nginx->name, "nginx (pid %.16s)", pid);
    while (fgets(line, sizeof line, file))
        read_ids(line, ret_nginx);
    fclose(file);
    return ret_nginx->uid != (uid_t)-1 && text_to_i64(slice_of(pid), 1, INT32_MAX, &ret_nginx->pid);
}

static bool is_known(const struct nginx *all, size_t count, const struct nginx *nginx)
{
    for (size_t i = 0; i < count; i++)
        if (all[i].master == nginx->master)
            return true;
    return false;
}

size_t nginx_find(struct nginx ret_nginx[NGINX_MOST])
{
    DIR *processes = opendir("/proc");
    size_t count = 0;
    for (struct dirent *entry; count < NGINX_MOST && processes && (entry = readdir(processes));) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && is_worker(entry->d_name) &&
            read_worker(entry->d_name, &ret_nginx[count]) && !is_known(ret_nginx, count, &ret_nginx[count]))
            count++;
    }
    if (processes)
        closedir(processes);
    return count;
}

bool nginx_guess(struct nginx *ret_nginx)
{
    static const char *const names[] = {"www-data", "nginx"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct passwd *user = getpwnam(names[i]);
        if (!user)
            continue;
        *ret_nginx = (struct nginx){.uid = user->pw_uid, .group_count = NGINX_GROUPS};
        snprintf(ret_nginx->name, sizeof ret_nginx->name, "user %s", names[i]);
        if (getgrouplist(names[i], user->pw_gid, ret_nginx->groups, &ret_nginx->group_count) < 0)
            ret_nginx->group_count = NGINX_GROUPS;
        return true;
    }
    return false;
}

/* ---- where it listens ---- */

/* "socket:[4711]" among the descriptors of the process. */
static bool holds(const struct nginx *nginx, const char *inode)
{
    char path[PATH_BYTES], wanted[64], link[64];
    snprintf(path, sizeof path, "/proc/%lld/fd", (long long)nginx->pid);
    snprintf(wanted, sizeof wanted, "socket:[%s]", inode);
    DIR *descriptors = opendir(path);
    bool found = false;
    for (struct dirent *entry; !found && descriptors && (entry = readdir(descriptors));) {
        ssize_t len = readlinkat(dirfd(descriptors), entry->d_name, link, sizeof link - 1);
        link[len > 0 ? len : 0] = '\0';
        found = strcmp(link, wanted) == 0;
    }
    if (descriptors)
        closedir(descriptors);
    return found;
}

/* A line of /proc/net/tcp: number, address:PORT in hex, the peer's, state (0A: it listens), …, the tenth is the inode.
 * NULL where it is not the port. */
static const char *listening_inode(char *line, int port)
{
    char *rest = NULL, *words[10], hex[8];
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!(words[i] = strtok_r(i == 0 ? line : NULL, " \n", &rest)))
            return NULL;
    const char *colon = strrchr(words[1], ':');
    snprintf(hex, sizeof hex, "%04X", (unsigned)port & 0xffff);
    return colon && strcmp(colon + 1, hex) == 0 && strcmp(words[3], "0A") == 0 ? words[9] : NULL;
}

static bool listens(const struct nginx *nginx, const char *protocol, int port)
{
    char path[PATH_BYTES], line[LINE_BYTES];
    snprintf(path, sizeof path, "/proc/%lld/net/%s", (long long)nginx->pid, protocol);
    FILE *file = fopen(path, "re");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        const char *inode = listening_inode(line, port);
        found = inode && holds(nginx, inode);
    }
    if (file)
        fclose(file);
    return found;
}

bool nginx_listens(const struct nginx *nginx, int port)
{
    return listens(nginx, "tcp", port) || listens(nginx, "tcp6", port);
}

/* ---- what it may ---- */

bool nginx_may(const struct nginx *nginx, const struct stat *st, mode_t bit)
{
    if (nginx->uid == 0)
        return true;
    if (nginx->uid == st->st_uid)
        return st->st_mode & (bit << 6);
    for (int i = 0; i < nginx->group_count; i++)
        if (nginx->groups[i] == st->st_gid)
            return st->st_mode & (bit << 3);
    return st->st_mode & bit;
}
