#include "base/histogram.h"

#include "base/assert.h"

#define PER_OCTAVE (1u << TRI_HISTOGRAM_BITS)

/* The plain load is right: only the caller writes. */
static void add(TRI_ATOMIC(uint64_t) *figure, uint64_t n)
{
    tri_store(figure, tri_load(figure, TRI_RELAXED) + n, TRI_RELAXED);
}

static void add_to_sum(TRI_ATOMIC(uint64_t) *sum, uint64_t n)
{
    uint64_t total;
    if (__builtin_add_overflow(tri_load(sum, TRI_RELAXED), n, &total))
        total = UINT64_MAX;
    tri_store(sum, total, TRI_RELAXED);
}

static unsigned bucket_of(uint64_t value)
{
    if (value < 2 * PER_OCTAVE)
        return (unsigned)value;
    unsigned shift = 63u - TRI_HISTOGRAM_BITS - (unsigned)__builtin_clzll(value);
    /* value >> shift is in PER_OCTAVE … 2 × PER_OCTAVE - 1. */
    return shift * PER_OCTAVE + (unsigned)(value >> shift);
}

/* The middle of a bucket. */
static uint64_t value_of(unsigned bucket)
{
    if (bucket < 2 * PER_OCTAVE)
        return bucket;
    unsigned shift = bucket / PER_OCTAVE - 1;
    uint64_t low = (uint64_t)(bucket - shift * PER_OCTAVE) << shift;
    return low + ((uint64_t)1 << shift) / 2;
}

void tri_histogram_init(struct tri_histogram *h)
{
    tri_store(&h->count, 0u, TRI_RELAXED);
    tri_store(&h->max, 0u, TRI_RELAXED);
    tri_store(&h->sum, 0u, TRI_RELAXED);
    for (unsigned i = 0; i < TRI_HISTOGRAM_BUCKETS; i++)
        tri_store(&h->buckets[i], 0u, TRI_RELAXED);
}

void tri_histogram_record(struct tri_histogram *h, uint64_t value)
{
    unsigned bucket = bucket_of(value);
    TRI_ASSERT(bucket < TRI_HISTOGRAM_BUCKETS);
    add(&h->buckets[bucket], 1);
    add(&h->count, 1);
    add_to_sum(&h->sum, value);
    if (value > tri_load(&h->max, TRI_RELAXED))
        tri_store(&h->max, value, TRI_RELAXED);
}

void tri_histogram_merge(struct tri_histogram *into, const struct tri_histogram *from)
{
    /* The count follows from the buckets that were read, as `from` may be counting on. */
    uint64_t count = 0;
    for (unsigned i = 0; i < TRI_HISTOGRAM_BUCKETS; i++) {
        uint64_t n = tri_load(&from->buckets[i], TRI_RELAXED);
        if (n != 0)
            add(&into->buckets[i], n);
        count += n;
    }
    add(&into->count, count);
    add_to_sum(&into->sum, tri_load(&from->sum, TRI_RELAXED));
    uint64_t max = tri_load(&from->max, TRI_RELAXED);
    if (max > tri_load(&into->max, TRI_RELAXED))
        tri_store(&into->max, max, TRI_RELAXED);
}

uint64_t tri_histogram_count(const struct tri_histogram *h)
{
    return tri_load(&h->count, TRI_RELAXED);
}

uint64_t tri_histogram_max(const struct tri_histogram *h)
{
    return tri_load(&h->max, TRI_RELAXED);
}

double tri_histogram_mean(const struct tri_histogram *h)
{
    uint64_t count = tri_histogram_count(h);
    return count ? (double)tri_load(&h->sum, TRI_RELAXED) / (double)count : 0.0;
}

uint64_t tri_histogram_quantile(const struct tri_histogram *h, double q)
{
    uint64_t count = tri_histogram_count(h);
    uint64_t max = tri_histogram_max(h);
    if (count == 0 || q >= 1.0)
        return max;
    /* The rank of the value asked for, from 1; written so that NaN counts as 0. */
    double exact = q > 0.0 ? q * (double)count : 0.0;
    uint64_t rank = (uint64_t)exact;
    if ((double)rank < exact || rank == 0)
        rank++;
    uint64_t seen = 0;
    for (unsigned i = 0; i < TRI_HISTOGRAM_BUCKETS; i++) {
        seen += tri_load(&h->buckets[i], TRI_RELAXED);
        if (seen >= rank)
            return value_of(i) < max ? value_of(i) : max;
    }
    return max;
}
