/* numbered.h: batch number N of tests/support/ledger.h as a sender sends it: JSON, and its idempotency key. */
#ifndef NUMBERED_H
#define NUMBERED_H

#include "support/ledger.h"

struct numbered {
    char *json; /* NUL-terminated */
    size_t len;
    char key[16]; /* "": none */
};

void numbered_make(struct numbered *made, const struct ledger *ledger, int number);
void numbered_release(struct numbered *made);

/* A random figure from 0 to n - 1, the same for the same seed, number and salt. */
int64_t numbered_dice(uint64_t seed, int number, int salt, int64_t n);

/* $ANALYTICS_SEED, or a new seed. It is printed, so that a run's choices can be repeated. */
uint64_t numbered_seed(void);

#endif
