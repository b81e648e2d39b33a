/* procs.h: what the processes of a running service have used so far, from /proc. */
#ifndef PROCS_H
#define PROCS_H

#include <stdint.h>
#include <sys/types.h>

enum proc_group { PROC_NGINX, PROC_INGEST, PROC_QUERY, PROC_REST, PROC_GROUPS };

struct proc_use {
    double cpu_s[PROC_GROUPS];           /* user and system, of all processes of the group */
    int64_t peak_rss_bytes[PROC_GROUPS]; /* the greatest of any process, since its start */
    int64_t private_bytes[PROC_GROUPS];  /* anonymous memory: the greatest of any process now */
    int64_t written_bytes[PROC_GROUPS];  /* handed to the disk */
    double machine_cpu_s;                /* of everything on the machine, steal time included */
    double own_cpu_s;                    /* of the calling process */
};

/* Sums up `root` and its descendants. */
void procs_read(pid_t root, struct proc_use *ret_use);

#endif
