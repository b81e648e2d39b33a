/* compare.h: what the rollups of a share hold, against what they should. */
#ifndef STORE_SQLITE_CARE_COMPARE_H
#define STORE_SQLITE_CARE_COMPARE_H

#include "store/sqlite/care/verifier.h"

/* Compares what a share's tables hold with verifier->traffic and verifier->entries, sorted. */
enum err verify_compare(struct verifier *verifier, const struct share *share, struct fault *fault);

#endif
