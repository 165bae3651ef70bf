#define _GNU_SOURCE
#include "os/signals.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>

static sigset_t ending(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    return set;
}

void tri_signals_hold(struct tri_signals *signals)
{
    sigset_t set = ending();
    (void)pthread_sigmask(SIG_BLOCK, &set, &signals->before);
}

int tri_signals_wait(int64_t timeout_ns)
{
    sigset_t set = ending();
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000),
                               .tv_nsec = (long)(timeout_ns % 1000000000)};
    int sig = sigtimedwait(&set, NULL, &timeout);
    return sig > 0 ? sig : 0; /* Interrupted: as if the time were over; callers look again. */
}

void tri_signals_release(const struct tri_signals *signals)
{
    (void)pthread_sigmask(SIG_SETMASK, &signals->before, NULL);
}
