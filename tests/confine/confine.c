/* confine.c: runs a program under the restrictions of a systemd unit, read from the unit file, as far as they can be
 * had without systemd.
 *
 *   confine UNIT ALLOWED REPORT PROGRAM --data DIR …    ALLOWED: the filter's system calls, one a line (allowed.sh)
 *   confine UNIT ALLOWED REPORT probe --data DIR        tries what must not work, in place of a program
 *
 * A call outside the filter gets EPERM, as the unit says, or kills the process when $CONFINE_KILL is set. REPORT gets a
 * line for each directive: "NoNewPrivileges: applied", or why not. Knows the kernel's interfaces. Knows no analytics.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static FILE *unit, *report;
static const char *allowed_path, *data_dir;
static scmp_filter_ctx filter;

static void die(const char *what)
{
    fprintf(stderr, "confine: %s: %s\n", what, strerror(errno));
    exit(126);
}

/* A step's outcome, for its line in the report. */
static const char *outcome(bool done)
{
    static char text[128];
    snprintf(text, sizeof text, done ? "applied" : "not applied: %s", strerror(errno));
    return text;
}

/* ---- what a directive does; each returns what to report ---- */

static const char *set_umask(const char *value)
{
    umask((mode_t)strtoul(value, NULL, 8));
    return "applied";
}

static const char *limit(enum __rlimit_resource resource, const char *value)
{
    rlim_t most = strtoul(value, NULL, 10);
    return outcome(setrlimit(resource, &(struct rlimit){most, most}) == 0);
}

static const char *limit_core(const char *value)
{
    return limit(RLIMIT_CORE, value);
}

static const char *limit_files(const char *value)
{
    return limit(RLIMIT_NOFILE, value);
}

static void write_file(const char *path, const char *format, unsigned id)
{
    char text[64];
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int len = snprintf(text, sizeof text, "%s", format);
    if (id != UINT32_MAX)
        len = snprintf(text, sizeof text, "%u %u 1", id, id);
    if (fd < 0 || write(fd, text, (size_t)len) != len)
        die(path);
    close(fd);
}

/* Comes first: the capabilities in the new namespace let us do the rest. All other users are nobody there. */
static const char *new_users(const char *value)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    (void)value;
    if (unshare(CLONE_NEWUSER) < 0)
        return outcome(false);
    write_file("/proc/self/setgroups", "deny", UINT32_MAX);
    write_file("/proc/self/uid_map", "", uid);
    write_file("/proc/self/gid_map", "", gid);
    return "applied";
}

static const char *new_network(const char *value)
{
    (void)value;
    return outcome(unshare(CLONE_NEWNET) == 0);
}

static const char *new_ipc(const char *value)
{
    (void)value;
    return outcome(unshare(CLONE_NEWIPC) == 0);
}

static const char *new_hostname(const char *value)
{
    (void)value;
    return outcome(unshare(CLONE_NEWUTS) == 0);
}

/* Everything but the data folder, /tmp and /var/tmp included, can only be read. */
static const char *read_only(const char *value)
{
    struct mount_attr close = {.attr_set = MOUNT_ATTR_RDONLY}, open_again = {.attr_clr = MOUNT_ATTR_RDONLY};
    (void)value;
    return outcome(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                   mount(data_dir, data_dir, NULL, MS_BIND, NULL) == 0 &&
                   mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &close, sizeof close) == 0 &&
                   mount_setattr(AT_FDCWD, data_dir, 0, &open_again, sizeof open_again) == 0);
}

static const char *no_new_privileges(const char *value)
{
    (void)value;
    return outcome(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

static const char *no_capabilities(const char *value)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2] = {{0}};
    if (*value)
        return "not applied: only the empty set is understood";
    for (unsigned long i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
            return outcome(false);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return outcome(syscall(SYS_capset, &header, none) == 0);
}

/* ---- the filter: a list of permitted calls, some under conditions ---- */

/* Calls that other directives permit under conditions only. */
static bool is_conditional(const char *name)
{
    static const char *const names[] = {"mmap",   "mprotect", "pkey_mprotect", "shmat",   "clone",
                                        "clone3", "chmod",    "fchmod",        "fchmodat"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(names[i], name))
            return true;
    return false;
}

static void allow(int call)
{
    if (call != __NR_SCMP_ERROR)
        seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0); /* fails for calls that this architecture lacks */
}

static void allow_when(int call, unsigned argument, scmp_datum_t mask, scmp_datum_t is)
{
    if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, mask, is)) < 0)
        die("a rule of the filter");
}

static const char *system_calls(const char *value)
{
    char name[64];
    FILE *file = fopen(allowed_path, "r");
    (void)value;
    filter = seccomp_init(getenv("CONFINE_KILL") ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(EPERM));
    if (!file || !filter)
        die(allowed_path);
    while (fscanf(file, "%63s", name) == 1)
        if (!is_conditional(name))
            allow(seccomp_syscall_resolve_name(name));
    fclose(file);
    return "applied";
}

/* A filter cannot see the flags of clone3. As with systemd, it fails with ENOSYS, so the C library uses clone. */
static const char *no_namespaces(const char *value)
{
    (void)value;
    allow_when(
        SCMP_SYS(clone), 0,
        CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET, 0);
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return "applied";
}

