/*
 * core/route.h - which routee gets a message. Pure: from what is known to an index.
 */
#ifndef TROUPE_CORE_ROUTE_H
#define TROUPE_CORE_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All take `count` >= 1 and return an index below it. */
uint32_t tri_route_round_robin(uint64_t turn, uint32_t count);
/* Without the bias that a remainder would have. */
uint32_t tri_route_random(uint64_t random, uint32_t count);
/* The smallest load; of equals the first one at or after `start`, so that they take turns. */
uint32_t tri_route_least(const uint64_t *loads, uint32_t count, uint32_t start);

/* Points on the circle for each routee: shares differ by about a tenth. */
#define TRI_ROUTE_POINTS 128u

struct tri_route_point {
    uint64_t at;
    uint32_t index;
};

/* A circle of hashes. A key belongs to the first point at or after its own hash, so what joins or
 * leaves moves only the keys in front of its points (Karger and others, 1997). */
struct tri_route_circle {
    struct tri_route_point *points; /* in order; all zero is an empty circle */
    uint32_t count;
};

/* Rebuilds the circle for routees with these ids, each at its index: the same ids always have the
 * same points. False when out of memory; then it is as it was. */
bool tri_route_circle_build(struct tri_route_circle *circle, const uint64_t *ids, uint32_t count);
void tri_route_circle_fini(struct tri_route_circle *circle);
/* The index of whom `key` belongs to; the circle is not empty. */
uint32_t tri_route_circle_find(const struct tri_route_circle *circle, uint64_t key);

#endif
