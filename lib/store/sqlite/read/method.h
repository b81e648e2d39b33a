/* method.h: how a piece of the range is read. Private to this room. */
#ifndef STORE_SQLITE_READ_METHOD_H
#define STORE_SQLITE_READ_METHOD_H

#include "rollup/tier.h"
#include "store/sqlite/read/pass.h"

/* How a piece is read: bucket by bucket, or in one run. */
struct method {
    enum reader_statement statement;
    bool whole_run;
    pass_take take;
    bool is_of_logs; /* of raw_log: what it asks for may stand in log_part as well */
};

struct method method_for(const struct pass *pass, const struct piece *piece);

/* Binds all parameters but the bucket. */
void method_bind(const struct method *method, const struct pass *pass, const struct piece *piece);

#endif
