/*
 * base/assert.h - assertions that stay in release builds, and small helpers.
 */
#ifndef TROUPE_BASE_ASSERT_H
#define TROUPE_BASE_ASSERT_H

#include <stddef.h>

#define TRI_LIKELY(x) __builtin_expect(!!(x), 1)
#define TRI_UNLIKELY(x) __builtin_expect(!!(x), 0)
/* For the few functions that every message passes through. */
#ifdef TROUPE_COVERAGE /* A branch counts once there, not once for each place of use. */
#define TRI_HOT_INLINE static inline
#else
#define TRI_HOT_INLINE static inline __attribute__((always_inline))
#endif

/* Writes "file:line: func: assertion failed: what" to stderr and aborts. Any thread. */
__attribute__((cold, noreturn)) void tri_assert_fail(const char *what, const char *file, int line,
                                                     const char *func);

/* What the program itself guarantees; never used to check input. */
#define TRI_ASSERT(cond) \
    (TRI_LIKELY(cond) ? (void)0 : tri_assert_fail(#cond, __FILE__, __LINE__, __func__))

/* A place that control cannot get to; `why` is a string literal. */
#define TRI_UNREACHABLE(why) tri_assert_fail("unreachable: " why, __FILE__, __LINE__, __func__)

/* For arrays only: a pointer does not compile. */
#define TRI_ARRAY_COUNT(a)        \
    (sizeof(a) / sizeof((a)[0]) + \
     0 * sizeof(char[1 - 2 * __builtin_types_compatible_p(__typeof__(a), __typeof__(&(a)[0]))]))

/* The struct of `type` whose field `member` is at `ptr`. */
#define TRI_CONTAINER_OF(ptr, type, member) \
    ((type *)(void *)((char *)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))

#endif
