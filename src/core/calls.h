/*
 * core/calls.h - the requests of one actor that wait for an answer. Pure.
 *
 * A call's number is sequence:48 | index:16, so that finding, adding and ending one are O(1)
 * and a late answer never meets a later call. Nothing is armed per call: one timer of the
 * actor looks at all of them now and then.
 */
#ifndef TROUPE_CORE_CALLS_H
#define TROUPE_CORE_CALLS_H

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
    uint32_t count;
    uint32_t capacity;
    uint32_t used; /* items ever used */
    uint32_t free; /* index + 1 of a free one */
    uint64_t sequence;
};

/* The new call's number; 0 when there are TRI_CALLS_MAX or memory is out. */
uint64_t tri_calls_add(struct tri_calls *calls, tr_pid to, uint64_t deadline_ns, uint64_t probe_ns);
/* False if the call is over. ret_to may be NULL. */
bool tri_calls_end(struct tri_calls *calls, uint64_t number, tr_pid *ret_to);

/* Walks the open calls: *cursor starts at 0; NULL at the end. */
struct tri_call *tri_calls_next(struct tri_calls *calls, uint32_t *cursor);
void tri_calls_fini(struct tri_calls *calls);

#endif
