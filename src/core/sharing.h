/*
 * core/sharing.h - whether workers that share the work get more done than one of them alone.
 *
 * Where actors of two workers send to each other all the time, each message crosses between
 * cores, and both together may do less than one alone: sixty producers and a sink take 14 ns a
 * message on one worker and 40 on two. No length of a queue tells that beforehand, so it is
 * measured. At each look at the clock a worker knows what an operation (a message sent or handled,
 * an actor that began or ended) has cost it since the last one. What it costs a worker while all
 * others sleep is kept. While several are awake their rates are added; if the sum is, look after
 * look, hardly more than what one does alone, no work is moved for a while, twice as long each
 * time, and the others run out of work and sleep. Then another try is made.
 *
 * Only operations that are cheap are judged: dear ones are computation, which is worth sharing
 * whatever its messages cost.
 *
 * Everything here is a hint: relaxed loads and stores, and a wrong one costs time, never work.
 */
#ifndef TROUPE_CORE_SHARING_H
#define TROUPE_CORE_SHARING_H

#include "base/atomic.h"

#include <stdbool.h>
#include <stdint.h>

struct tri_sharing {
    TRI_ATOMIC(uint32_t) alone_cost; /* of an operation; 0: not known */
    TRI_ATOMIC(uint32_t) bad_looks;  /* in a row */
    TRI_ATOMIC(uint64_t) off_until;  /* cycles; while `off` */
    TRI_ATOMIC(uint32_t) off_us;     /* how long the next time */
    TRI_ATOMIC(uint32_t) off_cost;   /* what an operation cost alone when sharing was given up */
    TRI_ATOMIC(bool) off;
};

/* Costs are in sixteenths of a cycle. */
#define TRI_SHARING_COST(cycles) ((cycles)*16u)

/* What one worker has measured. */
struct tri_sharing_look {
    uint64_t now; /* cycles */
    uint64_t cycles_per_us;
    uint32_t cost;  /* of an operation since the last look; 0: too few to tell */
    uint32_t awake; /* workers at work, this one included */
    uint64_t rate;  /* the sum of TRI_SHARING_RATE / cost of these */
};
#define TRI_SHARING_RATE ((uint64_t)1 << 32)

void tri_sharing_init(struct tri_sharing *sharing);
/* A worker tells what it has measured. */
void tri_sharing_note(struct tri_sharing *sharing, const struct tri_sharing_look *look);

/* Whether work may be moved at all. */
static inline bool tri_sharing_pays(const struct tri_sharing *sharing)
{
    return !tri_load(&sharing->off, TRI_RELAXED);
}

#endif
