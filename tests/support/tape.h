/* tape.h: everything that is done to the files of a database, in order, and the files as a disk could hold them after a
 * power cut at any point of it. Knows bytes, syncs and sectors. Knows neither SQLite nor what the bytes mean.
 *
 * What was synced is there. Of what was not, any part is: each write wholly, in some of its 512-byte sectors, or not at
 * all; the same for truncates; a sector that was being written may hold noise. Files made or deleted last when they or
 * their folder were synced. Bytes beside a write are safe (SQLite's "powersafe overwrite", its default on Unix). */
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

/* A sync of the file fails, and the system has dropped what it could not write: half of the writes since the last sync
 * that went well never get to the disk, though they can still be read. */
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

/* The files after a cut behind the first `length` operations. Cheap for lengths that ascend. */
void tape_cut(size_t length, struct cut cut, struct image *ret_image);

/* A random number below n; tests begin with tape_seed, so they do the same every time. */
void tape_seed(uint64_t seed);
int64_t tape_pick(int64_t n);

#endif
