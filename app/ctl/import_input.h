/* import_input.h: the files that an import reads: how they are opened, read into a spool, and what became of each. */
#ifndef CTL_IMPORT_INPUT_H
#define CTL_IMPORT_INPUT_H

#include "ctl/ctl.h"
#include "ctl/import_spool.h"
#include "format/log_stream.h"

#include <stdbool.h>
#include <stdint.h>

/* What became of a file. */
struct imported {
    int64_t stored;  /* logs, by this run */
    int64_t already; /* logs, by an earlier one */
    int64_t skipped; /* records that are no logs */
    struct log_bad first_bad;
    char error[400]; /* why it was not read to its end; "" when it was */
};

struct import_input {
    const char *name; /* "-": standard input */
    enum log_format format;
    int fd;
    int64_t size; /* bytes; 0: nobody knows */
    bool opened;
    struct imported result;
};

/* For people: "standard input" for "-". */
const char *input_name(const struct import_input *input);

/* The file of that name, of the format that --format names, or else its ending. CTL_USAGE, said, when neither does. */
int input_init(const struct ctl *ctl, const char *name, struct import_input *ret_input);

/* Opens it; a failure is said. */
int input_open(struct import_input *input);
void input_close(struct import_input *input);

/* Reads all of it into the spool. Counts bad records in input->result; without `skip_bad` the first one is an error.
 * A signal that ends the program is one too. */
struct input_options {
    bool skip_bad;
    struct log_unknown unknown; /* members that no log has */
};
enum err input_read(struct import_input *input, struct input_options *options, struct import_spool *spool,
                    struct fault *fault);

#endif
