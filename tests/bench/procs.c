/* procs.c: /proc, read for measurements. Knows Linux's text files. Knows no load. */
#include "procs.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MAX_PROCESSES 4096

struct process {
    pid_t pid, parent;
    char name[32];
    double cpu_s;
    bool ours;
};

static double ticks(const char *text)
{
    return strtod(text, NULL) / (double)sysconf(_SC_CLK_TCK);
}

/* proc(5): "pid (name) state ppid …", utime and stime are fields 14 and 15. The name may hold spaces. */
static bool read_stat(pid_t pid, struct process *ret_process)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    bool got = file && fgets(line, sizeof line, file);
    if (file)
        fclose(file);
    char *name = got ? strchr(line, '(') : NULL, *end = got ? strrchr(line, ')') : NULL;
    if (!name || !end)
        return false;
    *end = '\0';
    *ret_process = (struct process){.pid = pid};
    snprintf(ret_process->name, sizeof ret_process->name, "%s", name + 1);
    char *save = NULL, *field = strtok_r(end + 1, " ", &save);
    for (int i = 3; field && i <= 15; i++, field = strtok_r(NULL, " ", &save)) {
        if (i == 4)
            ret_process->parent = (pid_t)strtol(field, NULL, 10);
        if (i == 14 || i == 15)
            ret_process->cpu_s += ticks(field);
    }
    return true;
}

static size_t read_all(struct process *processes)
{
    size_t count = 0;
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; dir && (entry = readdir(dir)) && count < MAX_PROCESSES;)
        if (isdigit((unsigned char)entry->d_name[0]))
            count += read_stat((pid_t)strtol(entry->d_name, NULL, 10), &processes[count]);
    if (dir)
        closedir(dir);
    return count;
}

static void mark_family(struct process *processes, size_t count, pid_t root)
{
    bool more = true;
    for (size_t i = 0; i < count; i++)
        processes[i].ours = processes[i].pid == root;
    while (more) {
        more = false;
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < count && !processes[i].ours; j++)
                if (processes[j].ours && processes[j].pid == processes[i].parent)
                    more = processes[i].ours = true;
    }
}

/* The number after "NAME:" in a file of such lines; 0 when it is not there. */
static int64_t read_field(pid_t pid, const char *file_name, const char *name)
{
    char path[64], line[256];
    int64_t value = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file_name);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
            value = strtoll(line + strlen(name) + 1, NULL, 10);
    if (file)
        fclose(file);
    return value;
}

static enum proc_group group_of(const char *name)
{
    static const char *const names[] = {"nginx", "analytics-inges", "analytics-query"}; /* the kernel keeps 15 bytes */
    for (enum proc_group group = 0; group < PROC_REST; group++)
        if (!strcmp(name, names[group]))
            return group;
    return PROC_REST;
}

/* proc(5): "cpu user nice system idle iowait irq softirq steal …" */
static double machine_cpu_s(void)
{
    char line[512];
    double sum = 0;
    FILE *file = fopen("/proc/stat", "r");
    bool got = file && fgets(line, sizeof line, file);
    if (file)
        fclose(file);
    char *save = NULL, *field = got ? strtok_r(line, " ", &save) : NULL;
    for (int i = 0; field && i <= 8; i++, field = strtok_r(NULL, " ", &save))
        if (i > 0 && i != 4 && i != 5)
            sum += ticks(field);
    return sum;
}

static double own_cpu_s(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

void procs_read(pid_t root, struct proc_use *ret_use)
{
    static struct process processes[MAX_PROCESSES];
    size_t count = root > 0 ? read_all(processes) : 0;
    *ret_use = (struct proc_use){.machine_cpu_s = machine_cpu_s(), .own_cpu_s = own_cpu_s()};
    mark_family(processes, count, root);
    for (size_t i = 0; i < count; i++) {
        if (!processes[i].ours)
            continue;
        enum proc_group group = group_of(processes[i].name);
        int64_t peak = read_field(processes[i].pid, "status", "VmHWM") * 1024;
        int64_t private = read_field(processes[i].pid, "status", "RssAnon") * 1024;
        ret_use->cpu_s[group] += processes[i].cpu_s;
        ret_use->written_bytes[group] += read_field(processes[i].pid, "io", "write_bytes");
        if (peak > ret_use->peak_rss_bytes[group])
            ret_use->peak_rss_bytes[group] = peak;
        if (private > ret_use->private_bytes[group])
            ret_use->private_bytes[group] = private;
    }
}
