#include "core/calls.h"

#include "base/alloc.h"

bool tri_calls_grow(struct tri_calls *calls)
{
    if (calls->capacity >= TRI_CALLS_MAX)
        return false;
    uint32_t capacity = calls->capacity ? calls->capacity * 2 : 8;
    struct tri_call *items = tri_realloc(calls->items, capacity * sizeof *items);
    if (!items)
        return false;
    calls->items = items;
    calls->capacity = capacity;
    return true;
}

struct tri_call *tri_calls_next(struct tri_calls *calls, uint32_t *cursor)
{
    while (*cursor < calls->used) {
        struct tri_call *call = &calls->items[(*cursor)++];
        if (call->number)
            return call;
    }
    return NULL;
}

void tri_calls_fini(struct tri_calls *calls)
{
    tri_free(calls->items);
    *calls = (struct tri_calls){.sequence = calls->sequence};
}
