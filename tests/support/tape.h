/* tape.h: records all operations on the files of a database, in order, and makes the files as a disk could hold them
 * after a power cut at any point. Knows bytes, syncs and sectors. Knows neither SQLite nor what the bytes mean.
 *
 * What was synced is kept. Any part of the rest is: each write as a whole, in some of its 512-byte sectors, or not at
 * all; each truncate or not. A sector that was being written may hold noise. That a file was made or deleted is safe
 * once the file or its folder was synced. Bytes beside a write are safe (SQLite's "powersafe overwrite", its default on
 * Unix).
 */
#ifndef SUPPORT_TAPE_H
#define SUPPORT_TAPE_H

#include "support/disk.h"

struct image_file {
    unsigned char *bytes;
    size_t len, cap;
    bool exists;
};
struct image {
    struct image_file file[DISK_FILES];
};
void image_release(struct image *image);
void image_copy(struct image *to, const struct image *from); /* `to` keeps its memory */
void image_write(const struct image *image, const char *folder);
void image_read(struct image *image, const char *folder);

/* Begins a new tape, on files that hold `start` safely. disk_install(tape_hook) fills it. */
void tape_begin(const struct image *start);
int tape_hook(struct disk_event *event);
size_t tape_length(void);

/* A sync of the file has failed, and the kernel has dropped what it could not write: half of the writes since the last
 * successful sync never reach the disk, though they can still be read. */
void tape_lose(enum disk_file file);

size_t tape_checkpoints(void); /* syncs of the database itself */
size_t tape_wal_begins(void);  /* how often the WAL's header was written */
void tape_release(void);

/* What a cut leaves of what was not synced, in percent. */
struct cut {
    int kept;  /* of the writes */
    int torn;  /* of the kept ones: only some sectors */
    int noise; /* of the torn one's lost sectors: neither old nor new */
};

/* The files after a cut behind the first `length` operations. From cut to cut, lengths must not descend. */
void tape_cut(size_t length, struct cut cut, struct image *ret_image);

/* A random number below n. Tests begin with tape_seed, so their choices are always the same. */
void tape_seed(uint64_t seed);
int64_t tape_pick(int64_t n);

#endif
