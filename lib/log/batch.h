/* batch.h: a batch of request logs in memory, checked and compact. Knows the rules for each field. Knows no JSON, no
 * SQL. */
#ifndef LOG_BATCH_H
#define LOG_BATCH_H

#include "base/err.h"
#include "base/index.h"
#include "base/limit.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The text fields of a log. Each distinct text of a batch is kept once, whatever field it stands in. */
enum name_field { NAME_DOMAIN, NAME_ERROR, NAME_PROTOCOL, NAME_PEER, NAME_WORKER, NAME_FIELDS };

/* An IPv4 or IPv6 address in network order; len 0 for "", else 4 or 16. */
struct ip {
    uint8_t len;
    uint8_t bytes[16];
};

/* A text that lies aside of the names. */
struct batch_text {
    uint32_t offset;
    uint32_t len;
};

struct log_record {
    int64_t ts; /* Unix seconds */
    int64_t user_id;
    int64_t order_id;
    int64_t count;
    int64_t bytes_sent;
    int64_t bytes_received;
    int64_t error_count;
    int64_t duration_ms;
    int64_t max_concurrency;
    uint32_t name[NAME_FIELDS];    /* indexes into struct batch names; 0 is always "" */
    struct batch_text domain_sent; /* as versions up to 0.2.0 kept the domain, if they kept another; else none */
    uint16_t port;
    struct ip ip_out;
    struct ip ip_from;
};

struct batch_name {
    uint32_t offset; /* into struct batch name_text */
    uint32_t len;
    uint32_t hash;
};

/* Memory that many batches share: bytes in use now, and the ceiling. Thread-safe. */
struct batch_budget {
    _Atomic size_t used_bytes;
    size_t max_bytes;
};

struct batch {
    struct log_record *logs;
    uint32_t log_count;
    uint32_t log_cap;
    struct batch_name *names; /* names[0] is "" */
    uint32_t name_count;
    uint32_t name_cap;
    struct index name_index;
    char *name_text;
    size_t text_len;
    size_t text_cap;
    struct batch_budget *budget; /* borrowed; NULL for none */
    size_t reserved_bytes;       /* taken from the budget */
};

/* Makes an empty batch. `budget` is borrowed until batch_release and may be NULL. Allocates nothing. */
void batch_init(struct batch *batch, struct batch_budget *budget);
void batch_release(struct batch *batch);

/* Appends a copy of `log`. OK, or ERR_UNAVAILABLE when memory or budget is used up. */
enum err batch_add(struct batch *batch, const struct log_record *log);

/* The index of `text` among the batch's names, added if new. OK, or ERR_UNAVAILABLE. */
enum err batch_intern(struct batch *batch, struct slice text, uint32_t *ret_index);

/* Forgets the names from index `count` on, the last to be added; no log may have them. */
void batch_drop_names(struct batch *batch, uint32_t count);

/* Keeps a text that is no name. OK, or ERR_UNAVAILABLE. */
enum err batch_set_aside(struct batch *batch, struct slice text, struct batch_text *ret_text);

/* What an import is known by: the field as versions up to 0.2.0 kept it, so that what they imported is found. Borrowed
 * until the batch changes. */
struct slice batch_as_sent(const struct batch *batch, const struct log_record *log, enum name_field field);

/* Borrowed until the batch changes. */
struct slice batch_name(const struct batch *batch, uint32_t index);

/* Parses "" or an IPv4 dotted quad or an IPv6 address without zone. */
bool ip_parse(struct slice text, struct ip *ret_ip);

/* Text form as inet_ntop writes it, "" for len 0. `ret_text` holds 46 bytes (INET6_ADDRSTRLEN). */
void ip_format(const struct ip *ip, char *ret_text);

/* An address as a number, where it is none (0) or of IPv4 (1 … 2^32); 0 for IPv6. And the address of such a number. */
int64_t ip_number(const struct ip *ip);
struct ip ip_of_number(int64_t number);

#endif
