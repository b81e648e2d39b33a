/* auth_service.h: an operator's own authentication service in place of our keys, played by a child process. It answers
 * as the client's header X-Script says:
 *
 *   "200|X-Analytics-Role: admin"  a status line and headers, parted by "|"
 *   "role worker", "role user 1"   as analytics-auth-own.conf.example asks of a service: 200 with that identity, or 403
 *                                  if the role lacks the right that X-Analytics-Need names
 *   "hangup", "garbage", "silent"  no answer, no HTTP, nothing until nginx hangs up
 *   "slow"                         200 with the role admin, after 300 ms
 *
 * and with 401 when there is no X-Script. */
#ifndef SUPPORT_AUTH_SERVICE_H
#define SUPPORT_AUTH_SERVICE_H

#include "support/stack.h"

struct auth_seen {
    unsigned count;
    char request[16384]; /* the last one */
};

/* The requests to the service, in memory that is shared with it. */
extern struct auth_seen *auth_seen;

void auth_service_start(void);
void auth_service_stop(void);
void auth_service_stop_both(void); /* ./serve (`shared`), then the service: a test case's teardown */

/* Writes a file for --auth: `before`, then analytics-auth-own.conf.example with the service's address in it and a short
 * wait for its answer. */
void auth_service_file(const struct stack *stack, const char *before, char ret_path[128]);

#endif
