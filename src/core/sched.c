#include "core/sched.h"

#include "base/assert.h"
#include "base/plant.h"
#include "core/monitor.h"

#define RING_MASK (TRI_RING_SIZE - 1)
/* How many cells move between the ring and the overflow list at a time. */
#define MOVE (TRI_RING_SIZE / 2)
/* Places below these parts of wake_cycles (80 and 500 ns of 5 µs) are cheap and middling; as many
 * times wake_cycles must be waiting before they are worth moving. */
#define CHEAP_PARTS 64u
#define CHEAP_BACKLOG 40u
#define MIDDLING_PARTS 10u
#define MIDDLING_BACKLOG 8u

/*
 * Whether work of so many places, of so many cycles each, is worth moving to another worker. All
 * of it must take longer than the move, and the cheaper a place, the more of them must wait: what
 * they work on comes along in cache misses. Two workers that share cheap places make each other's
 * dear, so that without this they go on to share them: chameneos takes 170 ns on two workers then,
 * against 55 on one, and fan-out twice as long.
 */
static bool worth_moving(const struct tr_system *sys, uint32_t length, uint32_t cycles)
{
    if (!tri_sharing_pays(&sys->sharing))
        return false;
    uint64_t least = sys->wake_cycles;
    if (cycles < sys->wake_cycles / CHEAP_PARTS)
        least *= CHEAP_BACKLOG;
    else if (cycles < sys->wake_cycles / MIDDLING_PARTS)
        least *= MIDDLING_BACKLOG;
    return (uint64_t)length * cycles > least;
}

/* Wakes a worker that sleeps, unless one is already looking for work: it will find this. */
static void wake_if_worth(struct tri_worker *worker, uint32_t length)
{
    struct tr_system *sys = worker->ctx.sys;
    /* Relaxed: a hint. A miss costs parallelism until the next push, never work: this worker
     * runs its own queue before it parks. */
    if (tri_load(&sys->parked_count, TRI_RELAXED) == 0 ||
        tri_load(&sys->searching, TRI_RELAXED) != 0)
        return;
    if (worth_moving(sys, length, tri_load(&worker->turn_cycles, TRI_RELAXED)))
        tri_sched_wake_one(sys);
}

static void append_overflow(struct tri_worker *worker, struct tri_cell *first,
                            struct tri_cell *last, uint32_t count)
{
    tri_spin_lock(&worker->over_lock);
    if (worker->over_last)
        worker->over_last->run_next = first;
    else
        worker->over_first = first;
    worker->over_last = last;
    last->run_next = NULL;
    tri_store(&worker->over_count, tri_load(&worker->over_count, TRI_RELAXED) + count, TRI_RELAXED);
    tri_spin_unlock(&worker->over_lock);
}

/* Takes up to `max` cells off the overflow list as a chain. */
static struct tri_cell *take_overflow(struct tri_worker *worker, uint32_t max, uint32_t *ret_count)
{
    *ret_count = 0;
    if (tri_load(&worker->over_count, TRI_RELAXED) == 0)
        return NULL;
    tri_spin_lock(&worker->over_lock);
    struct tri_cell *first = worker->over_first;
    struct tri_cell *last = NULL;
    uint32_t count = 0;
    for (struct tri_cell *c = first; c && count < max; c = c->run_next) {
        last = c;
        count++;
    }
    if (last) {
        worker->over_first = last->run_next;
        if (!worker->over_first)
            worker->over_last = NULL;
        last->run_next = NULL;
        tri_store(&worker->over_count, tri_load(&worker->over_count, TRI_RELAXED) - count,
                  TRI_RELAXED);
    }
    tri_spin_unlock(&worker->over_lock);
    *ret_count = count;
    return first;
}

/* Moves the older half of a full ring to the overflow list. False if a thief got there. */
static bool spill(struct tri_worker *worker, uint32_t head)
{
    struct tri_cell *moved[MOVE];
    for (uint32_t i = 0; i < MOVE; i++)
        moved[i] = tri_load(&worker->ring[(head + i) & RING_MASK], TRI_RELAXED);
    /* Release: thieves that see the new head must not see our later stores to those places
     * before it; acquire pairs with a thief's release of head. */
    if (!tri_cas_strong(&worker->ring_head, &head, head + MOVE, TRI_ACQ_REL, TRI_RELAXED))
        return false;
    for (uint32_t i = 0; i + 1 < MOVE; i++)
        moved[i]->run_next = moved[i + 1];
    append_overflow(worker, moved[0], moved[MOVE - 1], MOVE);
    return true;
}

