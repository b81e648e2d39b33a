/* writer.h: the writing side of this engine. Private to it. */
#ifndef STORE_CLICKHOUSE_WRITER_H
#define STORE_CLICKHOUSE_WRITER_H

#include "store/engine.h"

extern const struct store_writer_ops clickhouse_writer_ops;

#endif
