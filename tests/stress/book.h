/* book.h: numbered batches that many clients send at once, and their answers. What was accepted must be stored once,
 * and nothing of what was refused. Knows the API's answers and the table raw_log. */
#ifndef BOOK_H
#define BOOK_H

#include "support/stack.h"

#define BOOK_BATCHES 262144

/* Thread-safe, but for book_check. */
struct book;
struct book *book_open(void);
void book_close(struct book *book);

/* The next batch: its number, and its JSON, to be freed. Logs of batch n have order id n + 1. Their time is `pause`
 * seconds after that of the last batch, so that hours and days end. */
int book_batch(struct book *book, int logs, int pause, char **ret_body, size_t *ret_len);

/* Notes the answer. Anything but 204, and 429 and 503 with Retry-After, is bad. No answer (status 0) leaves open
 * whether the batch is stored. */
void book_note(struct book *book, int number, const struct reply *reply);

/* Makes the next batch, posts it and notes the answer. Returns the status. */
long book_post(struct book *book, const struct stack *stack, int logs, int pause);

struct book_counts {
    int sent, kept, refused, unknown, bad;
};
struct book_counts book_counts(struct book *book);

/* Fails the test if an answer was bad, or unless the service's database holds each batch as it was answered and its
 * rollups equal a recount of raw_log. Prints the counts. */
void book_check(struct book *book, const struct stack *stack, const char *about);

#endif
