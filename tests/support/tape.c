/* tape.c: records operations on files, and replays them up to a power cut. */
#include "support/tape.h"

#include "support/check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512

static struct disk_event *tape; /* each one's data is owned */
static size_t tape_len, tape_cap;

/* The contents that are safe after the first `played` operations; and for each file, the first operation that is not
 * part of them. */
static struct image safe;
static size_t played, pending[DISK_FILES];

static uint64_t rng = 1;

void tape_seed(uint64_t seed)
{
    rng = seed;
}

int64_t tape_pick(int64_t n)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((rng >> 33) % (uint64_t)n);
}

static bool chance(int percent)
{
    return tape_pick(100) < percent;
}

/* ---- files in memory ---- */

static void resize(struct image_file *file, size_t len)
{
    if (len > file->cap) {
        file->cap = len * 2;
        file->bytes = realloc(file->bytes, file->cap);
        ck_assert_ptr_nonnull(file->bytes);
    }
    if (len > file->len)
        memset(file->bytes + file->len, 0, len - file->len);
    file->len = len;
}

void image_release(struct image *image)
{
    for (int i = 0; i < DISK_FILES; i++)
        free(image->file[i].bytes);
    *image = (struct image){0};
}

void image_copy(struct image *to, const struct image *from)
{
    for (int i = 0; i < DISK_FILES; i++) {
        to->file[i].exists = from->file[i].exists;
        to->file[i].len = 0;
        resize(&to->file[i], from->file[i].len);
        if (from->file[i].len)
            memcpy(to->file[i].bytes, from->file[i].bytes, from->file[i].len);
    }
}

/* The index of the WAL is removed: SQLite makes it again when the database is opened first. */
void image_write(const struct image *image, const char *folder)
{
    char path[256];
    snprintf(path, sizeof path, "%s/analytics.db-shm", folder);
    unlink(path);
    for (int i = 0; i < DISK_FILES; i++) {
        snprintf(path, sizeof path, "%s/analytics.db%s", folder, disk_suffixes[i]);
        unlink(path);
        if (!image->file[i].exists)
            continue;
        FILE *file = fopen(path, "wb");
        ck_assert_ptr_nonnull(file);
        if (image->file[i].len) /* an empty one has no bytes to point at */
            ck_assert_uint_eq(fwrite(image->file[i].bytes, 1, image->file[i].len, file), image->file[i].len);
        ck_assert_int_eq(fclose(file), 0);
    }
}

void image_read(struct image *image, const char *folder)
{
    char path[256];
    for (int i = 0; i < DISK_FILES; i++) {
        struct image_file *to = &image->file[i];
        snprintf(path, sizeof path, "%s/analytics.db%s", folder, disk_suffixes[i]);
        FILE *file = fopen(path, "rb");
        to->exists = file != NULL;
        to->len = 0;
        if (!file)
            continue;
        ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
        resize(to, (size_t)ftell(file));
        rewind(file);
        ck_assert_uint_eq(fread(to->bytes, 1, to->len, file), to->len);
        fclose(file);
    }
}

/* ---- recording ---- */

void tape_release(void)
{
    for (size_t i = 0; i < tape_len; i++)
        free((void *)tape[i].data);
    free(tape);
    tape = NULL;
    tape_len = tape_cap = 0;
    image_release(&safe);
}

void tape_begin(const struct image *start)
{
    for (size_t i = 0; i < tape_len; i++)
        free((void *)tape[i].data);
    tape_len = played = 0;
    memset(pending, 0, sizeof pending);
    image_copy(&safe, start);
}

static bool is_recorded(const struct disk_event *event)
{
    return event->call == DISK_OPEN ? event->made
                                    : event->call & (DISK_WRITE | DISK_TRUNCATE | DISK_SYNC | DISK_DELETE);
}

int tape_hook(struct disk_event *event)
{
    if (!is_recorded(event))
        return 0;
    if (tape_len == tape_cap) {
        tape_cap = tape_cap ? tape_cap * 2 : 1024;
        tape = realloc(tape, tape_cap * sizeof *tape);
        ck_assert_ptr_nonnull(tape);
    }
    tape[tape_len] = *event;
    if (event->data) {
        void *copy = malloc(event->len);
        ck_assert_ptr_nonnull(copy);
        tape[tape_len].data = memcpy(copy, event->data, event->len);
    }
    tape_len++;
    return 0;
}

