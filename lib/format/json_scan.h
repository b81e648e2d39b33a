/* json_scan.h: is this JSON text (RFC 8259)? Byte by byte over any split, without allocation, and stricter than any
 * library: depth is bounded, and everything that the grammar leaves out is refused at its byte. It builds no values: it
 * tells its caller where the outer ones begin and end. Knows no field. */
#ifndef FORMAT_JSON_SCAN_H
#define FORMAT_JSON_SCAN_H

#include "base/limit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the scanner reports. A value's depth is the number of arrays and objects around it; values and names as deep as
 * `watch` or less are watched. */
enum json_event {
    JSON_MORE,   /* all input is read and nothing happened */
    JSON_NAME,   /* the last byte ended the name of a watched member: see name, name_len */
    JSON_BEGIN,  /* a watched value begins with the next byte: see kind */
    JSON_END,    /* a watched value ended with the last byte */
    JSON_NEST,   /* the last byte opened an array or object one deeper than the watched ones */
    JSON_UNNEST, /* the last byte closed it */
    JSON_ERROR   /* the byte at `offset` can't stand there: see expected. Every later call says so too */
};

#define JSON_NAME_BYTES 8

struct json_scan {
    size_t offset;        /* of the next byte, from 0 */
    const char *expected; /* after JSON_ERROR: what could have stood there; static */
    unsigned watch;       /* the caller may change it between calls */
    unsigned depth;       /* of the next byte */

    char kind; /* first byte of the last watched value begun; it may yet be wrong */

    /* The last watched name: its length in bytes, unescaped, and its first bytes. A byte of an escaped non-ASCII
     * character is 0xff. */
    size_t name_len;
    char name[JSON_NAME_BYTES];

    /* Private. */
    uint8_t state;
    uint64_t objects;    /* bit 0: the innermost container is an object; bit 1: the one around it, … */
    bool in_name;        /* the string being read is a name */
    bool keep_name;      /* … and watched */
    bool high_surrogate; /* half of a pair was read */
    uint8_t left;        /* bytes or digits that this character still wants */
    uint8_t low, high;   /* bounds of the next byte of a UTF-8 sequence */
    uint32_t unit;       /* the \u escape so far */
    const char *rest;    /* of true, false, null */
};

void json_scan_init(struct json_scan *scan, unsigned watch);

/* Reads on to the next event or to the end of the piece. *ret_used is how many bytes were read; call again with the
 * rest. */
enum json_event json_scan_feed(struct json_scan *scan, const char *data, size_t len, size_t *ret_used);

/* Ends the text: true when one whole value was read; else `expected` says what is missing at `offset`. */
bool json_scan_finish(struct json_scan *scan);

#endif
