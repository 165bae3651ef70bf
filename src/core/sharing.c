#include "core/sharing.h"

/* Operations that cost more are computation. A message that crosses costs less than that. */
#define CHEAP_NS 300u
/* Together, workers are to do this many tenths of what one does alone. */
#define WORTH_TENTHS 11u
/* Looks in a row that find it is not worth it: one may be due to anything. */
#define BAD_LOOKS 4u
#define BAD_LOOKS_AGAIN 2u /* after a pause, or to find out what one alone does */
#define OFF_US_MIN 2000u
#define OFF_US_MAX 128000u

void tri_sharing_init(struct tri_sharing *sharing)
{
    tri_store(&sharing->alone_cost, 0u, TRI_RELAXED);
    tri_store(&sharing->bad_looks, 0u, TRI_RELAXED);
    tri_store(&sharing->off_until, 0u, TRI_RELAXED);
    tri_store(&sharing->off_us, OFF_US_MIN, TRI_RELAXED);
    tri_store(&sharing->off_cost, 0u, TRI_RELAXED);
    tri_store(&sharing->off, false, TRI_RELAXED);
}

static void set_off(struct tri_sharing *sharing, const struct tri_sharing_look *look)
{
    uint32_t us = tri_load(&sharing->off_us, TRI_RELAXED);
    tri_store(&sharing->bad_looks, 0u, TRI_RELAXED);
    tri_store(&sharing->off_until, look->now + us * look->cycles_per_us, TRI_RELAXED);
    tri_store(&sharing->off_us, us < OFF_US_MAX ? 4 * us : us, TRI_RELAXED);
    tri_store(&sharing->off_cost, tri_load(&sharing->alone_cost, TRI_RELAXED), TRI_RELAXED);
    tri_store(&sharing->off, true, TRI_RELAXED);
}

/* All others sleep. */
static void note_alone(struct tri_sharing *sharing, uint32_t cost)
{
    uint32_t before = tri_load(&sharing->alone_cost, TRI_RELAXED);
    /* Right after sharing an operation is dear, for the messages lie about: believed slowly. */
    uint64_t parts = cost < before ? 2 : 32;
    uint32_t now = before ? (uint32_t)(((parts - 1) * before + cost) / parts) : cost;
    uint32_t then = tri_load(&sharing->off_cost, TRI_RELAXED);
    tri_store(&sharing->alone_cost, now, TRI_RELAXED);
    if (!tri_load(&sharing->off, TRI_RELAXED))
        return;
    if (then == 0) /* It was given up to find this out. */
        tri_store(&sharing->off_cost, now, TRI_RELAXED);
    else if (now > then + then / 2) /* It is other work now. */
        tri_store(&sharing->off, false, TRI_RELAXED);
}

static void judge(struct tri_sharing *sharing, const struct tri_sharing_look *look)
{
    uint64_t alone = tri_load(&sharing->alone_cost, TRI_RELAXED);
    if (look->cost > TRI_SHARING_COST(CHEAP_NS * look->cycles_per_us) / 1000) {
        tri_store(&sharing->bad_looks, 0u, TRI_RELAXED);
        return;
    }
    /* Not known: worth a while without the others. */
    if (alone && look->rate * alone >= TRI_SHARING_RATE / 10 * WORTH_TENTHS) {
        tri_store(&sharing->bad_looks, 0u, TRI_RELAXED);
        tri_store(&sharing->off_us, OFF_US_MIN, TRI_RELAXED);
        return;
    }
    uint32_t bad = tri_load(&sharing->bad_looks, TRI_RELAXED) + 1;
    tri_store(&sharing->bad_looks, bad, TRI_RELAXED);
    bool again = !alone || tri_load(&sharing->off_us, TRI_RELAXED) > OFF_US_MIN;
    if (bad >= (again ? BAD_LOOKS_AGAIN : BAD_LOOKS))
        set_off(sharing, look);
}

void tri_sharing_note(struct tri_sharing *sharing, const struct tri_sharing_look *look)
{
    if (tri_load(&sharing->off, TRI_RELAXED) &&
        look->now >= tri_load(&sharing->off_until, TRI_RELAXED))
        tri_store(&sharing->off, false, TRI_RELAXED);
    if (look->cost == 0)
        return;
    if (look->awake <= 1)
        note_alone(sharing, look->cost);
    else if (!tri_load(&sharing->off, TRI_RELAXED))
        judge(sharing, look);
}