size_t tape_length(void)
{
    return tape_len;
}

void tape_lose(enum disk_file file)
{
    for (size_t i = tape_len; i > 0; i--) {
        struct disk_event *event = &tape[i - 1];
        if (event->file == file && event->call == DISK_SYNC)
            return;
        if (event->file == file && event->call == DISK_WRITE && chance(50))
            event->call = 0;
    }
}

size_t tape_checkpoints(void)
{
    size_t count = 0;
    for (size_t i = 0; i < tape_len; i++)
        count += tape[i].call == DISK_SYNC && tape[i].file == DISK_DB;
    return count;
}

size_t tape_wal_begins(void)
{
    size_t count = 0;
    for (size_t i = 0; i < tape_len; i++)
        count += tape[i].call == DISK_WRITE && tape[i].file == DISK_WAL && tape[i].offset == 0;
    return count;
}

/* ---- playing ---- */

static void do_whole(struct image_file *file, const struct disk_event *event)
{
    size_t at = (size_t)event->offset;
    if (!event->call)
        return;
    file->exists = event->call != DISK_DELETE;
    if (event->call == DISK_DELETE)
        resize(file, 0);
    if (event->call == DISK_TRUNCATE)
        resize(file, at);
    if (event->call != DISK_WRITE)
        return;
    if (file->len < at + event->len)
        resize(file, at + event->len);
    memcpy(file->bytes + at, event->data, event->len);
}

static void noise(unsigned char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (unsigned char)tape_pick(256);
}

/* Sectors are those of the disk: a write that is not aligned begins and ends in the middle of one. */
static void do_torn(struct image_file *file, const struct disk_event *event, struct cut cut)
{
    const unsigned char *data = event->data;
    size_t at = (size_t)event->offset, end = at + event->len;
    file->exists = true;
    while (at < end) {
        size_t len = SECTOR - at % SECTOR < end - at ? SECTOR - at % SECTOR : end - at;
        bool new = chance(50), noisy = !new &&chance(cut.noise);
        if ((new || noisy) && file->len < at + len)
            resize(file, at + len);
        if (new)
            memcpy(file->bytes + at, data, len);
        if (noisy)
            noise(file->bytes + at, len);
        at += len;
        data += len;
    }
}

static void make_safe(size_t from, size_t to, int which)
{
    for (size_t i = from; i < to; i++)
        if (tape[i].file == (enum disk_file)which)
            do_whole(&safe.file[which], &tape[i]);
}

/* A sync of the folder: files that were made or deleted in it stay so. */
static void sync_folder(size_t until)
{
    for (size_t i = 0; i <= until; i++) {
        int which = (int)tape[i].file;
        if (i < pending[which])
            continue;
        if (tape[i].call == DISK_DELETE) {
            do_whole(&safe.file[which], &tape[i]);
            pending[which] = i + 1;
        } else if (tape[i].call == DISK_OPEN) {
            safe.file[which].exists = true;
        }
    }
}

static void play(size_t length)
{
    ck_assert_uint_le(played, length);
    for (; played < length; played++) {
        const struct disk_event *event = &tape[played];
        if (event->call == DISK_SYNC) {
            make_safe(pending[event->file], played, (int)event->file);
            pending[event->file] = played + 1;
        }
        if (event->directory)
            sync_folder(played);
    }
}

/* If a delete is lost, so is all that came after it: that was done to a new file of this name. */
static void lose_some(struct image_file *file, size_t from, size_t length, int which, struct cut cut)
{
    for (size_t i = from; i < length; i++) {
        const struct disk_event *event = &tape[i];
        if (event->file != (enum disk_file)which || event->call == DISK_SYNC)
            continue;
        bool kept = chance(cut.kept);
        if (!kept && event->call == DISK_DELETE)
            return;
        if (kept && event->call == DISK_WRITE && chance(cut.torn))
            do_torn(file, event, cut);
        else if (kept)
            do_whole(file, event);
    }
}

void tape_cut(size_t length, struct cut cut, struct image *ret_image)
{
    play(length);
    image_copy(ret_image, &safe);
    for (int i = 0; i < DISK_FILES; i++)
        lose_some(&ret_image->file[i], pending[i], length, i, cut);
}
