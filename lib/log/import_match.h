/* import_match.h: which logs of one second of a source an import brings again. Knows hashes of logs and how many there
 * are. Knows no store and no file.
 *
 * A source writes one row of logs, and each import brings a piece of it. Inside a piece a second is whole. Only the
 * seconds in which the piece begins and ends may have more logs than the piece holds: these are its edges. Equal logs
 * of a second count as often as they stand in one piece: the most, never the sum.
 *
 * Two cases can't be told from the logs alone. One piece ends and the other begins within a second, and both have equal
 * logs there: these may be the same ones, or neighbours. And a second is whole in both pieces, has logs in common, and
 * others in either: the pieces are not of one source. */
#ifndef LOG_IMPORT_MATCH_H
#define LOG_IMPORT_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The piece may have begun, or ended, within the second. */
enum import_edge { IMPORT_BEGINS = 1, IMPORT_ENDS = 2 };

/* So many equal logs. */
struct import_entry {
    int64_t hash;
    int edges; /* of the pieces that brought them: a set of enum import_edge */
    int64_t count;
};

/* What is done where it can't be told. */
enum import_overlap {
    IMPORT_REFUSE,
    IMPORT_SKIP, /* equal logs are the same ones */
    IMPORT_COUNT /* they are others */
};

struct import_second {
    const struct import_entry *known; /* stored before; by hash, then edges */
    size_t known_count;
    const struct import_entry *now; /* by hash, each once; `edges` is not looked at */
    size_t now_count;
    int edges;    /* of the piece that comes now */
    bool repeats; /* somewhere in the piece, equal logs stand in one second: chance may make logs equal */
    bool mixed;   /* the piece is not in order of time, so it may have begun and ended in any second */

    /* The piece has more logs in this second than come now; `known` need not have their hashes. So many that are equal
     * to the first one now came before it. */
    bool is_part;
    int64_t base;
};

/* `count` more (or less) of the entry with these edges. */
struct import_change {
    int64_t hash;
    int edges;
    int64_t count;
};

/* How many of now[i] are stored already: ret_known[i]. What becomes of `known` with the others stored too: ret_changes,
 * which has room for now_count + 2 * known_count. False when it can't be told, and `overlap` is to refuse. */
bool import_match(const struct import_second *second, enum import_overlap overlap, int64_t *ret_known,
                  struct import_change *ret_changes, size_t *ret_change_count);

#endif
