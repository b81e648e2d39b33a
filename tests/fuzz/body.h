/* body.h: a request body through the product (lib/gunzip, lib/json_logs), and what a second opinion says of the same
 * bytes: rfc8259.c for the grammar, json-c for the values. Knows the members of a log from docs/api.md, and the product
 * from its headers alone. */
#ifndef FUZZ_BODY_H
#define FUZZ_BODY_H

#include "log/batch.h"
#include "base/err.h"
#include "format/json_logs.h"

#include <stdbool.h>
#include <stddef.h>

struct outcome {
    enum err err;
    char detail[256];
    uint32_t shown;
    uint64_t total;
    struct log_fault faults[LIMIT_LOG_ERRORS];
    struct batch batch;
};

/* Reads a body, compressed or not, as app/endpoint/ingest.c does: whole, byte by byte, cut at a place that depends on
 * the bytes, and in pieces of a size that does; all must agree. The caller releases *ret_outcome. */
void body_read(const char *body, size_t len, bool gzip, struct outcome *ret_outcome);
void outcome_release(struct outcome *outcome);

/* Both say the same, to the last byte of the batch. */
void outcomes_check_same(const struct outcome *one, const struct outcome *other);

/* What the bytes (not compressed) must be answered: err, which fields of which logs are refused, and every value. */
void outcome_check(const struct outcome *outcome, const char *body, size_t len);

#endif
