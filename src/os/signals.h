/* os/signals.h - being told to end: SIGINT and SIGTERM, taken by one thread that waits. */
#ifndef TROUPE_OS_SIGNALS_H
#define TROUPE_OS_SIGNALS_H

#include <signal.h>
#include <stdint.h>

/* What the thread's mask was before. */
struct tri_signals {
    sigset_t before;
};

/* From now on they wait until somebody asks; before other threads are started, which inherit it. */
void tri_signals_hold(struct tri_signals *signals);
/* The number of one that has come, or comes within `timeout_ns`; 0: none. */
int tri_signals_wait(int64_t timeout_ns);
/* As it was: the next one ends the process, unless the program wanted otherwise. */
void tri_signals_release(const struct tri_signals *signals);

#endif
