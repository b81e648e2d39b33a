/* service.c: opens what endpoints work with, when it is needed. Knows the stores' life. Knows no request. */
#include "service/service.h"

#include <assert.h>

#include "base/banned.h"

#define OPENINGS 3

void service_init(struct service *service, enum program program, struct store_place place, int64_t query_timeout_ms)
{
    *service = (struct service){
        .program = program, .data_dir = place.data_dir, .place = place, .query_timeout_ms = query_timeout_ms};
    int failed = pthread_mutex_init(&service->lock, NULL);
    assert(failed == 0);
}

void service_release(struct service *service)
{
    store_reader_close(service->reader);
    key_store_close(service->keys);
    pthread_mutex_destroy(&service->lock);
}

/* A restore puts another file into the place of the one that is open; even while it is being opened. */
static enum err open_reader(struct service *service, struct fault *fault)
{
    enum err err = OK;
    for (int i = 0; !err && i < OPENINGS; i++) {
        if (service->reader && !store_reader_is_stale(service->reader))
            return OK;
        store_reader_close(service->reader);
        service->reader = NULL;
        err = store_reader_open(service->place, &service->reader, fault);
        if (!err)
            store_reader_set_timeout(service->reader, service->query_timeout_ms);
    }
    return err;
}

enum err service_take_reader(struct service *service, struct store_reader **ret_reader, struct fault *fault)
{
    pthread_mutex_lock(&service->lock);
    enum err err = open_reader(service, fault);
    if (!err)
        *ret_reader = service->reader;
    return err;
}

void service_give_reader(struct service *service, enum err outcome)
{
    if (outcome == ERR_UNAVAILABLE) {
        store_reader_close(service->reader);
        service->reader = NULL;
    }
    pthread_mutex_unlock(&service->lock);
}

enum err service_hold(struct service *service, const struct report_filter *filter, struct store_state *ret_state,
                      struct fault *fault)
{
    struct store_reader *reader = NULL;
    enum err err = service_take_reader(service, &reader, fault);
    if (!err)
        err = store_hold(reader, filter, ret_state, fault);
    service_give_reader(service, err);
    return err;
}

void service_let_go(struct service *service)
{
    pthread_mutex_lock(&service->lock);
    if (service->reader)
        store_let_go(service->reader);
    pthread_mutex_unlock(&service->lock);
}

static enum err open_keys(struct service *service, struct fault *fault)
{
    if (service->keys && !key_store_has_moved(service->keys))
        return OK;
    key_store_close(service->keys);
    service->keys = NULL;
    return key_store_open(service->data_dir, false, &service->keys, fault);
}

enum err service_take_keys(struct service *service, struct key_store **ret_keys, struct fault *fault)
{
    pthread_mutex_lock(&service->lock);
    enum err err = open_keys(service, fault);
    if (!err)
        *ret_keys = service->keys;
    return err;
}

void service_give_keys(struct service *service, enum err outcome)
{
    if (outcome == ERR_UNAVAILABLE) {
        key_store_close(service->keys);
        service->keys = NULL;
    }
    pthread_mutex_unlock(&service->lock);
}
