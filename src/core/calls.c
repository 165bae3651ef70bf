#include "core/calls.h"

#include "base/alloc.h"

static bool grow(struct tri_calls *calls)
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

uint64_t tri_calls_add(struct tri_calls *calls, tr_pid to, uint64_t deadline_ns, uint64_t probe_ns)
{
    uint32_t index;
    if (calls->free) {
        index = calls->free - 1;
        calls->free = calls->items[index].next_free;
    } else {
        if (calls->used == calls->capacity && !grow(calls))
            return 0;
        index = calls->used++;
    }
    uint64_t number = ++calls->sequence << 16 | index;
    calls->items[index] = (struct tri_call){
        .number = number, .deadline_ns = deadline_ns, .probe_ns = probe_ns, .to = to};
    calls->count++;
    return number;
}

bool tri_calls_end(struct tri_calls *calls, uint64_t number, tr_pid *ret_to)
{
    uint32_t index = number & 0xffff;
    if (number == 0 || index >= calls->used || calls->items[index].number != number)
        return false;
    struct tri_call *call = &calls->items[index];
    if (ret_to)
        *ret_to = call->to;
    call->number = 0;
    call->next_free = calls->free;
    calls->free = index + 1;
    calls->count--;
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
