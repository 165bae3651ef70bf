/* sim/shrink.h - the shortest history, and list of decisions, that still fails. Pure. */
#ifndef TROUPE_SIM_SHRINK_H
#define TROUPE_SIM_SHRINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Runs that one shrinking takes at most. */
#define TRI_SHRINK_RUNS_MAX 2000u

/* True if the run with these decisions (0 after the last) still fails. */
typedef bool (*tri_shrink_fn)(void *user, const uint16_t *decisions, size_t count);

/*
 * Shrinks `decisions` in place; the new count. Fewer first, then more zeroes, then smaller ones:
 * parts of halving size are cut off, taken out, or made 0 (delta debugging, Zeller and
 * Hildebrandt 2002, over decisions as in Hypothesis).
 */
size_t tri_shrink(uint16_t *decisions, size_t count, tri_shrink_fn fails, void *user);

/* Runs of one shrinking of a history. */
#define TRI_SHRINK_EVENT_RUNS_MAX 500u

/* True if a run in which only these events happen still fails. */
typedef bool (*tri_shrink_events_fn)(void *user, const uint32_t *events, size_t count);

/* Leaves out of `events`, in place, what is not needed: parts of halving size; the new count. */
size_t tri_shrink_events(uint32_t *events, size_t count, tri_shrink_events_fn fails, void *user);

#endif
