#include "base/prng.h"

uint64_t tri_splitmix64(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void tri_prng_seed(struct tri_prng *prng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        prng->s[i] = tri_splitmix64(&seed);
}

static uint64_t rotate_left(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

uint64_t tri_prng_next(struct tri_prng *prng)
{
    uint64_t *s = prng->s;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t tri_prng_below(struct tri_prng *prng, uint64_t bound)
{
    if (bound == 0)
        return 0;
    /* Numbers below 2^64 mod bound would make small results a little more likely. */
    uint64_t biased = (0 - bound) % bound;
    uint64_t x;
    do {
        x = tri_prng_next(prng);
    } while (x < biased);
    return x % bound;
}

double tri_prng_double(struct tri_prng *prng)
{
    return (double)(tri_prng_next(prng) >> 11) * 0x1.0p-53;
}
