/* lists.h: the lists of a store as arrays, for tests. */
#ifndef SUPPORT_LISTS_H
#define SUPPORT_LISTS_H

#include "store/store.h"

struct listed {
    char *name;
    struct totals totals;
    char *samples[LIMIT_SAMPLE_DOMAINS];
    size_t sample_count;
};

struct list {
    struct listed *rows;
    size_t count;
    uint64_t total; /* on all pages */
    struct totals other;
};

/* Reads a list. *ret_list must be all-zero, or released by list_release. */
enum err list_read(struct store_reader *reader, const struct report_filter *filter, const struct list_ask *ask,
                   struct list *ret_list, struct fault *fault);

/* A list by domain, and a list of errors with samples. */
enum err list_domains(struct store_reader *reader, const struct report_filter *filter, enum list_order order,
                      uint64_t offset, uint64_t limit, struct list *ret_list, struct fault *fault);
enum err list_errors(struct store_reader *reader, const struct report_filter *filter, uint64_t limit,
                     struct list *ret_list, struct fault *fault);

void list_release(struct list *list);

#endif
