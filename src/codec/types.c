#include "codec/types.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/error.h"
#include "base/hash.h"

void tri_types_init(struct tri_types *types)
{
    *types = (struct tri_types){0};
}

void tri_types_fini(struct tri_types *types)
{
    tri_free(types->slots);
    tri_free(types->hashes);
    tri_types_init(types);
}

/* Where the name is, or the free place where it belongs. There is always a free place. */
static uint32_t place(const struct tri_types *types, struct tri_name name, uint32_t hash)
{
    uint32_t mask = types->capacity - 1;
    for (uint32_t at = hash & mask;; at = (at + 1) & mask) {
        const struct tr_type *type = types->slots[at];
        if (!type || (types->hashes[at] == hash && tri_name_equal(tri_name(type->name), name)))
            return at;
    }
}

const struct tr_type *tri_types_find(const struct tri_types *types, struct tri_name name)
{
    if (types->count == 0)
        return NULL;
    return types->slots[place(types, name, tri_fnv1a32(name.at, name.size))];
}

/* At most half of the places are taken, so that a search is short. */
static tr_err grow(struct tri_types *types)
{
    struct tri_types bigger = {.capacity = types->capacity ? types->capacity * 2 : 64};
    bigger.slots = tri_calloc(bigger.capacity, sizeof *bigger.slots);
    bigger.hashes = tri_calloc(bigger.capacity, sizeof *bigger.hashes);
    if (!bigger.slots || !bigger.hashes) {
        tri_types_fini(&bigger);
        return TR_ENOMEM;
    }
    for (uint32_t i = 0; i < types->capacity; i++) {
        const struct tr_type *type = types->slots[i];
        if (!type)
            continue;
        uint32_t at = place(&bigger, tri_name(type->name), types->hashes[i]);
        bigger.slots[at] = type;
        bigger.hashes[at] = types->hashes[i];
    }
    bigger.count = types->count;
    tri_types_fini(types);
    *types = bigger;
    return TR_OK;
}

tr_err tri_types_add(struct tri_types *types, const struct tr_type *type, struct tr_error *error)
{
    struct tri_name name = tri_name(type->name);
    if (name.size == 0 || !tr_utf8_valid(name.at, name.size))
        return tri_error_set(error, TR_EINVAL, 0, "a message type's name is %s, want UTF-8",
                             name.size == 0 ? "empty" : "not UTF-8");
    if (!type->codec)
        return tri_error_set(error, TR_EINVAL, 0,
                             "message type '%s' has no codec, so it cannot leave the process: "
                             "generate it with protoc-gen-troupe",
                             type->name);
    const struct tr_type *known = tri_types_find(types, name);
    if (known == type)
        return TR_OK;
    if (known)
        return tri_error_set(error, TR_EEXIST, 0, "there is another message type named '%s'",
                             type->name);
    if (types->count >= TRI_TYPES_MAX)
        return tri_error_set(error, TR_EFULL, 0, "message type '%s' is one more than %d",
                             type->name, TRI_TYPES_MAX);
    if (types->count * 2 >= types->capacity && grow(types) != TR_OK)
        return tri_error_set(error, TR_ENOMEM, 0, "no memory for message type '%s'", type->name);
    uint32_t hash = tri_fnv1a32(name.at, name.size);
    uint32_t at = place(types, name, hash);
    types->slots[at] = type;
    types->hashes[at] = hash;
    types->count++;
    TRI_ASSERT(types->count * 2 <= types->capacity);
    return TR_OK;
}
