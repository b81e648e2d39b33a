/* service.h: what endpoints work with. One per program; what a program does not have is NULL. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "log/batch.h"
#include "base/err.h"
#include "process/program.h"
#include "store/store.h"
#include "keys/keys.h"

#include <pthread.h>
#include <stdint.h>

struct writer;  /* writer.h */
struct metrics; /* metrics.h */

/* The database and the keys open when they are first needed, and again after trouble, so a program that starts before
 * its files are there answers 503 until they are. Both are one thread's at a time: hold `lock`. */
struct service {
    enum program program;
    const char *data_dir;     /* borrowed */
    struct store_place place; /* of the logs */
    int64_t query_timeout_ms;
    bool users_see_network; /* users may ask by the operator's dimensions */
    pthread_mutex_t lock;
    struct store_reader *reader;
    struct key_store *keys;
    struct writer *writer;       /* analytics-ingest; borrowed */
    struct batch_budget *budget; /* analytics-ingest; borrowed */
    struct metrics *metrics;     /* borrowed; NULL: nobody counts */
};

void service_init(struct service *service, enum program program, struct store_place place, int64_t query_timeout_ms);
void service_release(struct service *service);

/* The reader, opened if need be: OK or ERR_UNAVAILABLE. Takes the lock; give it back in any case, with the outcome:
 * after ERR_UNAVAILABLE the reader is closed, and the next request opens it again. */
enum err service_take_reader(struct service *service, struct store_reader **ret_reader, struct fault *fault);
void service_give_reader(struct service *service, enum err outcome);

/* Holds the moment that *ret_state tells of for the reports that follow, until service_let_go: see store_hold. For a
 * program of one thread. */
enum err service_hold(struct service *service, const struct report_filter *filter, struct store_state *ret_state,
                      struct fault *fault);
void service_let_go(struct service *service);

/* The same for the keys. */
enum err service_take_keys(struct service *service, struct key_store **ret_keys, struct fault *fault);
void service_give_keys(struct service *service, enum err outcome);

#endif
