/*
 * base/prng.h - a fast, reproducible generator: xoshiro256** (Blackman and Vigna, 2018), seeded
 * through splitmix64. Not for secrets: see os/random.h.
 */
#ifndef TROUPE_BASE_PRNG_H
#define TROUPE_BASE_PRNG_H

#include <stdint.h>

struct tri_prng {
    uint64_t s[4]; /* not all zero */
};

/* The next number of the splitmix64 sequence; advances *state. */
uint64_t tri_splitmix64(uint64_t *state);

/* Any seed is fine; equal seeds give equal sequences. */
void tri_prng_seed(struct tri_prng *prng, uint64_t seed);
uint64_t tri_prng_next(struct tri_prng *prng);
/* Uniform in 0 … bound - 1; 0 for a bound of 0. */
uint64_t tri_prng_below(struct tri_prng *prng, uint64_t bound);
/* Uniform in [0, 1), in steps of 2^-53. */
double tri_prng_double(struct tri_prng *prng);

#endif
