/*
 * base/atomic.h - atomic operations with the memory order always spelled out.
 *
 * Thin names over <stdatomic.h>, so that a build with TROUPE_INTERLEAVE can hand every one of them
 * to an explorer, which chooses what thread goes on and which of the values allowed it sees.
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

#ifdef TROUPE_INTERLEAVE

/* ---- Interleaving tests: every operation is the explorer's (tests/interleave) ------------ */

enum tri_model_op { TRI_MODEL_XCHG, TRI_MODEL_ADD, TRI_MODEL_SUB, TRI_MODEL_OR, TRI_MODEL_AND };

/* Who calls, so that a test can weaken the order of one operation and expect to see it fail. */
struct tri_model_site {
    const char *func;
    int line;
};
uint64_t tri_model_load(const volatile void *p, size_t size, memory_order order,
                        struct tri_model_site site);
void tri_model_store(volatile void *p, size_t size, uint64_t value, memory_order order,
                     struct tri_model_site site);
uint64_t tri_model_rmw(volatile void *p, size_t size, enum tri_model_op op, uint64_t value,
                       memory_order order, struct tri_model_site site);
bool tri_model_cas(volatile void *p, size_t size, uint64_t *expected, uint64_t desired,
                   memory_order ok, memory_order fail, bool weak, struct tri_model_site site);
/* Waits until what was loaded last has changed. */
void tri_model_pause(void);
/* For os/spin.h and os/park.c: a lock in one step, and the kernel's sleep. */
void tri_model_lock(volatile void *held);
void tri_model_futex_wait(volatile void *p, uint32_t expected, bool timed);
void tri_model_futex_wake(volatile void *p);

#define TRI_SITE_ ((struct tri_model_site){__func__, __LINE__})
/* The type of what `p` points to, without qualifiers. */
#define TRI_PLAIN_(p) __typeof__((void)0, *(p))
#define TRI_FROM_BITS_(p, bits)                           \
    __extension__({                                       \
        uint64_t bits_ = (bits);                          \
        TRI_PLAIN_(p) plain_;                             \
        __builtin_memcpy(&plain_, &bits_, sizeof plain_); \
        plain_;                                           \
    })
#define TRI_TO_BITS_(p, value)                            \
    __extension__({                                       \
        TRI_PLAIN_(p) plain_ = (value);                   \
        uint64_t bits_ = 0;                               \
        __builtin_memcpy(&bits_, &plain_, sizeof plain_); \
        bits_;                                            \
    })
#define TRI_RMW_(p, op, value, order) \
    TRI_FROM_BITS_(                   \
        p, tri_model_rmw((p), sizeof *(p), (op), TRI_TO_BITS_(p, value), (order), TRI_SITE_))
#define TRI_CAS_(p, expected, desired, ok, fail, weak)                                       \
    __extension__({                                                                          \
        __typeof__(expected) expected_ = (expected);                                         \
        uint64_t seen_ = TRI_TO_BITS_(p, *expected_);                                        \
        bool done_ = tri_model_cas((p), sizeof *(p), &seen_, TRI_TO_BITS_(p, desired), (ok), \
                                   (fail), (weak), TRI_SITE_);                               \
        if (!done_)                                                                          \
            *expected_ = TRI_FROM_BITS_(p, seen_);                                           \
        done_;                                                                               \
    })

#define tri_load(p, order) TRI_FROM_BITS_(p, tri_model_load((p), sizeof *(p), (order), TRI_SITE_))
#define tri_store(p, value, order) \
    tri_model_store((p), sizeof *(p), TRI_TO_BITS_(p, value), (order), TRI_SITE_)
#define tri_xchg(p, value, order) TRI_RMW_(p, TRI_MODEL_XCHG, value, order)
#define tri_fetch_add(p, n, order) TRI_RMW_(p, TRI_MODEL_ADD, n, order)
#define tri_fetch_sub(p, n, order) TRI_RMW_(p, TRI_MODEL_SUB, n, order)
#define tri_fetch_or(p, bits, order) TRI_RMW_(p, TRI_MODEL_OR, bits, order)
#define tri_fetch_and(p, bits, order) TRI_RMW_(p, TRI_MODEL_AND, bits, order)
#define tri_cas_strong(p, expected, desired, ok, fail) \
    TRI_CAS_(p, expected, desired, ok, fail, false)
#define tri_cas_weak(p, expected, desired, ok, fail) TRI_CAS_(p, expected, desired, ok, fail, true)

/* A fence, as an addition to a place that all fences share: as strong for what is atomic. */
extern TRI_ATOMIC(uint32_t) tri_model_fence_word;
#define tri_fence(order) ((void)tri_fetch_add(&tri_model_fence_word, 0u, (order)))
#define tri_fence_after_rmw() tri_fence(TRI_SEQ_CST)

static inline void tri_pause(void)
{
    tri_model_pause();
}

#else

/* ---- Operations ---------------------------------------------------------- */

/* `p` may point to a const object: what it is part of may be read-only to this caller. */
#define tri_load(p, order) atomic_load_explicit((p), (order))

#define tri_store(p, value, order) atomic_store_explicit((p), (value), (order))

/* The value before. */
#define tri_xchg(p, value, order) atomic_exchange_explicit((p), (value), (order))
#define tri_fetch_add(p, n, order) atomic_fetch_add_explicit((p), (n), (order))
#define tri_fetch_sub(p, n, order) atomic_fetch_sub_explicit((p), (n), (order))
#define tri_fetch_or(p, bits, order) atomic_fetch_or_explicit((p), (bits), (order))
#define tri_fetch_and(p, bits, order) atomic_fetch_and_explicit((p), (bits), (order))

/* True if *p was *expected and is now `desired`; else *expected becomes what *p is. */
#define tri_cas_strong(p, expected, desired, ok, fail) \
    atomic_compare_exchange_strong_explicit((p), (expected), (desired), (ok), (fail))
/* The same, but may fail for no reason: for loops. */
#define tri_cas_weak(p, expected, desired, ok, fail) \
    atomic_compare_exchange_weak_explicit((p), (expected), (desired), (ok), (fail))

#define tri_fence(order) atomic_thread_fence(order)

/* A sequentially consistent fence right after a sequentially consistent exchange, compare-and-swap
 * or addition, which on some processors is one already. */
static inline void tri_fence_after_rmw(void)
{
#if defined(__x86_64__) || defined(__i386__)
    atomic_signal_fence(memory_order_seq_cst);
#else
    atomic_thread_fence(memory_order_seq_cst);
#endif
}

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

#endif
