/* core/names.h - the registry: names of actors. One lock, held for a look-up; any thread. */
#ifndef TROUPE_CORE_NAMES_H
#define TROUPE_CORE_NAMES_H

#include "troupe/message.h"

struct tri_names;

struct tri_names *tri_names_create(void);
void tri_names_destroy(struct tri_names *names);

/* `name` must stay until tri_names_remove(). TR_EEXIST, TR_ENOMEM. */
tr_err tri_names_add(struct tri_names *names, const char *name, tr_pid pid);
void tri_names_remove(struct tri_names *names, const char *name);
tr_pid tri_names_find(struct tri_names *names, const char *name);
/* The name of an actor, copied; its size, 0 if it has none (any more). */
size_t tri_names_of(struct tri_names *names, tr_pid pid, char *ret_name, size_t name_size);
/* Calls `each` for all names, in no order, under the lock: it must not come back here. */
void tri_names_each(struct tri_names *names, void (*each)(void *user, const char *name, tr_pid pid),
                    void *user);

#endif
