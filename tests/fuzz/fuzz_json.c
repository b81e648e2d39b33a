/* fuzz_json.c: a request body, not compressed. Whatever the bytes: the outcome is the same however they are cut. They
 * are accepted or refused as the grammar and the rules of the fields say, and the values are those of json-c.
 *
 * Planted to see it fail, and found: an overlong UTF-8 form taken ("broken: outcome->err == ERR_BODY_INVALID"), a lone
 * second half of a surrogate pair, -0 taken for an integer, a NUL in a text, a member twice, port 65536, a batch kept
 * after a bad record, a read of 8 bytes where 7 are left. */
#include "body.h"
#include "fuzz.h"

#define MOST_BYTES 100000 /* fewer than LIMIT_LOGS logs fit */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome outcome;
    if (size > MOST_BYTES)
        return 0;
    body_read((const char *)data, size, false, &outcome);
    outcome_check(&outcome, (const char *)data, size);
    outcome_release(&outcome);
    return 0;
}
