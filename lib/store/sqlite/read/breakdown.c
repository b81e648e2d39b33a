/* breakdown.c: lists of the values of a dimension. Knows how a value becomes a key and a text. Knows no
 * tables: read/scan.c finds the rows. */
#include "store/sqlite/read/rank.h"

#include "log/batch.h"
#include "store/sqlite/read/values.h"
#include "time/when.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/banned.h"

/* Any of 2^128 numbers may be an IPv6 address, so these are numbered as they come, in a tally of their own. The second
 * half of their key is their length, of all others 0. */
_Static_assert(sizeof(struct tally_key) == sizeof((struct ip){0}.bytes), "a key holds an IPv6 address");
struct value_sums {
    enum dimension by;
    struct tally values;
    struct tally wide;
};

static void value_sums_release(struct value_sums *sums)
{
    tally_release(&sums->values);
    tally_release(&sums->wide);
}

/* ---- adding up ---- */

#define ADDRESS_TEXT_BYTES 46 /* what ip_format writes at most */

static enum err wide_key(struct value_sums *sums, struct slice address, struct tally_key *ret_key)
{
    struct tally_key wide;
    size_t index;
    memcpy(&wide, address.data, sizeof wide);
    enum err err = tally_add(&sums->wide, wide, &TOTALS_NONE, &index);
    if (!err)
        *ret_key = (struct tally_key){(int64_t)index, sizeof wide};
    return err;
}

static enum err value_sink(void *ctx, const struct scan_row *row)
{
    struct value_sums *sums = ctx;
    struct tally_key key = {.domain = row->value};
    size_t index;
    enum err err = row->ip.len == sizeof key ? wide_key(sums, row->ip, &key) : OK;
    return err ? err : tally_add(&sums->values, key, &row->totals, &index);
}

/* Orders and users are in the rollups, those of domains or an error in the packed ones; everything else is in the logs
 * alone. */
static enum tier widest_tier(const struct scan *scan, enum dimension by)
{
    const struct report_filter *filter = scan->filter;
    bool is_packed = filter->has_domain || filter->has_error || filter->without[BY_DOMAIN].is_set;
    if (scan->has_terms || (by != BY_ORDER && by != BY_USER))
        return TIER_QUARTER;
    return is_packed ? TIER_16_DAYS : TIER_DAY;
}

/* Everyone's days are in value_day, with how long their logs took. */
static enum err prepare_days(struct sqlite_reader *reader, struct scan *scan, struct scan_order *order,
                             struct fault *fault)
{
    order->widest = TIER_DAY;
    order->lacks_hours = true;
    scan->has_terms = reader->lacks_durations = false;
    return values_check_kept(reader, scan, order->by, fault);
}

static enum err add_up_values(struct sqlite_reader *reader, struct scan *scan, struct value_sums *sums,
                              struct fault *fault)
{
    struct scan_order order = {.source = SCAN_VALUES,
                               .by = sums->by,
                               .widest = widest_tier(scan, sums->by),
                               .from = scan->filter->from,
                               .to = scan->filter->to,
                               .sink = value_sink,
                               .ctx = sums};
    enum err err = OK;
    if (values_answer(scan, sums->by))
        err = prepare_days(reader, scan, &order, fault);
    else if (order.widest == TIER_QUARTER)
        err = scan_check_kept(scan, fault);
    else if (order.widest == TIER_16_DAYS)
        err = scan_split_users(reader, scan, fault);
    return err ? err : scan_run(reader, scan, &order, fault);
}

/* ---- the list ---- */

static void address_text(const struct value_sums *sums, const struct tally_key *key, char ret_text[ADDRESS_TEXT_BYTES])
{
    struct ip ip = {.len = sizeof ip.bytes};
    if (key->error)
        memcpy(ip.bytes, &sums->wide.entries[key->domain].key, sizeof ip.bytes);
    else
        ip = ip_of_number(key->domain);
    ip_format(&ip, ret_text);
}

static enum err value_text(struct sqlite_reader *reader, const void *ctx, const struct tally_key *key, char **ret_text,
                           struct fault *fault)
{
    const struct value_sums *sums = ctx;
    char text[ADDRESS_TEXT_BYTES];
    switch (dimensions[sums->by].kind) {
    case VALUE_NAME:
        return scan_name(reader, key->domain, ret_text, fault);
    case VALUE_ADDRESS:
        address_text(sums, key, text);
        break;
    case VALUE_NUMBER:
        snprintf(text, sizeof text, "%" PRId64, key->domain);
        break;
    }
    *ret_text = strdup(text);
    return *ret_text ? OK : fault_set(fault, ERR_UNAVAILABLE, "out of memory");
}

enum err list_values(struct sqlite_reader *reader, struct scan *scan, const struct list_ask *ask,
                     const struct list_sink *sink, struct totals *ret_other, struct fault *fault)
{
    struct value_sums sums = {.by = ask->by};
    enum err err = add_up_values(reader, scan, &sums, fault);
    struct ranking ranking = {.entries = sums.values.entries,
                              .count = sums.values.count,
                              .measure = rank_measure(reader, ask->order),
                              .name = value_text,
                              .ctx = &sums};
    if (!err)
        err = rank_list(reader, &ranking, ask, sink, ret_other, fault);
    value_sums_release(&sums);
    return err;
}
