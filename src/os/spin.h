/*
 * os/spin.h - a lock of 4 bytes for critical sections of a few instructions.
 *
 * Never held across a call that may block or run foreign code.
 */
#ifndef TROUPE_OS_SPIN_H
#define TROUPE_OS_SPIN_H

#include "base/assert.h"
#include "base/atomic.h"

struct tri_spin {
    TRI_ATOMIC(uint32_t) held;
};

_Static_assert(sizeof(struct tri_spin) == 4, "cells and wheels count on a small lock");

/* From os/thread.h, which this header would otherwise pull in everywhere. */
void tri_thread_yield(void);

/* Looks before the holder is taken to be preempted and the processor is given away. */
#define TRI_SPIN_LOOKS 100u

/* Zeroed memory is an open lock, too. */
static inline void tri_spin_init(struct tri_spin *spin)
{
    tri_store(&spin->held, 0u, TRI_RELAXED);
}

static inline void tri_spin_lock(struct tri_spin *spin)
{
#ifdef TRI_MODEL_SPIN
    tri_model_lock(&spin->held); /* One step of the explorer; only the lock's own test spins. */
    return;
#endif
    uint32_t looks = 0;
    /* Acquire: pairs with the release in tri_spin_unlock(). */
    while (TRI_UNLIKELY(tri_xchg(&spin->held, 1u, TRI_ACQUIRE) != 0)) {
        /* Relaxed loads keep the line shared while waiting. */
        while (tri_load(&spin->held, TRI_RELAXED) != 0) {
            if (++looks < TRI_SPIN_LOOKS) {
                tri_pause();
            } else {
                tri_thread_yield();
                looks = 0;
            }
        }
    }
}

/* True if the lock was free and is now the caller's. */
static inline bool tri_spin_try_lock(struct tri_spin *spin)
{
    return tri_load(&spin->held, TRI_RELAXED) == 0 && tri_xchg(&spin->held, 1u, TRI_ACQUIRE) == 0;
}

static inline void tri_spin_unlock(struct tri_spin *spin)
{
    tri_store(&spin->held, 0u, TRI_RELEASE);
}

#endif
