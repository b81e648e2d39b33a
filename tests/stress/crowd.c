/* crowd.c: see crowd.h. A client never fails the test itself: libcheck permits that in the main thread only. */
#include "crowd.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STACK_BYTES (512u << 10)

struct crowd {
    struct crowd_plan plan;
    pthread_t *threads;
    pthread_mutex_t lock; /* for the members that follow */
    bool stop;
    struct crowd_result result;
    double *ms;
    size_t ms_count, ms_cap;
};

static bool is_over(struct crowd *crowd)
{
    pthread_mutex_lock(&crowd->lock);
    bool over = crowd->stop;
    pthread_mutex_unlock(&crowd->lock);
    return over;
}

static void add_time(struct crowd *crowd, double ms)
{
    if (crowd->ms_count == crowd->ms_cap) {
        crowd->ms_cap = crowd->ms_cap ? crowd->ms_cap * 2 : 1024;
        crowd->ms = realloc(crowd->ms, crowd->ms_cap * sizeof *crowd->ms);
        if (!crowd->ms)
            abort();
    }
    crowd->ms[crowd->ms_count++] = ms;
}

static void note(struct crowd *crowd, const struct reply *reply, double ms)
{
    char *retry = reply_header(reply, "retry-after");
    bool good = reply->status == 204 || reply->status == 200;
    bool refused = (reply->status == 503 || reply->status == 429) && retry;
    free(retry);
    pthread_mutex_lock(&crowd->lock);
    crowd->result.requests++;
    crowd->result.good += good;
    crowd->result.refused += refused;
    crowd->result.silent += reply->status == 0;
    crowd->result.bad += reply->status != 0 && !good && !refused;
    if (good)
        add_time(crowd, ms);
    pthread_mutex_unlock(&crowd->lock);
}

static struct reply post(struct crowd *crowd, int64_t *ret_start)
{
    char *body = NULL;
    size_t len = 0;
    int number = book_batch(crowd->plan.book, crowd->plan.logs, crowd->plan.pause, &body, &len);
    *ret_start = stack_now_ms();
    struct reply reply = stack_post(crowd->plan.stack, body, len, NULL);
    book_note(crowd->plan.book, number, &reply);
    free(body);
    return reply;
}

static struct reply get(struct crowd *crowd, int64_t *ret_start)
{
    const struct stack *stack = crowd->plan.stack;
    *ret_start = stack_now_ms();
    return stack_send(stack, &(struct request_spec){.path = crowd->plan.path, .key = stack->admin_key});
}

static void *client(void *ctx)
{
    struct crowd *crowd = ctx;
    for (int i = 0; !is_over(crowd) && (crowd->plan.most == 0 || i < crowd->plan.most); i++) {
        int64_t start = 0;
        struct reply reply = crowd->plan.book ? post(crowd, &start) : get(crowd, &start);
        note(crowd, &reply, (double)(stack_now_ms() - start));
        reply_release(&reply);
        if (crowd->plan.nap_ms)
            stack_nap(crowd->plan.nap_ms);
    }
    return NULL;
}

struct crowd *crowd_start(const struct crowd_plan *plan)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    pthread_attr_t attr;
    if (!crowd || !(crowd->threads = calloc((size_t)plan->clients, sizeof *crowd->threads)))
        abort();
    crowd->plan = *plan;
    pthread_mutex_init(&crowd->lock, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    for (int i = 0; i < plan->clients; i++)
        if (pthread_create(&crowd->threads[i], &attr, client, crowd) != 0)
            abort();
    pthread_attr_destroy(&attr);
    return crowd;
}

static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double quantile(const struct crowd *crowd, double part)
{
    return crowd->ms_count ? crowd->ms[(size_t)((double)(crowd->ms_count - 1) * part)] : 0;
}

struct crowd_result crowd_wait(struct crowd *crowd)
{
    for (int i = 0; i < crowd->plan.clients; i++)
        pthread_join(crowd->threads[i], NULL);
    if (crowd->ms_count)
        qsort(crowd->ms, crowd->ms_count, sizeof *crowd->ms, ascending);
    struct crowd_result result = crowd->result;
    result.p50 = quantile(crowd, 0.5);
    result.p99 = quantile(crowd, 0.99);
    result.most = quantile(crowd, 1);
    pthread_mutex_destroy(&crowd->lock);
    free(crowd->threads);
    free(crowd->ms);
    free(crowd);
    return result;
}

struct crowd_result crowd_stop(struct crowd *crowd)
{
    pthread_mutex_lock(&crowd->lock);
    crowd->stop = true;
    pthread_mutex_unlock(&crowd->lock);
    return crowd_wait(crowd);
}

void crowd_print(const char *what, const struct crowd_result *result)
{
    printf("%s: %d requests, %d good, %d refused, %d without an answer, %d bad; p50 %.0f ms, p99 %.0f ms, at most"
           " %.0f ms\n",
           what, result->requests, result->good, result->refused, result->silent, result->bad, result->p50, result->p99,
           result->most);
}
