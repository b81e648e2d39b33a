/* imports.h: whether imports know the logs that they have stored. */
#ifndef STORE_SQLITE_CARE_IMPORTS_H
#define STORE_SQLITE_CARE_IMPORTS_H

#include "store/sqlite/care/verifier.h"

enum err verify_imports(struct verifier *verifier, struct fault *fault);

#endif
