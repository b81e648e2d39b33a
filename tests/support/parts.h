/* parts.h: the logs of log_part as rows, read by a decoder of the tests' own, which follows the words of
 * lib/part/part.h. */
#ifndef SUPPORT_PARTS_H
#define SUPPORT_PARTS_H

#include <sqlite3.h>

/* From now on `raw_log` is a temporary table of this connection, with the rows that the real one and the logs that
 * log_part have at this moment, and `log` a view of it. Where log_part is empty or not there, nothing changes. */
void parts_show(sqlite3 *db);

/* The same under another name, whatever is in log_part. */
void parts_show_as(sqlite3 *db, const char *name);

/* The view `log` of the schema, over a temporary `raw_log`. */
void parts_show_view(sqlite3 *db);

/* Moves the logs of log_part into raw_log of the database `schema` of the connection. */
void parts_to_rows(sqlite3 *db, const char *schema);

#endif
