#include "core/route.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>

uint32_t tri_route_round_robin(uint64_t turn, uint32_t count)
{
    TRI_ASSERT(count > 0);
    return (uint32_t)(turn % count);
}

uint32_t tri_route_random(uint64_t random, uint32_t count)
{
    TRI_ASSERT(count > 0);
    return (uint32_t)((random >> 32) * count >> 32);
}

uint32_t tri_route_least(const uint64_t *loads, uint32_t count, uint32_t start)
{
    TRI_ASSERT(count > 0);
    uint32_t best = start % count;
    for (uint32_t n = 1; n < count && loads[best] > 0; n++) {
        uint32_t i = (start + n) % count;
        if (loads[i] < loads[best])
            best = i;
    }
    return best;
}

/* The finalizer of splitmix64: every bit of the input moves half of the output. */
static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ull;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static int by_place(const void *a, const void *b)
{
    const struct tri_route_point *p = a;
    const struct tri_route_point *q = b;
    if (p->at != q->at)
        return p->at < q->at ? -1 : 1;
    return p->index < q->index ? -1 : p->index > q->index;
}

bool tri_route_circle_build(struct tri_route_circle *circle, const uint64_t *ids, uint32_t count)
{
    struct tri_route_circle fresh = {.count = count * TRI_ROUTE_POINTS};
    fresh.points = tri_calloc(fresh.count ? fresh.count : 1, sizeof *fresh.points);
    if (!fresh.points)
        return false;
    for (uint32_t i = 0; i < fresh.count; i++) {
        uint32_t index = i / TRI_ROUTE_POINTS;
        uint64_t point = i % TRI_ROUTE_POINTS + 1;
        fresh.points[i].at = mix(mix(ids[index]) + point * 0x9e3779b97f4a7c15ull);
        fresh.points[i].index = index;
    }
    qsort(fresh.points, fresh.count, sizeof *fresh.points, by_place);
    tri_free(circle->points);
    *circle = fresh;
    return true;
}

void tri_route_circle_fini(struct tri_route_circle *circle)
{
    tri_free(circle->points);
    *circle = (struct tri_route_circle){0};
}

uint32_t tri_route_circle_find(const struct tri_route_circle *circle, uint64_t key)
{
    TRI_ASSERT(circle->count > 0);
    uint64_t at = mix(key + 0x9e3779b97f4a7c15ull);
    uint32_t low = 0, high = circle->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (circle->points[middle].at < at)
            low = middle + 1;
        else
            high = middle;
    }
    return circle->points[low < circle->count ? low : 0].index;
}
