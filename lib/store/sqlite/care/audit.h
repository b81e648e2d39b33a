/* audit.h: what verify looks at once, because it has no period. */
#ifndef STORE_SQLITE_CARE_AUDIT_H
#define STORE_SQLITE_CARE_AUDIT_H

#include "store/sqlite/care/verifier.h"

enum err verify_file(struct verifier *verifier, struct fault *fault);
enum err verify_strays(struct verifier *verifier, struct fault *fault);
enum err verify_closing(struct verifier *verifier, struct fault *fault);
enum err verify_retention(struct verifier *verifier, struct fault *fault);
enum err verify_batches(struct verifier *verifier, struct fault *fault);
enum err verify_total(struct verifier *verifier, struct fault *fault);

/* Whose orders: the pairs that the table has, before a log is looked at; those of a share's logs, in its read
 * transaction; and in the end those that no log had. */
enum err verify_load_orders(struct verifier *verifier, struct fault *fault);
enum err verify_share_orders(struct verifier *verifier, struct fault *fault);
enum err verify_orders(struct verifier *verifier, struct fault *fault);

#endif
