/* expect.h: what the rollups of a share should hold. */
#ifndef STORE_SQLITE_CARE_EXPECT_H
#define STORE_SQLITE_CARE_EXPECT_H

#include "store/sqlite/care/verifier.h"

/* Fills verifier->traffic and verifier->entries; or sets verifier->too_many when they do not fit and `limited`. */
enum err verify_expect(struct verifier *verifier, const struct share *share, bool limited, struct fault *fault);

#endif
