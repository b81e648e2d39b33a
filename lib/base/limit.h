/* limit.h: every size that a client can influence, in one place. nginx/ holds the same figures; a test compares them.
 */
#ifndef BASE_LIMIT_H
#define BASE_LIMIT_H

#include <stdint.h>

#define LIMIT_BODY_BYTES (16u << 20)          /* a request body, as sent and once inflated */
#define LIMIT_LOGS 50000u                     /* logs in one batch */
#define LIMIT_LOG_TEXT_BYTES (64u << 10)      /* the JSON text of one log */
#define LIMIT_JSON_DEPTH 32u                  /* nested arrays and objects */
#define LIMIT_LOG_ERRORS 100u                 /* bad records named in one answer; the rest are counted */
#define LIMIT_BATCH_MEMORY_BYTES (128u << 20) /* parsed batches held at once by analytics-ingest */
#define LIMIT_WAL_MIB 1024 /* the write-ahead log, which grows while a report runs; setting wal_limit_mib */
#define LIMIT_WAL_BYTES ((int64_t)LIMIT_WAL_MIB << 20)

#define LIMIT_ID INT64_C(9007199254740991) /* 2^53-1: ids and counters survive every JSON parser */
#define LIMIT_PORT 65535
#define LIMIT_DOMAIN_BYTES 253u /* RFC 1035, 2.3.4, without the trailing dot */
#define LIMIT_ERROR_BYTES 256u
#define LIMIT_PEER_BYTES 128u
#define LIMIT_WORKER_BYTES 128u
#define LIMIT_PROTOCOL_BYTES 32u

#define LIMIT_QUERY_STRING_BYTES 8192u
/* A batch that nginx hands on without a question before its body. */
#define LIMIT_SMALL_BODY_BYTES (64u << 10)
#define LIMIT_SEARCH_BYTES 256u
#define LIMIT_PARAMETERS 64u
#define LIMIT_RESPONSE_BYTES (8u << 20) /* the longest answer: a chart of two months in quarter hours takes 1 MiB */
#define LIMIT_IDEMPOTENCY_KEY_BYTES 255u
#define LIMIT_CALLER_BYTES 64u
#define LIMIT_RANGE_MONTHS 2
#define LIMIT_ZONE_NAME_BYTES 64u
#define LIMIT_ROWS_PER_PAGE 100       /* of the vendor's lists */
#define LIMIT_ROWS_PER_LONG_PAGE 1000 /* of ours */
#define LIMIT_SAMPLE_DOMAINS 5

#define LIMIT_KEY_NAME_BYTES 128u     /* the label of an API key */
#define LIMIT_KEY_FILTERS_BYTES 2048u /* what a viewer's key is bound to, as a query string */

#endif
