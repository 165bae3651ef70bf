/* core/pids.h - a set of PIDs. Pure; adding, removing and finding are O(1). */
#ifndef TROUPE_CORE_PIDS_H
#define TROUPE_CORE_PIDS_H

#include "troupe/message.h"

/* Open addressing; a place with 0 is empty. All zero is an empty set. */
struct tri_pids {
    uint64_t *places;
    uint32_t count;
    uint32_t capacity; /* a power of two, or 0 */
};

/* Adding twice is adding once. False when out of memory. `pid` is not nobody. */
bool tri_pids_add(struct tri_pids *pids, tr_pid pid);
bool tri_pids_remove(struct tri_pids *pids, tr_pid pid);
bool tri_pids_has(const struct tri_pids *pids, tr_pid pid);
/* True if the next tri_pids_add() would need more memory. */
bool tri_pids_full(const struct tri_pids *pids);
/* Walks the set, which must not change meanwhile: *at starts at 0; false at the end. */
bool tri_pids_next(const struct tri_pids *pids, uint32_t *at, tr_pid *ret_pid);
void tri_pids_fini(struct tri_pids *pids);

#endif
