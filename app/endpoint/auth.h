/* auth.h: who is asking, where nginx leaves it to the program. */
#ifndef ENDPOINT_AUTH_H
#define ENDPOINT_AUTH_H

#include "http/http.h"
#include "service/service.h"

/* Fills in role, user_id and caller from the API key, unless the server gave a role; without role and key it leaves
 * them alone. OK, ERR_UNAUTHORIZED for a key that is not good, ERR_UNAVAILABLE when the keys can't be read. */
enum err auth_identify(struct service *service, struct request *request, struct fault *fault);

#endif
