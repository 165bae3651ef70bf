/*
 * base/histogram.h - a histogram of 64-bit values with a bounded relative error.
 *
 * Log-linear: 64 buckets of equal width per power of two, so that any value is known to within
 * 1 % in 30 KB of fixed memory. One thread records; others may read meanwhile and see each
 * figure whole, but not all of one instant.
 */
#ifndef TROUPE_BASE_HISTOGRAM_H
#define TROUPE_BASE_HISTOGRAM_H

#include "base/atomic.h"

#define TRI_HISTOGRAM_BITS 6u
/* Values below 2^(BITS + 1) have a bucket each; then 2^BITS buckets per power of two. */
#define TRI_HISTOGRAM_BUCKETS ((64u - TRI_HISTOGRAM_BITS + 1u) << TRI_HISTOGRAM_BITS)

struct tri_histogram {
    TRI_ATOMIC(uint64_t) count;
    TRI_ATOMIC(uint64_t) max;
    TRI_ATOMIC(uint64_t) sum; /* stops at UINT64_MAX */
    TRI_ATOMIC(uint64_t) buckets[TRI_HISTOGRAM_BUCKETS];
};

/* Zeroed memory is an empty histogram, too. */
void tri_histogram_init(struct tri_histogram *h);

/* O(1), a few nanoseconds. */
void tri_histogram_record(struct tri_histogram *h, uint64_t value);

/* Adds what `from` has counted to `into`, of which the caller is the one writer. */
void tri_histogram_merge(struct tri_histogram *into, const struct tri_histogram *from);

uint64_t tri_histogram_count(const struct tri_histogram *h);
/* Exact; 0 when empty. */
uint64_t tri_histogram_max(const struct tri_histogram *h);
/* Exact but for the rounding, as long as the sum fits into 64 bits; 0 when empty. */
double tri_histogram_mean(const struct tri_histogram *h);

/* The value that the fraction q (clamped to 0 … 1) of all values does not exceed, within 1 %;
 * never above the maximum; 0 when empty. */
uint64_t tri_histogram_quantile(const struct tri_histogram *h, double q);

#endif
