/*
 * base/critical.h - marks what its thread must be left to finish.
 *
 * A contained handler may be abandoned in the middle (os/fault.h), and a signal may look at what
 * its thread is doing. Neither may happen inside the runtime: in its own code the processor's
 * address tells, but not in what the runtime calls: the C library, the user's log. Around those
 * calls the thread says so. (Where the runtime only copies what a handler gave it, it does not:
 * there a bad pointer is the handler's failure.)
 */
#ifndef TROUPE_BASE_CRITICAL_H
#define TROUPE_BASE_CRITICAL_H

#include <stdatomic.h>
#include <stdint.h>

/* How many critical sections this thread is in. Volatile: its own signal handlers read it. */
extern _Thread_local volatile uint32_t tri_critical
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

static inline void tri_critical_enter(void)
{
    tri_critical = tri_critical + 1;
    atomic_signal_fence(memory_order_seq_cst); /* The section's accesses stay behind it, */
}

static inline void tri_critical_leave(void)
{
    atomic_signal_fence(memory_order_seq_cst); /* and before this. */
    tri_critical = tri_critical - 1;
}

#endif
