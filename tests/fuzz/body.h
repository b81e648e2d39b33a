/* body.h: reads a request body with the product (lib/format/gunzip, json_logs), and compares the outcome with a second
 * opinion on the same bytes: rfc8259.c for the grammar, json-c for the values. Knows the members of a log from
 * docs/api.md, and the product from its headers only. */
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

/* Reads a body, compressed or not, as app/endpoint/ingest.c does: whole, byte by byte, in two parts, and in small
 * pieces. The cuts depend on the bytes. All outcomes must be the same. The caller releases *ret_outcome. */
void body_read(const char *body, size_t len, bool gzip, struct outcome *ret_outcome);
void outcome_release(struct outcome *outcome);

/* Both are the same, to the last byte of the batch. */
void outcomes_check_same(const struct outcome *one, const struct outcome *other);

/* Compares the outcome with the second opinion on the bytes (not compressed): err, the refused fields, every value. */
void outcome_check(const struct outcome *outcome, const char *body, size_t len);

#endif
