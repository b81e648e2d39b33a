/* closed.h: which hours and days are closed, how far the period that is being packed has come, and what is kept. */
#ifndef STORE_SQLITE_WRITE_CLOSED_H
#define STORE_SQLITE_WRITE_CLOSED_H

#include "rollup/tier.h"

/* The users of an hour or a day, whose logs are being added up: write/users.c. Users before user_from are done, and of
 * those up to user_to what lies before the quarter. */
struct user_walk {
    bool is_active;
    bool is_done; /* with all of them */
    enum tier tier;
    int64_t bucket;
    int64_t user_from, user_to; /* user_to 0: nobody is chosen yet */
    int64_t quarter;
    int64_t quarters; /* in each slice */
};

struct user_list {
    int64_t *users; /* ascending */
    size_t count, cap;
};

/* A day, or a wider period, that is being packed, some users in each transaction. */
struct packing {
    bool clean;  /* no half-packed period is in the table but this one */
    bool active; /* the rest is about a period */
    enum tier tier;
    int64_t bucket;
    struct user_list
        listed; /* who has entries in a wider period; those from the `next` one on are still to be packed */
    size_t next;
    size_t slice_entries; /* so many end a slice */
    int64_t logs;         /* raw logs read to close hours, since the start */
};

/* A slice reads or moves so many logs, at least one: one for several entries of a slice of packing, as it costs more.
 * docs/bench/studies.md has the figures. */
static inline int64_t sqlite_slice_logs(const struct packing *packing)
{
    return packing->slice_entries < 16 ? 1 : (int64_t)packing->slice_entries / 8;
}

/* The days from which logs, hours and days are kept (the table retention): buckets of tier 2. */
struct horizons {
    int64_t raw_from;
    int64_t hour_from;
    int64_t day_from;
};

/* Hours and days before these are closed (the table closing); and the day that is being packed. */
struct writer_closed {
    int64_t since; /* before it nothing is closed, and no log moves: the table upgrade. Unix seconds */
    int64_t hour;
    int64_t day;
    int64_t
        user_hour; /* hours before it have the users' sums, or will have none: those of logs that are kept have not */
    struct packing packing;
    struct user_walk walk;
    struct horizons horizons;
};

/* Is this bucket not before its tier's horizon? Then it has rows, once it is closed. */
bool sqlite_is_kept(const struct writer_closed *closed, enum tier tier, int64_t bucket);

/* Are the sums of the user (0: everyone) in the tier's bucket of this second made, so that a late log must be added to
 * them? */
bool sqlite_is_packed(const struct writer_closed *closed, enum tier tier, int64_t at, int64_t user);

/* Are all hours of a day closed that is not? */
bool sqlite_day_waits(const struct writer_closed *closed);

/* What has been made of users' hours that readers do not use yet is to be made again. */
void sqlite_forget_user_hours(struct writer_closed *closed);

/* From now on only what lies before the horizon of logs is closed. */
void sqlite_reopen(struct writer_closed *closed);

#endif
