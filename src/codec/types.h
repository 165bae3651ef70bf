/*
 * codec/types.h - the message types that may cross, by their full protobuf name.
 *
 * Filled while a node is set up, by one thread; afterwards only read, by any thread and without
 * a lock: whoever starts those threads has published it to them.
 */
#ifndef TROUPE_CODEC_TYPES_H
#define TROUPE_CODEC_TYPES_H

#include "codec/wire.h"

/* Types of one node; more are refused with TR_EFULL. */
#define TRI_TYPES_MAX 65536

struct tri_types {
    const struct tr_type **slots; /* open addressing, a power of two of them */
    uint32_t *hashes;
    uint32_t capacity, count;
};

void tri_types_init(struct tri_types *types);
void tri_types_fini(struct tri_types *types);

/*
 * Adds a type, borrowed for good. Adding it again is fine. `error` may be NULL. TR_EINVAL: it has
 * no codec, or its name is empty or not UTF-8. TR_EEXIST: another type has the name. TR_EFULL,
 * TR_ENOMEM.
 */
tr_err tri_types_add(struct tri_types *types, const struct tr_type *type, struct tr_error *error);

/* NULL if no type has the name. */
const struct tr_type *tri_types_find(const struct tri_types *types, struct tri_name name);

#endif
