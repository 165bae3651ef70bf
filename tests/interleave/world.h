/* tests/interleave/world.h - a whole system under the explorer. */
#ifndef TROUPE_TESTS_WORLD_H
#define TROUPE_TESTS_WORLD_H

#include "core/ctx.h"
#include "core/worker.h"
#include "explore.h"
#include "troupe/troupe.h"

/* Places in the PID table of a world. */
#define WORLD_SLOTS 16u

/* In set_up: forgets all memory of the last execution. */
void world_reset(void);
/* In set_up: a system whose workers' threads the program runs itself, at rest. */
tr_system *world_system(unsigned workers);
/* In set_up and check: runs everything that is in any queue. */
void world_drain(tr_system *sys);

#endif
