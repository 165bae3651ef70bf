/*
 * os/park.h - putting one thread to sleep until another wakes it.
 *
 * A parking place holds at most one token: a wake-up that comes before the wait is not lost,
 * and several before it count as one.
 */
#ifndef TROUPE_OS_PARK_H
#define TROUPE_OS_PARK_H

#include "base/atomic.h"

struct tri_park {
    TRI_ATOMIC(uint32_t) state;
};

/* Zeroed memory is an empty parking place, too. */
void tri_park_init(struct tri_park *park);

/*
 * Waits for the token and takes it; false if `timeout_ns` passed first (-1: for ever, 0: do not
 * wait). One thread at a time. What the waker wrote before tri_park_wake() is visible after
 * this returned true.
 */
bool tri_park_wait(struct tri_park *park, int64_t timeout_ns);

/*
 * Leaves the token and wakes who waits. Any thread and signal handlers. The waiter may free the
 * parking place as soon as it has the token: nothing of it is touched after that.
 */
void tri_park_wake(struct tri_park *park);

#endif
