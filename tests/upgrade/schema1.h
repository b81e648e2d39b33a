/* schema1.h: what is in tests/upgrade/schema1.db.gz: batches of tests/support/ledger.c, written by version 0.1.0. */
#ifndef SCHEMA1_H
#define SCHEMA1_H

#define SCHEMA1_BATCHES 40
#define SCHEMA1_LEDGER                                                                                                 \
    {                                                                                                                  \
        .logs = 5, .pause = 11 * 3600                                                                                  \
    }

#endif
