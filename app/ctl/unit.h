/* unit.h: what systemd lets a unit do, for analyticsctl doctor. */
#ifndef CTL_UNIT_H
#define CTL_UNIT_H

enum unit_may { UNIT_UNKNOWN, UNIT_MAY, UNIT_MAY_NOT };

/* Whether the unit may write to this folder. Unknown where no systemd runs or answers, and of a unit that it does not
 * have or that may write elsewhere than to what it lists. */
enum unit_may unit_may_write(const char *unit, const char *folder);

/* Whether the unit may open connections to other machines: it has their network, and the families of addresses. Unknown
 * where no systemd runs or answers, and of a unit that it does not have. */
enum unit_may unit_may_connect(const char *unit);

#endif
