/* work.h: a long piece of work, how far it has come, and who waits for it. Does not know what the work is. */
#ifndef BASE_WORK_H
#define BASE_WORK_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* How far a step has come. */
struct progress {
    const char *step; /* in plain words */
    const char *unit; /* what is counted: "logs" */
    int64_t done;
    int64_t total; /* 0: nobody knows */
};

/* Who waits. Either function may be NULL. */
struct watch {
    void *ctx;
    bool (*is_stopped)(void *ctx); /* asked many times a second; true ends the work (fault_stopped) */
    void (*progress)(void *ctx, const struct progress *progress);
};

struct work {
    const struct watch *watch;
    struct progress progress;
};

static inline bool watch_is_stopped(const struct watch *watch)
{
    return watch->is_stopped && watch->is_stopped(watch->ctx);
}

/* Begins a step, whose total is known or 0. */
static inline void work_step(struct work *work, const char *step, const char *unit, int64_t total)
{
    work->progress = (struct progress){.step = step, .unit = unit, .total = total};
}

/* Says how far it is. */
static inline void work_tell(const struct work *work)
{
    if (work->watch->progress && work->progress.step)
        work->watch->progress(work->watch->ctx, &work->progress);
}

/* The same. An error when somebody wants the work to end. */
static inline enum err work_go_on(const struct work *work, struct fault *fault)
{
    work_tell(work);
    return watch_is_stopped(work->watch) ? fault_stopped(fault) : OK;
}

/* work_go_on as a callback, for SQLite's progress handler: anything but 0 stops the statement. */
static inline int work_tick(void *ctx)
{
    const struct work *work = ctx;
    work_tell(work);
    return watch_is_stopped(work->watch);
}

#endif
