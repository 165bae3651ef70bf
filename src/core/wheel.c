#include "core/wheel.h"

#include "base/assert.h"

void tri_wheel_init(struct tri_wheel *wheel, uint64_t now)
{
    wheel->now = now;
    wheel->count = 0;
    for (uint32_t level = 0; level < TRI_WHEEL_LEVELS; level++) {
        wheel->occupied[level] = 0;
        for (uint32_t i = 0; i < TRI_WHEEL_PLACES; i++) {
            struct tri_wheel_node *place = &wheel->places[level][i];
            place->next = place->prev = place;
        }
    }
}

/* The level is given by the highest digit (base 64) in which tick and now differ, so that a
 * place never mixes rounds. */
static void place_node(struct tri_wheel *wheel, struct tri_wheel_node *node)
{
    uint64_t tick = node->tick > wheel->now ? node->tick : wheel->now;
    uint64_t differ = tick ^ wheel->now;
    uint32_t level = differ ? (63u - (uint32_t)__builtin_clzll(differ)) / 6u : 0;
    TRI_ASSERT(level < TRI_WHEEL_LEVELS);
    uint32_t index = (uint32_t)(tick >> (6 * level)) & (TRI_WHEEL_PLACES - 1);
    struct tri_wheel_node *place = &wheel->places[level][index];
    node->next = place;
    node->prev = place->prev;
    place->prev->next = node;
    place->prev = node;
    wheel->occupied[level] |= (uint64_t)1 << index;
}

void tri_wheel_add(struct tri_wheel *wheel, struct tri_wheel_node *node, uint64_t tick)
{
    /* The last tick that shares all digits above the top level with now. */
    uint64_t last = wheel->now | (TRI_WHEEL_SPAN - 1);
    node->tick = tick < last ? tick : last;
    if (node->tick < wheel->now)
        node->tick = wheel->now;
    place_node(wheel, node);
    wheel->count++;
}

/* Takes a node out and clears the bit of a place that became empty. Places are the only
 * nodes inside the array, so an emptied place tells its own level and index. */
static void unlink_node(struct tri_wheel *wheel, struct tri_wheel_node *node)
{
    struct tri_wheel_node *next = node->next;
    node->prev->next = next;
    next->prev = node->prev;
    node->next = node->prev = NULL;
    if (next->next != next)
        return;
    uint32_t offset = (uint32_t)(next - &wheel->places[0][0]);
    wheel->occupied[offset / TRI_WHEEL_PLACES] &= ~((uint64_t)1 << (offset % TRI_WHEEL_PLACES));
}

bool tri_wheel_remove(struct tri_wheel *wheel, struct tri_wheel_node *node)
{
    if (!node->prev)
        return false;
    unlink_node(wheel, node);
    wheel->count--;
    return true;
}

uint64_t tri_wheel_next(const struct tri_wheel *wheel)
{
    for (uint32_t level = 0; level < TRI_WHEEL_LEVELS; level++) {
        if (!wheel->occupied[level])
            continue;
        uint32_t shift = 6 * level;
        uint64_t index = (uint64_t)__builtin_ctzll(wheel->occupied[level]);
        uint64_t high = wheel->now >> (shift + 6) << (shift + 6);
        uint64_t tick = high | index << shift;
        return tick > wheel->now ? tick : wheel->now;
    }
    return TRI_WHEEL_NEVER;
}

/* Spreads the place that `now` has just reached over the lower levels. */
static void cascade(struct tri_wheel *wheel, uint32_t level)
{
    uint32_t index = (uint32_t)(wheel->now >> (6 * level)) & (TRI_WHEEL_PLACES - 1);
    struct tri_wheel_node *place = &wheel->places[level][index];
    while (place->next != place) {
        struct tri_wheel_node *node = place->next;
        unlink_node(wheel, node);
        place_node(wheel, node);
    }
}

struct tri_wheel_node *tri_wheel_pop(struct tri_wheel *wheel, uint64_t now)
{
    for (;;) {
        uint64_t tick = tri_wheel_next(wheel);
        if (tick > now) {
            if (now > wheel->now)
                wheel->now = now;
            return NULL;
        }
        wheel->now = tick;
        for (uint32_t level = TRI_WHEEL_LEVELS - 1; level > 0; level--)
            cascade(wheel, level);
        uint32_t index = (uint32_t)tick & (TRI_WHEEL_PLACES - 1);
        struct tri_wheel_node *place = &wheel->places[0][index];
        if (place->next != place) {
            struct tri_wheel_node *node = place->next;
            unlink_node(wheel, node);
            wheel->count--;
            return node;
        }
    }
}
