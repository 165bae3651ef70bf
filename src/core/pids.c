#include "core/pids.h"

#include "base/alloc.h"
#include "base/assert.h"

static uint32_t home_of(const struct tri_pids *pids, uint64_t bits)
{
    /* Fibonacci hashing: PIDs are made here, nobody chooses them to collide. */
    return (uint32_t)(bits * 0x9e3779b97f4a7c15ull >> 32) & (pids->capacity - 1);
}

/* Where `bits` is, or the empty place where it would go. */
static uint32_t find(const struct tri_pids *pids, uint64_t bits)
{
    uint32_t i = home_of(pids, bits);
    while (pids->places[i] && pids->places[i] != bits)
        i = (i + 1) & (pids->capacity - 1);
    return i;
}

bool tri_pids_full(const struct tri_pids *pids)
{
    return (pids->count + 1) * 4ull > pids->capacity * 3ull;
}

static bool grow(struct tri_pids *pids)
{
    struct tri_pids larger = {.count = pids->count,
                              .capacity = pids->capacity ? pids->capacity * 2 : 8};
    larger.places = tri_calloc(larger.capacity, sizeof *larger.places);
    if (!larger.places)
        return false;
    for (uint32_t i = 0; i < pids->capacity; i++) {
        if (pids->places[i])
            larger.places[find(&larger, pids->places[i])] = pids->places[i];
    }
    tri_free(pids->places);
    *pids = larger;
    return true;
}

bool tri_pids_has(const struct tri_pids *pids, tr_pid pid)
{
    return pids->capacity && pid.bits && pids->places[find(pids, pid.bits)];
}

bool tri_pids_add(struct tri_pids *pids, tr_pid pid)
{
    TRI_ASSERT(pid.bits != 0);
    if (pids->capacity && pids->places[find(pids, pid.bits)])
        return true;
    if (tri_pids_full(pids) && !grow(pids))
        return false;
    pids->places[find(pids, pid.bits)] = pid.bits;
    pids->count++;
    return true;
}

bool tri_pids_remove(struct tri_pids *pids, tr_pid pid)
{
    if (pids->capacity == 0 || pid.bits == 0)
        return false;
    uint32_t mask = pids->capacity - 1;
    uint32_t hole = find(pids, pid.bits);
    if (!pids->places[hole])
        return false;
    /* Moves up whoever would not be found any more behind the hole (Knuth 6.4, algorithm R). */
    for (uint32_t i = (hole + 1) & mask; pids->places[i]; i = (i + 1) & mask) {
        uint32_t home = home_of(pids, pids->places[i]);
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            pids->places[hole] = pids->places[i];
            hole = i;
        }
    }
    pids->places[hole] = 0;
    pids->count--;
    return true;
}

bool tri_pids_next(const struct tri_pids *pids, uint32_t *at, tr_pid *ret_pid)
{
    while (*at < pids->capacity) {
        ret_pid->bits = pids->places[(*at)++];
        if (ret_pid->bits)
            return true;
    }
    return false;
}

void tri_pids_fini(struct tri_pids *pids)
{
    tri_free(pids->places);
    *pids = (struct tri_pids){0};
}
