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

#endif
