/* nginx.h: who the nginx is that a client of ours would meet, for analyticsctl doctor. */
#ifndef CTL_NGINX_H
#define CTL_NGINX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#define NGINX_MOST 16
#define NGINX_GROUPS 64

/* What decides whether a worker process gets at a socket. */
struct nginx {
    char name[64]; /* for messages: "nginx (pid 12)", "user www-data" */
    int64_t pid;   /* of the worker; 0: it does not run */
    int64_t master;
    uid_t uid;
    gid_t groups[NGINX_GROUPS];
    int group_count;
};

/* One worker of each nginx that runs here. Returns how many there are, NGINX_MOST at the most. */
size_t nginx_find(struct nginx ret_nginx[NGINX_MOST]);

/* As whom it would run, by the names that packages give to its user. */
bool nginx_guess(struct nginx *ret_nginx);

/* It holds a socket that listens on this TCP port. Of another user's nginx, only root can see that. */
bool nginx_listens(const struct nginx *nginx, int port);

/* By the mode alone; `bit` as for others: 1, to pass through a folder; 2, to connect. */
bool nginx_may(const struct nginx *nginx, const struct stat *st, mode_t bit);

#endif
