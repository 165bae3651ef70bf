/* os/clock.h - clocks and the cycle counter. Any thread. */
#ifndef TROUPE_OS_CLOCK_H
#define TROUPE_OS_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some point in the past; never goes back. */
uint64_t tri_clock_mono_ns(void);

/* Microseconds since 1970-01-01 00:00 UTC; may be set back by the administrator. */
int64_t tri_clock_wall_us(void);

/* A counter that runs at a constant rate on all cores; a few nanoseconds to read. */
static inline uint64_t tri_cycles(void)
{
#if defined(TROUPE_INTERLEAVE)
    return tri_clock_mono_ns(); /* The same in every repetition. */
#elif defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t count;
    __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#else
    return tri_clock_mono_ns();
#endif
}

/* The rate of tri_cycles(), at least 1. The first call measures it, which takes some 2 ms. */
uint64_t tri_cycles_per_us(void);

#endif
