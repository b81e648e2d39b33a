/* campaign.h: trouble in the middle of a piece of work, at one moment after another: the power is cut, a call on the
 * files fails, or the work is stopped. Knows tape.h and disk.h. Does not know what the work is. */
#ifndef SUPPORT_CAMPAIGN_H
#define SUPPORT_CAMPAIGN_H

#include "support/tape.h"

#include "base/work.h"

/* The work, and what must be true of the files in `folder` after trouble. */
struct campaign {
    const struct image *ground; /* the files before it */
    enum err (*run)(const struct watch *watch, struct fault *fault);
    void (*check)(const char *about);  /* the files are sound, whether the work is done or not */
    void (*finish)(const char *about); /* does the rest of the work, and checks the result */
};

/* The moment to try after the n-th: each of the first `dense` ones, then steps of one `dense`-th of n. Under
 * sanitizers, which need each way out but not each moment, steps of a half; in a long run, every moment. */
size_t campaign_next(size_t n, size_t dense);

/* Records the undisturbed work on a tape, and cuts the power behind `count` of its operations, which are spread evenly;
 * under sanitizers behind a tenth of them. Fails if the work has no more than `operations` operations. `reopen` is
 * called first after a cut; after every `finish_each`-th cut the work is finished. */
void campaign_cut(const struct campaign *campaign, size_t count, size_t operations, void (*reopen)(const char *about),
                  size_t finish_each);

/* The n-th call of a kind fails, for each n of campaign_next until the work gets through. */
#define CAMPAIGN_FAULTS 5
void campaign_fail(const struct campaign *campaign, int kind);

/* The work is stopped when it asks for the n-th time, for each n of campaign_next until it gets through. */
void campaign_stop(const struct campaign *campaign);

#endif
