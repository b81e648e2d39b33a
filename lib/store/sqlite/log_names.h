/* log_names.h: the names of logs that one statement reads: each is looked up once. Private to the SQLite engine. */
#ifndef STORE_SQLITE_LOG_NAMES_H
#define STORE_SQLITE_LOG_NAMES_H

#include "base/buf.h"
#include "base/index.h"
#include "db/db.h"
#include "log/text.h"

#define LOG_NAMES_SQL "SELECT text FROM name WHERE id = ?1"

struct log_names_entry {
    int64_t id;
    size_t offset, len; /* in `text` */
};

/* All-zero is an empty one. */
struct log_names {
    struct log_names_entry *entries;
    size_t count;
    struct index index;
    struct buf text;
};

void log_names_release(struct log_names *names);

/* Forgets all: another transaction may have given an id to another text. */
void log_names_begin(struct log_names *names);

/* The text by its number, which stands for it until log_names_begin. Borrowed until another log is read. */
struct slice log_names_text(const struct log_names *names, uint32_t number);

/* A log's texts, and their numbers: 0, 1, 2, … in the order in which they first came. Its columns from `first` on are
 * their ids, in the order of enum name_field; `lookup` is LOG_NAMES_SQL, in the same transaction. Borrowed until the
 * next call. ERR_UNAVAILABLE, also where there is no such name, which only a damaged file has. */
enum err log_names_read(struct log_names *names, struct db *db, sqlite3_stmt *lookup, sqlite3_stmt *row, int first,
                        struct log_text *ret_log, struct fault *fault);

#endif
