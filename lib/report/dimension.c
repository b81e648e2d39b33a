/* dimension.c: the list of dimensions as a table. */
#include "report/dimension.h"

#include "base/banned.h"

const struct dimension_row dimensions[DIMENSIONS] = {
#define DIMENSION_ROW(x, by, name, member, param, kind, min, max, owner, ...) [BY_##by] = {name, kind, min, max, owner},
    DIMENSION_LIST(DIMENSION_ROW, )
#undef DIMENSION_ROW
};
