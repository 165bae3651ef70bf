/*
 * base/atomic.h - atomic operations with the memory order always spelled out.
 *
 * Thin names over <stdatomic.h>, so that a build with TROUPE_INTERLEAVE can stop before every
 * shared access and let a test choose which thread goes on.
 */
#ifndef TROUPE_BASE_ATOMIC_H
#define TROUPE_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRI_ATOMIC(T) _Atomic(T)

#define TRI_RELAXED memory_order_relaxed
#define TRI_ACQUIRE memory_order_acquire
#define TRI_RELEASE memory_order_release
#define TRI_ACQ_REL memory_order_acq_rel
#define TRI_SEQ_CST memory_order_seq_cst

/* ---- Interleaving tests -------------------------------------------------- */

#ifdef TROUPE_INTERLEAVE
/* Called before every atomic operation; the test that uses it brings it along. */
void tri_interleave_point(void);
#define TRI_POINT_() tri_interleave_point()
#else
#define TRI_POINT_() ((void)0)
#endif

/* ---- Operations ---------------------------------------------------------- */

/* `p` may point to a const object: what it is part of may be read-only to this caller. */
#define tri_load(p, order) (TRI_POINT_(), atomic_load_explicit((p), (order)))

#define tri_store(p, value, order) (TRI_POINT_(), atomic_store_explicit((p), (value), (order)))

/* The value before. */
#define tri_xchg(p, value, order) (TRI_POINT_(), atomic_exchange_explicit((p), (value), (order)))
#define tri_fetch_add(p, n, order) (TRI_POINT_(), atomic_fetch_add_explicit((p), (n), (order)))
#define tri_fetch_sub(p, n, order) (TRI_POINT_(), atomic_fetch_sub_explicit((p), (n), (order)))
#define tri_fetch_or(p, bits, order) (TRI_POINT_(), atomic_fetch_or_explicit((p), (bits), (order)))
#define tri_fetch_and(p, bits, order) \
    (TRI_POINT_(), atomic_fetch_and_explicit((p), (bits), (order)))

/* True if *p was *expected and is now `desired`; else *expected becomes what *p is. */
#define tri_cas_strong(p, expected, desired, ok, fail) \
    (TRI_POINT_(),                                     \
     atomic_compare_exchange_strong_explicit((p), (expected), (desired), (ok), (fail)))
/* The same, but may fail for no reason: for loops. */
#define tri_cas_weak(p, expected, desired, ok, fail) \
    (TRI_POINT_(), atomic_compare_exchange_weak_explicit((p), (expected), (desired), (ok), (fail)))

#define tri_fence(order) atomic_thread_fence(order)

/* Tells the processor that this is a loop that waits for another one. */
static inline void tri_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ __volatile__("yield" ::: "memory");
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

#endif
