/* audit.h: what verify looks at once, because it has no period. */
#ifndef STORE_SQLITE_CARE_AUDIT_H
#define STORE_SQLITE_CARE_AUDIT_H

#include "store/sqlite/care/verifier.h"

enum err verify_file(struct verifier *verifier, struct fault *fault);
/* The table log_part. When a part is bad, logs can't be compared with anything. */
enum err verify_parts(struct verifier *verifier, struct fault *fault);
/* The tables value_day and value_gap. */
enum err verify_values(struct verifier *verifier, struct fault *fault);
enum err verify_strays(struct verifier *verifier, struct fault *fault);
enum err verify_closing(struct verifier *verifier, struct fault *fault);
enum err verify_retention(struct verifier *verifier, struct fault *fault);
enum err verify_batches(struct verifier *verifier, struct fault *fault);
enum err verify_total(struct verifier *verifier, struct fault *fault);

/* The table order_user. Its pairs are loaded before any log is read; then the orders of each share are checked, in the
 * share's read transaction; at the end, pairs that no log had are differences. */
enum err verify_load_orders(struct verifier *verifier, struct fault *fault);
enum err verify_share_orders(struct verifier *verifier, struct fault *fault);
enum err verify_orders(struct verifier *verifier, struct fault *fault);

#endif
