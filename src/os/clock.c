#include "os/clock.h"

#include "base/assert.h"
#include "base/atomic.h"

#include <time.h>

#define CALIBRATION_NS 2000000u

uint64_t tri_clock_mono_ns(void)
{
    struct timespec now;
    TRI_ASSERT(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t tri_clock_wall_us(void)
{
    struct timespec now;
    TRI_ASSERT(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

#if defined(__x86_64__)
struct reading {
    uint64_t ns;
    uint64_t cycles;
};

/* Both clocks at nearly the same time: of several pairs the one that was read fastest, as the
 * thread may be interrupted between the two. */
static struct reading read_both(void)
{
    struct reading best = {0, 0};
    uint64_t best_gap = UINT64_MAX;
    for (int i = 0; i < 16; i++) {
        uint64_t before = tri_cycles();
        uint64_t ns = tri_clock_mono_ns();
        uint64_t gap = tri_cycles() - before;
        if (gap < best_gap) {
            best_gap = gap;
            best = (struct reading){ns, before + gap / 2};
        }
    }
    return best;
}

static uint64_t measure(void)
{
    struct reading first = read_both();
    while (tri_clock_mono_ns() - first.ns < CALIBRATION_NS)
        tri_pause();
    struct reading last = read_both();
    uint64_t ns = last.ns - first.ns;
    return ((last.cycles - first.cycles) * 1000 + ns / 2) / ns;
}
#elif defined(__aarch64__)
static uint64_t measure(void)
{
    uint64_t hz;
    __asm__ __volatile__("mrs %0, cntfrq_el0" : "=r"(hz));
    return (hz + 500000) / 1000000;
}
#else
static uint64_t measure(void)
{
    return 1000; /* tri_cycles() counts nanoseconds. */
}
#endif

uint64_t tri_cycles_per_us(void)
{
    static TRI_ATOMIC(uint64_t) rate;
    uint64_t known = tri_load(&rate, TRI_RELAXED);
    if (TRI_LIKELY(known != 0))
        return known;
    uint64_t measured = measure();
    if (measured == 0)
        measured = 1;
    /* The first one to finish wins, so that everyone sees one rate. */
    if (tri_cas_strong(&rate, &known, measured, TRI_RELAXED, TRI_RELAXED))
        return measured;
    return known;
}
