/* file.h: numbers that all processes of the service share, in one small file of the data folder. */
#ifndef METRICS_FILE_H
#define METRICS_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The file as it lies in memory. */
struct metrics_area {
    char magic[8];
    uint64_t layout; /* what the slots mean: another number, another file */
    uint64_t bytes;  /* of the whole file */
    uint64_t reserved[5];
    _Atomic uint64_t slots[];
};

/* Maps DIR/metrics, which is made when it is missing, damaged, or of another layout: under a lock on the folder, and by
 * a rename, so that processes that start at once have the same file, and those that run keep theirs. Should a page of
 * it be lost later (the file cut short, no room, a bad disk), this process goes on with zeroes of its own. NULL when it
 * can't be had, with why in *ret_why (static). `wait`: for the lock, a second at most. */
struct metrics_area *metrics_file_map(const char *data_dir, uint64_t layout, size_t slots, bool wait,
                                      const char **ret_why);

/* Memory of this process alone, all zero; NULL without memory. It and a mapping are never given back: other threads may
 * still count in them. */
struct metrics_area *metrics_file_none(size_t slots);

/* True, once, when a mapping has been lost since the last call. */
bool metrics_file_lost(void);

#endif
