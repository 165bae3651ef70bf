/* core/worker.h - the threads that run actors. */
#ifndef TROUPE_CORE_WORKER_H
#define TROUPE_CORE_WORKER_H

#include "core/ctx.h"

/* The thread's body; `arg` is its struct tri_worker. */
void tri_worker_main(void *arg);
/* One turn of whatever is runnable; how many messages, or UINT64_MAX when nothing is. */
uint64_t tri_worker_step(struct tri_worker *worker, uint64_t messages_max);
/* Looks at the clock and at what others may have left for us. */
void tri_worker_look(struct tri_worker *worker);

/* Nothing runnable and nobody running. */
bool tri_system_at_rest(struct tr_system *sys);

/* Something has changed after which the system may be at rest. */
void tri_worker_tell_rest(struct tr_system *sys);

#endif
