/* http.h: statements to a ClickHouse server, over its HTTP interface. Knows libcurl, users and time-outs, and how a
 * server says no. Knows no tables. */
#ifndef STORE_CLICKHOUSE_HTTP_H
#define STORE_CLICKHOUSE_HTTP_H

#include "base/buf.h"
#include "store/clickhouse/clickhouse.h"

#include <stddef.h>
#include <stdint.h>

struct http_client; /* opaque; one thread's at a time */

/* A server that asks another shard passes over a replica that lags by so long. */
#define HTTP_LAG_SECONDS "2"

/* Who asks. */
enum http_user { HTTP_WRITER, HTTP_REPORTS };

/* Reads the user's password. ERR_UNAVAILABLE. Asks no server. */
enum err http_client_open(const struct clickhouse_config *config, enum http_user user, struct http_client **ret_client,
                          struct fault *fault);
void http_client_close(struct http_client *client); /* takes NULL */

struct http_statement {
    const char *url;      /* of the server: struct servers */
    const char *database; /* where tables are that are named without one; NULL: the settings' */
    const char *sql;
    const void *body; /* what an INSERT inserts; NULL: none. Borrowed */
    size_t body_bytes;
    int64_t timeout_ms; /* 0: the settings' */
};

/* What became of it. */
enum http_outcome {
    HTTP_DONE,
    HTTP_AWAY,   /* no answer, or a part of one: it may have been done all the same */
    HTTP_REFUSED /* the server's own error, `code`: it was not done */
};

struct http_reply {
    enum http_outcome outcome;
    bool answered;    /* an answer began, if only to another question before it */
    int code;         /* of HTTP_REFUSED: ClickHouse's number of the error; 0: it gave none */
    const char *body; /* of HTTP_DONE; NUL-terminated; valid until the client's next statement */
    size_t body_bytes;
    bool timed_out; /* of HTTP_AWAY */
};

/* OK for HTTP_DONE; else ERR_UNAVAILABLE, or ERR_QUERY_TIMEOUT, with the server's or libcurl's words. ret_reply is
 * written in any case. */
enum err http_run(struct http_client *client, const struct http_statement *statement, struct http_reply *ret_reply,
                  struct fault *fault);

#endif
