/* work.h: a long piece of work, and who waits for it. Private to the SQLite engine. */
#ifndef STORE_SQLITE_WORK_H
#define STORE_SQLITE_WORK_H

#include "store/store.h"

struct work {
    const struct store_watch *watch;
    struct store_progress progress;
};

static inline bool work_is_stopped(const struct work *work)
{
    return work->watch->is_stopped && work->watch->is_stopped(work->watch->ctx);
}

/* Begins a step, whose total is known or 0. */
static inline void work_step(struct work *work, const char *step, const char *unit, int64_t total)
{
    work->progress = (struct store_progress){.step = step, .unit = unit, .total = total};
}

/* Says how far it is. ERR_UNAVAILABLE when somebody wants the work to end. */
static inline enum err work_go_on(const struct work *work, struct fault *fault)
{
    if (work->watch->progress && work->progress.step)
        work->watch->progress(work->watch->ctx, &work->progress);
    return work_is_stopped(work) ? fault_set(fault, ERR_UNAVAILABLE, "stopped") : OK;
}

/* For sqlite3_progress_handler: anything but 0 ends the statement. */
static inline int work_tick(void *ctx)
{
    struct fault ignored;
    return work_go_on(ctx, &ignored) != OK;
}

#endif
