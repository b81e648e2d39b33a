/* parts.h: the logs of log_part as rows, read by a decoder of the tests' own, which is written from the description of
 * the format in lib/part/part.h. */
#ifndef SUPPORT_PARTS_H
#define SUPPORT_PARTS_H

#include <sqlite3.h>

/* From now on, `raw_log` is a temporary table of this connection with the logs that the real one and log_part have at
 * this moment, and `log` is a view of it. If the file has no log_part, both are the real ones. */
void parts_show(sqlite3 *db);

/* Makes such a temporary table with another name, without the view, also if the file has no log_part. */
void parts_show_as(sqlite3 *db, const char *name);

/* Makes the view `log` of the schema again, over the temporary `raw_log`. */
void parts_show_view(sqlite3 *db);

/* Moves the logs of log_part into raw_log of the database `schema` of the connection. */
void parts_to_rows(sqlite3 *db, const char *schema);

#endif