void tri_sched_push(struct tri_worker *worker, struct tri_cell *cell)
{
    /* Owner: nobody else writes tail. Acquire on head pairs with thieves' release: they have
     * read the places that we are about to reuse. */
    uint32_t tail = tri_load(&worker->ring_tail, TRI_RELAXED);
    for (;;) {
        uint32_t head = tri_load(&worker->ring_head, TRI_ACQUIRE);
        if (tail - head < TRI_RING_SIZE) {
            tri_store(&worker->ring[tail & RING_MASK], cell, TRI_RELAXED);
            /* Release publishes the place and the cell's contents to thieves. */
            tri_store(&worker->ring_tail, tail + 1, TRI_RELEASE);
            wake_if_worth(worker, tail + 1 - head);
            return;
        }
        (void)spill(worker, head);
    }
}

/* Puts a chain into the (empty) ring. */
static void refill_ring(struct tri_worker *worker, struct tri_cell *chain)
{
    uint32_t tail = tri_load(&worker->ring_tail, TRI_RELAXED);
    while (chain) {
        struct tri_cell *next = chain->run_next;
        tri_store(&worker->ring[tail & RING_MASK], chain, TRI_RELAXED);
        tail++;
        chain = next;
    }
    tri_store(&worker->ring_tail, tail, TRI_RELEASE);
}

struct tri_cell *tri_sched_pop(struct tri_worker *worker)
{
    uint32_t tail = tri_load(&worker->ring_tail, TRI_RELAXED);
    uint32_t head = tri_load(&worker->ring_head, TRI_ACQUIRE);
    bool alone = worker->ctx.sys->alone;
    while (head != tail) {
        struct tri_cell *cell = tri_load(&worker->ring[head & RING_MASK], TRI_RELAXED);
        if (alone) {
            tri_store(&worker->ring_head, head + 1, TRI_RELAXED); /* There are no thieves. */
            return cell;
        }
        if (tri_cas_weak(&worker->ring_head, &head, head + 1, TRI_ACQ_REL, TRI_ACQUIRE))
            return cell;
    }
    uint32_t count;
    struct tri_cell *chain = take_overflow(worker, MOVE, &count);
    if (!chain)
        return NULL;
    if (chain->run_next)
        refill_ring(worker, chain->run_next);
    return chain;
}

/* Moves half of the victim's ring into the thief's, which is empty, and returns one. */
static struct tri_cell *steal_ring(struct tri_worker *thief, struct tri_worker *victim)
{
    uint32_t own_tail = tri_load(&thief->ring_tail, TRI_RELAXED);
    for (;;) {
        uint32_t head = tri_load(&victim->ring_head, TRI_ACQUIRE);
        /* Acquire pairs with the release in tri_sched_push(). */
        uint32_t tail = tri_load(&victim->ring_tail, TRI_ACQUIRE);
        uint32_t count = tail - head;
        count -= count / 2;
        if (count == 0)
            return NULL;
        if (count > MOVE)
            continue; /* head and tail are from different moments */
        for (uint32_t i = 0; i < count; i++) {
            struct tri_cell *c = tri_load(&victim->ring[(head + i) & RING_MASK], TRI_RELAXED);
            tri_store(&thief->ring[(own_tail + i) & RING_MASK], c, TRI_RELAXED);
        }
        /* The copy is worth something only if head did not move meanwhile. Release: our reads
         * of the places come before the owner reuses them. */
        if (!tri_cas_strong(&victim->ring_head, &head, head + count, TRI_ACQ_REL, TRI_RELAXED))
            continue;
        struct tri_cell *one = tri_load(&thief->ring[(own_tail + count - 1) & RING_MASK],
                                        TRI_RELAXED);
        tri_store(&thief->ring_tail, own_tail + count - 1, TRI_RELEASE);
        return one;
    }
}

uint32_t tri_sched_length(const struct tri_worker *worker)
{
    uint32_t head = tri_load(&worker->ring_head, TRI_RELAXED);
    uint32_t tail = tri_load(&worker->ring_tail, TRI_RELAXED);
    uint32_t ring = tail - head;
    return (ring <= TRI_RING_SIZE ? ring : 0) + tri_load(&worker->over_count, TRI_RELAXED);
}

