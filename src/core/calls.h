/*
 * core/calls.h - the requests of one actor that wait for an answer. Pure.
 *
 * A call's number is sequence:48 | index:16, so that finding, adding and ending one are O(1)
 * and a late answer never meets a later call. Nothing is armed per call: one timer of the
 * actor looks at all of them now and then.
 */
#ifndef TROUPE_CORE_CALLS_H
#define TROUPE_CORE_CALLS_H

#include "base/assert.h"
#include "troupe/message.h"

/* Most calls of one actor that may wait at a time. */
#define TRI_CALLS_MAX 65536u

struct tri_call {
    uint64_t number; /* 0: free; the sequence part is kept for the next one */
    uint64_t deadline_ns;
    uint64_t probe_ns; /* when to start watching `to`; 0: already done */
    tr_pid to;
    uint32_t next_free;
};

struct tri_calls {
    struct tri_call *items;
    uint32_t capacity;
    uint32_t used; /* items ever used */
    uint32_t free; /* index + 1 of a free one */
    uint64_t sequence;
};

/* Makes room for one more; false when there are TRI_CALLS_MAX or memory is out. */
bool tri_calls_grow(struct tri_calls *calls);

/* Whether tri_calls_reuse() may be called. */
TRI_HOT_INLINE bool tri_calls_reusable(const struct tri_calls *calls)
{
    return calls->free != 0;
}

/* Fills item `index`; the new call's number. */
TRI_HOT_INLINE uint64_t tri_calls_fill(struct tri_calls *calls, uint32_t index, tr_pid to,
                                       uint64_t deadline_ns, uint64_t probe_ns)
{
    struct tri_call *call = &calls->items[index];
    uint64_t number = ++calls->sequence << 16 | index;
    call->number = number;
    call->deadline_ns = deadline_ns;
    call->probe_ns = probe_ns;
    call->to = to;
    return number;
}

/* The number of a new call in the place of one that is over. */
TRI_HOT_INLINE uint64_t tri_calls_reuse(struct tri_calls *calls, tr_pid to, uint64_t deadline_ns,
                                        uint64_t probe_ns)
{
    uint32_t index = calls->free - 1;
    calls->free = calls->items[index].next_free;
    return tri_calls_fill(calls, index, to, deadline_ns, probe_ns);
}

/* The new call's number; 0 when there is no room. */
TRI_HOT_INLINE uint64_t tri_calls_add(struct tri_calls *calls, tr_pid to, uint64_t deadline_ns,
                                      uint64_t probe_ns)
{
    if (TRI_LIKELY(tri_calls_reusable(calls)))
        return tri_calls_reuse(calls, to, deadline_ns, probe_ns);
    if (calls->used == calls->capacity && !tri_calls_grow(calls))
        return 0;
    return tri_calls_fill(calls, calls->used++, to, deadline_ns, probe_ns);
}

/* False if the call is over. */
TRI_HOT_INLINE bool tri_calls_end(struct tri_calls *calls, uint64_t number)
{
    uint32_t index = number & 0xffff;
    if (TRI_UNLIKELY(number == 0 || index >= calls->used || calls->items[index].number != number))
        return false;
    struct tri_call *call = &calls->items[index];
    call->number = 0;
    call->next_free = calls->free;
    calls->free = index + 1;
    return true;
}

/* Walks the open calls: *cursor starts at 0; NULL at the end. */
struct tri_call *tri_calls_next(struct tri_calls *calls, uint32_t *cursor);
void tri_calls_fini(struct tri_calls *calls);

#endif
