#define _GNU_SOURCE /* syscall() */
#include "os/park.h"

#include "base/critical.h"
#include "os/clock.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { EMPTY, TOKEN, WAITING };

void tri_park_init(struct tri_park *park)
{
    tri_store(&park->state, EMPTY, TRI_RELAXED);
}

/* Sleeps while the state is WAITING, until `deadline_ns` of the monotonic clock. */
static void sleep_until(struct tri_park *park, const struct timespec *deadline)
{
#ifdef TROUPE_INTERLEAVE
    tri_model_futex_wait(&park->state, WAITING, deadline != NULL);
    return;
#endif
    tri_critical_enter();
    (void)syscall(SYS_futex, (void *)&park->state, FUTEX_WAIT_BITSET_PRIVATE, (uint32_t)WAITING,
                  deadline, NULL, FUTEX_BITSET_MATCH_ANY);
    tri_critical_leave();
}

static bool take(struct tri_park *park)
{
    uint32_t expected = TOKEN;
    /* Acquire: pairs with the release in tri_park_wake(). */
    return tri_cas_strong(&park->state, &expected, EMPTY, TRI_ACQUIRE, TRI_RELAXED);
}

bool tri_park_wait(struct tri_park *park, int64_t timeout_ns)
{
    if (take(park))
        return true;
    if (timeout_ns == 0)
        return false;
    uint64_t deadline_ns = 0;
    struct timespec deadline;
    if (timeout_ns > 0) {
        deadline_ns = tri_clock_mono_ns() + (uint64_t)timeout_ns;
        deadline.tv_sec = (time_t)(deadline_ns / 1000000000u);
        deadline.tv_nsec = (long)(deadline_ns % 1000000000u);
    }
    uint32_t expected = EMPTY;
    if (!tri_cas_strong(&park->state, &expected, WAITING, TRI_RELAXED, TRI_RELAXED))
        return take(park);
    for (;;) {
        sleep_until(park, timeout_ns > 0 ? &deadline : NULL);
        if (take(park))
            return true;
        if (timeout_ns > 0 && tri_clock_mono_ns() >= deadline_ns)
            return tri_xchg(&park->state, EMPTY, TRI_ACQUIRE) == TOKEN;
    }
}

void tri_park_wake(struct tri_park *park)
{
    /* The address is only a name from here on: waking nobody there does no harm. */
    void *address = (void *)&park->state;
    if (tri_xchg(&park->state, TOKEN, TRI_RELEASE) == WAITING) {
#ifdef TROUPE_INTERLEAVE
        tri_model_futex_wake(address);
        return;
#endif
        int saved = errno;
        tri_critical_enter();
        (void)syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        tri_critical_leave();
        errno = saved;
    }
}
