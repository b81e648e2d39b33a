/* dimension.c: the list of dimensions as a table. */
#include "report/dimension.h"

#include "base/banned.h"

const struct dimension_row dimensions[DIMENSIONS] = {
#define DIMENSION_ROW(x, by, name, member, kind, max, owner) [BY_##by] = {name, kind, max, owner},
    DIMENSION_LIST(DIMENSION_ROW, )
#undef DIMENSION_ROW
};
