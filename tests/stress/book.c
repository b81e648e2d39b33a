/* book.c: see book.h. */
#include "book.h"

#include "support/recount.h"

#include "support/check.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BEGIN INT64_C(1773532800) /* 2026-03-15 */

enum fate { OPEN, KEPT, REFUSED };
static const char *const fates[] = {"not answered", "accepted", "refused"};

struct book {
    pthread_mutex_t lock;
    struct {
        enum fate fate;
        int logs;
    } batch[BOOK_BATCHES];
    int64_t at; /* of the logs of the last batch */
    struct book_counts counts;
    char first_bad[512];
};

struct book *book_open(void)
{
    struct book *book = calloc(1, sizeof *book);
    if (!book)
        abort();
    pthread_mutex_init(&book->lock, NULL);
    book->at = BEGIN;
    return book;
}

void book_close(struct book *book)
{
    pthread_mutex_destroy(&book->lock);
    free(book);
}

static int next_number(struct book *book, int logs, int pause, int64_t *ret_at)
{
    pthread_mutex_lock(&book->lock);
    int number = book->counts.sent++;
    if (number >= BOOK_BATCHES)
        abort();
    book->batch[number].logs = logs;
    *ret_at = book->at += pause;
    pthread_mutex_unlock(&book->lock);
    return number;
}

static void put_log(FILE *file, int number, int line, int64_t at)
{
    struct tm tm;
    char ts[32];
    time_t seconds = (time_t)(at + line % 60);
    strftime(ts, sizeof ts, "%F %T", gmtime_r(&seconds, &tm));
    fprintf(file,
            "%s{\"ts\":\"%s\",\"user_id\":%d,\"order_id\":%d,\"domain\":\"host-%d.example\",\"count\":%d,"
            "\"bytes_sent\":%d,\"bytes_received\":512,\"error\":\"%s\",\"error_count\":%d}",
            line ? "," : "", ts, (number + line) % 97 + 1, number + 1, (number * 31 + line) % 2003, line % 7 + 1,
            100 + line, line % 11 ? "" : "timeout", line % 11 ? 0 : 1);
}

int book_batch(struct book *book, int logs, int pause, char **ret_body, size_t *ret_len)
{
    int64_t at;
    int number = next_number(book, logs, pause, &at);
    FILE *file = open_memstream(ret_body, ret_len);
    fputs("{\"logs\":[", file);
    for (int i = 0; i < logs; i++)
        put_log(file, number, i, at);
    fputs("]}", file);
    fclose(file);
    return number;
}

static bool is_refusal(const struct reply *reply)
{
    char *retry = reply_header(reply, "retry-after");
    bool refusal = (reply->status == 503 || reply->status == 429) && retry;
    free(retry);
    return refusal;
}

void book_note(struct book *book, int number, const struct reply *reply)
{
    bool refusal = is_refusal(reply);
    pthread_mutex_lock(&book->lock);
    book->batch[number].fate = reply->status == 204 ? KEPT : reply->status == 0 ? OPEN : REFUSED;
    book->counts.kept += reply->status == 204;
    book->counts.refused += refusal;
    book->counts.unknown += reply->status == 0;
    if (reply->status != 204 && reply->status != 0 && !refusal && book->counts.bad++ == 0)
        snprintf(book->first_bad, sizeof book->first_bad, "%ld %s", reply->status, reply->body);
    pthread_mutex_unlock(&book->lock);
}

long book_post(struct book *book, const struct stack *stack, int logs, int pause)
{
    char *body = NULL;
    size_t len = 0;
    int number = book_batch(book, logs, pause, &body, &len);
    struct reply reply = stack_post(stack, body, len, NULL);
    long status = reply.status;
    book_note(book, number, &reply);
    reply_release(&reply);
    free(body);
    return status;
}

struct book_counts book_counts(struct book *book)
{
    pthread_mutex_lock(&book->lock);
    struct book_counts counts = book->counts;
    pthread_mutex_unlock(&book->lock);
    return counts;
}

/* An accepted batch is there whole, in one row of `batch`, a refused one not at all, an unanswered one either way. */
static void check_batch(const struct book *book, int number, int rows, int batches, const char *about)
{
    enum fate fate = book->batch[number].fate;
    bool whole = rows == book->batch[number].logs && batches == 1;
    bool right = fate == KEPT ? whole : fate == REFUSED ? rows == 0 : whole || rows == 0;
    ck_assert_msg(right, "%s: batch %d, %s: %d of its %d logs are stored, in %d batches", about, number, fates[fate],
                  rows, book->batch[number].logs, batches);
}

static void check_rows(const struct book *book, sqlite3 *db, const char *about)
{
    static const char sql[] = "SELECT order_id - 1, count(*), count(DISTINCT batch_id) FROM raw_log GROUP BY order_id";
    sqlite3_stmt *row = NULL;
    int(*found)[2] = calloc(BOOK_BATCHES, sizeof *found);
    ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &row, NULL), SQLITE_OK);
    while (sqlite3_step(row) == SQLITE_ROW) {
        int number = sqlite3_column_int(row, 0);
        ck_assert_msg(number >= 0 && number < book->counts.sent, "%s: batch %d was never sent", about, number);
        found[number][0] = sqlite3_column_int(row, 1);
        found[number][1] = sqlite3_column_int(row, 2);
    }
    sqlite3_finalize(row);
    for (int i = 0; i < book->counts.sent; i++)
        check_batch(book, i, found[i][0], found[i][1], about);
    free(found);
}

void book_check(struct book *book, const struct stack *stack, const char *about)
{
    sqlite3 *db = stack_database(stack);
    ck_assert_msg(book->counts.bad == 0, "%s: %d bad answers, the first is %s", about, book->counts.bad,
                  book->first_bad);
    sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
    check_rows(book, db, about);
    ck_assert_int_eq(recount_differences(db), 0);
    sqlite3_close(db);
    printf("%s: %d batches sent, %d accepted and all there once, %d refused and nothing of them there, %d without an"
           " answer\n",
           about, book->counts.sent, book->counts.kept, book->counts.refused, book->counts.unknown);
}
