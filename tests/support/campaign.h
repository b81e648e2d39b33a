/* campaign.h: trouble in the middle of a piece of work, at one moment after another: the power is cut, a call on the
 * files fails, or whoever waits wants it to end. Knows tape.h and disk.h. Does not know what the work is. */
#ifndef SUPPORT_CAMPAIGN_H
#define SUPPORT_CAMPAIGN_H

#include "support/tape.h"

#include "base/work.h"

/* The work, and what must be true of the files in `folder` after trouble. */
struct campaign {
    const struct image *ground; /* the files before it */
    enum err (*run)(const struct watch *watch, struct fault *fault);
    void (*check)(const char *about);  /* all is sound, the work done or not */
    void (*finish)(const char *about); /* the work is done now; checks that, too */
};

/* The moment to try after the n-th: the first ones each, then one of `dense` between a number and its double. Under
 * sanitizers, which look at each way out and not at each moment, three; in a long run, all. */
size_t campaign_next(size_t n, size_t dense);

/* Writes the work, undisturbed, on a tape, and cuts the power behind `count` of its operations, which are spread
 * evenly; under sanitizers behind a sixth of them. Files have at least `operations` done to them. `reopen` is what
 * starts first after a cut; every `finish_each`-th time the work is finished. */
void campaign_cut(const struct campaign *campaign, size_t count, size_t operations, void (*reopen)(const char *about),
                  size_t finish_each);

/* The n-th call of a kind fails, for each n of campaign_next until the work gets through. */
#define CAMPAIGN_FAULTS 5
void campaign_fail(const struct campaign *campaign, int kind);

/* The work is to end when it has asked n times, for each n of campaign_next until it gets through. */
void campaign_stop(const struct campaign *campaign);

#endif