struct tri_cell *tri_sched_steal(struct tri_worker *worker)
{
    struct tr_system *sys = worker->ctx.sys;
    /* xorshift: any spread will do to start at different victims. */
    worker->steal_seed ^= worker->steal_seed << 13;
    worker->steal_seed ^= worker->steal_seed >> 7;
    worker->steal_seed ^= worker->steal_seed << 17;
    uint32_t start = (uint32_t)(worker->steal_seed % sys->worker_count);
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        struct tri_worker *victim = sys->workers[(start + i) % sys->worker_count];
        if (victim == worker)
            continue;
        uint32_t length = tri_sched_length(victim);
        /* Relaxed: hints, both. */
        bool stuck = tri_load(&victim->stuck, TRI_RELAXED);
        uint32_t cycles = tri_load(&victim->turn_cycles, TRI_RELAXED);
        if (length == 0 || (!stuck && !worth_moving(sys, length, cycles)))
            continue;
        uint32_t count;
        struct tri_cell *cell = steal_ring(worker, victim);
        if (!cell) {
            cell = take_overflow(victim, MOVE, &count);
            if (cell && cell->run_next)
                refill_ring(worker, cell->run_next);
        }
        if (cell) {
            tri_count(&worker->steals, 1);
            return cell;
        }
    }
    return NULL;
}

void tri_sched_inject(struct tr_system *sys, struct tri_cell *cell)
{
    cell->run_next = NULL;
    tri_spin_lock(&sys->inject_lock);
    if (sys->inject_last)
        sys->inject_last->run_next = cell;
    else
        sys->inject_first = cell;
    sys->inject_last = cell;
    /* Sequentially consistent, as is the load of parked_count below: a worker that parks
     * counts itself and then looks here once more, so one of the two sees the other. */
    tri_fetch_add(&sys->inject_count, 1, TRI_SEQ_CST);
    tri_spin_unlock(&sys->inject_lock);
    if (tri_load(&sys->parked_count, TRI_SEQ_CST) != 0)
        tri_sched_wake_one(sys);
}

struct tri_cell *tri_sched_take_injected(struct tri_worker *worker)
{
    struct tr_system *sys = worker->ctx.sys;
    if (tri_load(&sys->inject_count, TRI_RELAXED) == 0)
        return NULL;
    tri_spin_lock(&sys->inject_lock);
    uint32_t have = tri_load(&sys->inject_count, TRI_RELAXED);
    uint32_t take = have / sys->config.workers + 1;
    uint32_t count = 0;
    struct tri_cell *first = sys->inject_first;
    struct tri_cell *last = NULL;
    for (struct tri_cell *c = first; c && count < take && count < MOVE; c = c->run_next) {
        last = c;
        count++;
    }
    if (last) {
        sys->inject_first = last->run_next;
        if (!sys->inject_first)
            sys->inject_last = NULL;
        last->run_next = NULL;
        tri_fetch_sub(&sys->inject_count, count, TRI_SEQ_CST);
    }
    tri_spin_unlock(&sys->inject_lock);
    if (!first)
        return NULL;
    struct tri_cell *rest = first->run_next;
    while (rest) {
        struct tri_cell *next = rest->run_next;
        tri_sched_push(worker, rest);
        rest = next;
    }
    return first;
}

bool tri_sched_any(const struct tr_system *sys)
{
    if (tri_load(&sys->inject_count, TRI_SEQ_CST) != 0)
        return true;
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        const struct tri_worker *w = sys->workers[i];
        if (tri_load(&w->ring_head, TRI_SEQ_CST) != tri_load(&w->ring_tail, TRI_SEQ_CST) ||
            tri_load(&w->over_count, TRI_SEQ_CST) != 0)
            return true;
    }
    return false;
}

void tri_sched_unparked(struct tr_system *sys)
{
    tri_fetch_sub(&sys->parked_count, 1u, TRI_SEQ_CST);
    /* It may have counted that worker as asleep, whoever woke it. */
    if (!TRI_RACED(UNPARKED_SILENT))
        tri_monitor_wake(sys->monitor);
}

void tri_sched_wake_one(struct tr_system *sys)
{
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        struct tri_worker *w = sys->workers[i];
        uint32_t expected = 1;
        if (tri_load(&w->parked, TRI_RELAXED) == 1 &&
            tri_cas_strong(&w->parked, &expected, 0, TRI_ACQ_REL, TRI_RELAXED)) {
            tri_sched_unparked(sys);
            tri_park_wake(&w->park);
            return;
        }
    }
}

void tri_sched_wake_all(struct tr_system *sys)
{
    for (uint32_t i = 0; i < sys->worker_count; i++)
        tri_park_wake(&sys->workers[i]->park);
}