static const char *no_writable_code(const char *value)
{
    (void)value;
    allow_when(SCMP_SYS(mmap), 2, PROT_WRITE | PROT_EXEC, 0);
    allow_when(SCMP_SYS(mmap), 2, PROT_WRITE | PROT_EXEC, PROT_WRITE);
    allow_when(SCMP_SYS(mmap), 2, PROT_WRITE | PROT_EXEC, PROT_EXEC);
    allow_when(SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
    return "applied";
}

static const char *no_set_id(const char *value)
{
    (void)value;
    allow_when(SCMP_SYS(chmod), 1, S_ISUID | S_ISGID, 0);
    allow_when(SCMP_SYS(fchmod), 1, S_ISUID | S_ISGID, 0);
    allow_when(SCMP_SYS(fchmodat), 2, S_ISUID | S_ISGID, 0);
    return "applied";
}

/* Nothing more to do: libseccomp kills on other architectures, and the filter has no such calls. */
static const char *by_the_filter(const char *value)
{
    (void)value;
    return filter ? "applied" : "not applied: there is no filter";
}

/* In the order in which they are done; the filter comes last. */
static const struct directive {
    const char *name;
    const char *(*apply)(const char *value);
} directives[] = {
    {"UMask", set_umask},
    {"LimitCORE", limit_core},
    {"LimitNOFILE", limit_files},
    {"PrivateUsers", new_users},
    {"PrivateNetwork", new_network},
    {"PrivateIPC", new_ipc},
    {"ProtectHostname", new_hostname},
    {"ProtectSystem", read_only},
    {"CapabilityBoundingSet", no_capabilities},
    {"NoNewPrivileges", no_new_privileges},
    {"SystemCallFilter", system_calls},
    {"SystemCallArchitectures", by_the_filter},
    {"RestrictAddressFamilies", by_the_filter},
    {"RestrictRealtime", by_the_filter},
    {"LockPersonality", by_the_filter},
    {"RestrictNamespaces", no_namespaces},
    {"MemoryDenyWriteExecute", no_writable_code},
    {"RestrictSUIDSGID", no_set_id},
};

/* The first value of a directive in the unit. */
static bool find_value(const char *name, char ret_value[1024])
{
    char line[1024];
    size_t len = strlen(name);
    rewind(unit);
    while (fgets(line, sizeof line, unit))
        if (!strncmp(line, name, len) && line[len] == '=') {
            line[strcspn(line, "\n")] = '\0';
            strcpy(ret_value, line + len + 1);
            return true;
        }
    return false;
}

static void confine(void)
{
    char value[1024];
    for (size_t i = 0; i < sizeof directives / sizeof *directives; i++) {
        const char *said = find_value(directives[i].name, value) ? directives[i].apply(value) : "not in the unit";
        fprintf(report, "%s: %s\n", directives[i].name, said);
    }
    fclose(report);
    fclose(unit);
    if (filter && seccomp_load(filter) < 0)
        die("the filter");
}

/* ---- the probe: what an intruder would try ---- */

static void tell(const char *what, bool worked)
{
    printf("%s: %s\n", what, worked ? "worked" : strerror(errno));
}

static bool makes(const char *folder)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/probe.XXXXXX", folder);
    int fd = mkstemp(path);
    if (fd < 0)
        return false;
    close(fd);
    return unlink(path) == 0;
}

static int probe(void)
{
    char path[4096];
    tell("file in the data folder", makes(data_dir));
    tell("file in /tmp", makes("/tmp"));
    tell("file in /etc", makes("/etc"));
    snprintf(path, sizeof path, "%s/probe", data_dir);
    close(open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    tell("chmod 0600", chmod(path, 0600) == 0);
    tell("chmod 4755", chmod(path, 04755) == 0);
    tell("chown", chown(path, geteuid(), getegid()) == 0);
    unlink(path);
    tell("unix socket", socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
    tell("tcp socket", socket(AF_INET, SOCK_STREAM, 0) >= 0);
    tell("memory", mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    tell("writable code",
         mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    tell("namespace", unshare(CLONE_NEWUSER) == 0);
    tell("mount", mount("none", data_dir, "tmpfs", 0, NULL) == 0);
    tell("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0);
    tell("kill", kill(getppid(), 0) == 0);
    tell("execveat", syscall(SYS_execveat, -1, "/nowhere", NULL, NULL, 0) == 0);
    tell("set user", setuid(geteuid()) == 0);
    tell("priority", setpriority(PRIO_PROCESS, 0, 1) == 0);
    tell("keyring", syscall(SYS_keyctl, 0, -2, 0, 0, 0) >= 0);
    return 0;
}

static const char *data_of(char **argv)
{
    for (; argv[0] && argv[1]; argv++)
        if (!strcmp(argv[0], "--data"))
            return argv[1];
    return "/nowhere";
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 125;
    unit = fopen(argv[1], "re");
    report = fopen(argv[3], "we");
    if (!unit || !report)
        die(unit ? argv[3] : argv[1]);
    allowed_path = argv[2];
    data_dir = data_of(argv + 5);
    confine();
    if (!strcmp(argv[4], "probe"))
        return probe();
    execv(argv[4], argv + 4);
    die(argv[4]);
}
