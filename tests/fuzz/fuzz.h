/* fuzz.h: the ground of every fuzz target: its entry point, and the report of a broken promise. Knows no target. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Called by libFuzzer, or by replay.c for each file of a corpus. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A broken promise ends the program, so that libFuzzer keeps the input. */
#define CHECK(truth)                                                                                                   \
    do {                                                                                                               \
        if (!(truth)) {                                                                                                \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #truth);                                        \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* A copy on the heap of exactly so many bytes, so that a sanitizer sees a read beyond them. The caller frees it. */
static inline char *fuzz_copy(const void *data, size_t len)
{
    char *copy = malloc(len);
    CHECK(copy || len == 0);
    if (len > 0)
        memcpy(copy, data, len);
    return copy;
}

/* A number that depends on every byte of the input (FNV-1a): where it is cut, and the like. */
static inline uint32_t fuzz_number(const void *data, size_t len)
{
    const unsigned char *bytes = data;
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < len; i++)
        hash = (uint32_t)((hash ^ bytes[i]) * UINT64_C(16777619) & UINT32_MAX);
    return hash ^ hash >> 15;
}

#endif
