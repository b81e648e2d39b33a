/* spool.h: logs on their way to another engine. A writer that spools stores each batch's logs in the order in which
 * they came, and nothing else of them: no rollups. They leave in blocks, whose bounds are fixed here before they are
 * first sent, so that a block can be sent again, the same to the byte, whatever happened meanwhile.
 *
 * Everything here that changes something is for a writer that was opened to spool (sqlite_writer_open), and its
 * thread's. Knows no other engine. */
#ifndef STORE_SQLITE_SPOOL_SPOOL_H
#define STORE_SQLITE_SPOOL_SPOOL_H

#include "log/text.h"
#include "report/report.h"
#include "store/sqlite/sqlite.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPOOL_ID_BYTES 33
#define SPOOL_BLOCK_LOGS 50000 /* at most in a block */
#define SPOOL_LAST_MONTH 209912

enum spool_state {
    SPOOL_WAITING = 0,   /* cut; perhaps sent, perhaps more than once */
    SPOOL_TAKEN = 1,     /* acknowledged; its logs are still here */
    SPOOL_ASIDE = 2,     /* refused for what it holds; its logs stay here */
    SPOOL_FORGOTTEN = 3, /* acknowledged long ago; its logs are gone from here */
};

/* The logs of the batches first_batch … last_batch that lie in one month and belong to one shard. */
struct spool_block {
    int64_t number; /* 1, 2, 3, … */
    int64_t first_batch, last_batch;
    int64_t month;         /* 202603; SPOOL_LAST_MONTH: all that is later as well */
    int64_t shard, shards; /* user_id modulo `shards` */
    int64_t logs;
    struct totals sums; /* only those of count, bytes_sent, bytes_received and errors */
    enum spool_state state;
    int64_t settled_at; /* when it was taken or put aside, Unix seconds; 0: it waits */
    char detail[256];   /* why it was put aside */
};

/* The days of a block's month, since 1970-01-01: the first of them, and the one after the last. */
int64_t spool_first_day(int64_t month);
int64_t spool_end_day(int64_t month);

/* ---- writing ---- */

/* Which batches are cut: all that came, or those of full blocks alone, so that few blocks wait where none can leave. */
enum spool_cutting { SPOOL_CUT_ALL, SPOOL_CUT_FULL };

/* Cuts the next blocks out of what came since the last ones: of some batches, with SPOOL_BLOCK_LOGS logs at most or one
 * batch. A log belongs to the shard user_id modulo `shards`. *ret_more: more may have come than that. */
enum err spool_cut(struct sqlite_writer *writer, enum spool_cutting which, int64_t shards, bool *ret_more,
                   struct fault *fault);

/* What became of a block. */
struct spool_outcome {
    int64_t number;
    enum spool_state state; /* SPOOL_TAKEN or SPOOL_ASIDE */
    char detail[256];       /* why it was put aside */
};
enum err spool_settle(struct sqlite_writer *writer, const struct spool_outcome *outcomes, size_t count, int64_t now,
                      struct fault *fault);

/* Where reports are answered: for each shard the replica that was shipped to; the mark that the first shard's has, 0
 * where one of them is not known to have all that was acknowledged; and what keeps the spool from being shipped, "" for
 * nothing. */
struct spool_target {
    unsigned char replica[32];
    int64_t mark;
    char trouble[256];
};
enum err spool_set_target(struct sqlite_writer *writer, const struct spool_target *target, struct fault *fault);

/* What came of comparing blocks with what the replicas have. */
struct spool_audit {
    int64_t at;          /* when it was last done, Unix seconds; 0: never */
    int64_t differences; /* found since the start of the writer */
    char words[256];     /* the last of them */
};
enum err spool_set_audit(struct sqlite_writer *writer, const struct spool_audit *audit, struct fault *fault);

/* Forgets the logs of some blocks that were acknowledged before `before`, Unix seconds, and after a week the blocks
 * themselves. *ret_more: there may be more. */
enum err spool_forget(struct sqlite_writer *writer, int64_t before, bool *ret_more, struct fault *fault);

/* Lets all blocks that were put aside wait again. Takes the writer's lock. */
enum err spool_retry(const char *data_dir, int64_t *ret_blocks, struct fault *fault);

/* Bytes that the file uses, free pages not among them. */
enum err spool_bytes(struct sqlite_writer *writer, int64_t *ret_bytes, struct fault *fault);

/* ---- reading, from any thread or process ---- */

struct spool_reader; /* opaque; one thread's at a time */

enum err spool_reader_open(const char *data_dir, struct spool_reader **ret_reader, struct fault *fault);

/* Do the folder's batches go to another engine? False also where that can't be read. */
bool spool_is_used(const char *data_dir);
void spool_reader_close(struct spool_reader *reader); /* takes NULL */
bool spool_reader_is_stale(struct spool_reader *reader);

/* How far it has come, at one moment. */
struct spool_position {
    bool is_used;            /* batches go there */
    int64_t newest_batch;    /* 0: there is none */
    int64_t newest_block;    /* likewise */
    int64_t shipped_until;   /* all batches up to this one were acknowledged or put aside */
    int64_t waiting_logs;    /* that were neither */
    int64_t waiting_since;   /* when the oldest of them came, Unix seconds; -1: there is none */
    int64_t aside;           /* blocks that were put aside */
    char id[SPOOL_ID_BYTES]; /* random, of this spool: hexadecimal digits */
    struct spool_target target;
    struct spool_audit audit;
};
enum err spool_position(struct spool_reader *reader, struct spool_position *ret_position, struct fault *fault);

/* The first waiting block with a higher number than `after`; the first that was taken, its logs forgotten here or not;
 * the first that was put aside. */
enum err spool_next(struct spool_reader *reader, int64_t after, bool *ret_found, struct spool_block *ret_block,
                    struct fault *fault);
enum err spool_next_taken(struct spool_reader *reader, int64_t after, bool *ret_found, struct spool_block *ret_block,
                          struct fault *fault);
enum err spool_next_aside(struct spool_reader *reader, int64_t after, bool *ret_found, struct spool_block *ret_block,
                          struct fault *fault);

/* Gives its logs to the sink, always in the same order: that of batches, and in each that of its lines. They have the
 * numbers of their texts. */
typedef void (*spool_sink)(void *ctx, const struct log_text *log);
enum err spool_read(struct spool_reader *reader, const struct spool_block *block, spool_sink sink, void *ctx,
                    struct fault *fault);

/* A text of the block that was read last, by its number in the logs. Borrowed until the next block is read. */
struct slice spool_text(const struct spool_reader *reader, uint32_t number);

#endif
