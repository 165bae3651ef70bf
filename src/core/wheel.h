/*
 * core/wheel.h - a hierarchical timer wheel (Varghese and Lauck, SOSP 1987, scheme 7).
 *
 * Pure: it knows ticks (milliseconds), not clocks. Six levels of 64 places reach 2^36 ms,
 * two years; adding and removing are O(1), a bit map per level finds the next place.
 */
#ifndef TROUPE_CORE_WHEEL_H
#define TROUPE_CORE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define TRI_WHEEL_LEVELS 6u
#define TRI_WHEEL_PLACES 64u
#define TRI_WHEEL_SPAN ((uint64_t)1 << 36)
#define TRI_WHEEL_NEVER UINT64_MAX

struct tri_wheel_node {
    struct tri_wheel_node *next;
    struct tri_wheel_node *prev; /* NULL: not in a wheel */
    uint64_t tick;
};

struct tri_wheel {
    uint64_t now;
    uint64_t count;
    uint64_t occupied[TRI_WHEEL_LEVELS];
    struct tri_wheel_node places[TRI_WHEEL_LEVELS][TRI_WHEEL_PLACES];
};

void tri_wheel_init(struct tri_wheel *wheel, uint64_t now);

/* Due when the wheel reaches `tick`; at the next advance if that is past. Ticks further away
 * than TRI_WHEEL_SPAN - 1 are brought forward to that. */
void tri_wheel_add(struct tri_wheel *wheel, struct tri_wheel_node *node, uint64_t tick);

/* False if it was not in the wheel. */
bool tri_wheel_remove(struct tri_wheel *wheel, struct tri_wheel_node *node);

/* Moves on to `now` and takes out one due node, earliest first; NULL when none is left. Call
 * until NULL. */
struct tri_wheel_node *tri_wheel_pop(struct tri_wheel *wheel, uint64_t now);

/* A tick at or before the next node's, and not before now; TRI_WHEEL_NEVER when empty. */
uint64_t tri_wheel_next(const struct tri_wheel *wheel);

#endif
