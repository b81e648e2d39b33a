/* lists.c: a sink that keeps what it gets. */
#include "support/lists.h"

#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

static enum err begin(void *ctx, uint64_t total, struct fault *fault)
{
    struct list *list = ctx;
    (void)fault;
    list->total = total;
    return OK;
}

static enum err keep(struct listed *listed, const struct list_row *row)
{
    *listed = (struct listed){.name = strdup(row->name), .totals = row->totals};
    for (size_t i = 0; i < row->sample_count; i++) {
        listed->samples[i] = strdup(row->samples[i]);
        if (!listed->samples[i])
            return ERR_UNAVAILABLE;
        listed->sample_count++;
    }
    return listed->name ? OK : ERR_UNAVAILABLE;
}

static enum err take(void *ctx, const struct list_row *row, struct fault *fault)
{
    struct list *list = ctx;
    struct listed *rows = realloc(list->rows, (list->count + 1) * sizeof *rows);
    if (rows)
        list->rows = rows;
    if (!rows || keep(&list->rows[list->count++], row))
        return fault_set(fault, ERR_UNAVAILABLE, "out of memory");
    return OK;
}

enum err list_read(struct store_reader *reader, const struct report_filter *filter, const struct list_ask *ask,
                   struct list *ret_list, struct fault *fault)
{
    struct list list = {.count = 0};
    struct list_sink sink = {begin, take, &list};
    enum err err = store_list(reader, filter, ask, &sink, &list.other, fault);
    if (err)
        list_release(&list);
    else
        *ret_list = list;
    return err;
}

enum err list_domains(struct store_reader *reader, const struct report_filter *filter, enum list_order order,
                      uint64_t offset, uint64_t limit, struct list *ret_list, struct fault *fault)
{
    const struct list_ask ask = {.by = BY_DOMAIN, .order = order, .offset = offset, .limit = limit};
    return list_read(reader, filter, &ask, ret_list, fault);
}

enum err list_errors(struct store_reader *reader, const struct report_filter *filter, uint64_t limit,
                     struct list *ret_list, struct fault *fault)
{
    const struct list_ask ask = {.by = BY_ERROR, .samples = true, .order = ORDER_ERRORS, .limit = limit};
    return list_read(reader, filter, &ask, ret_list, fault);
}

void list_release(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->rows[i].name);
        for (size_t j = 0; j < list->rows[i].sample_count; j++)
            free(list->rows[i].samples[j]);
    }
    free(list->rows);
    *list = (struct list){.count = 0};
}
