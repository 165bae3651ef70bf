#include "core/worker.h"

#include "core/rescue.h"
#include "core/sched.h"
#include "core/slots.h"
#include "core/stepped.h"
#include "core/timers.h"
#include "core/turn.h"
#include "os/clock.h"

/* A look at the clock about every so many microseconds, at most every LOOK_TURNS turns. */
#define LOOK_US 20u
#define LOOK_TURNS 1024u
/* Failed looks for work before a worker parks. */
#ifndef TRI_LOOKS_MAX /* The interleaving tests make it small. */
#define TRI_LOOKS_MAX 200u
#endif
/* After so many searches in a row without success a worker looks for an eighth of that, but for every
 * SEARCH_AGAIN-th time: where work comes from outside, later than a search takes, searching is what
 * the threads that bring it have to wait for. */
#define SEARCHES_IN_VAIN_MAX 4u
#define SEARCH_AGAIN 16u
/* How long a worker sleeps before it gives memory back. */
#define TRIM_NS 100000000
/* A table with more cells than that is worth trimming. */
#define TRIM_SLOTS 16384u

/* Operations that a look must have seen to tell what one costs. */
#define OPS_MIN 16u
/* A look that took so many times what it was to take was not spent at work. */
#define PREEMPTED 8u

/* Sent, handled, begun, ended. */
static uint64_t operations(const struct tri_worker *w)
{
    return tri_worker_done(w) + tri_load(&w->ctx.counts.accepted, TRI_RELAXED);
}

/* What operations have cost lately, and what that says about sharing the work. */
static void weigh_sharing(struct tri_worker *w, uint64_t now, uint64_t passed)
{
    struct tr_system *sys = w->ctx.sys;
    uint64_t ops = operations(w) - w->look_ops;
    struct tri_sharing_look look = {.now = now, .cycles_per_us = tri_cycles_per_us()};
    w->look_ops += ops;
    if (ops >= OPS_MIN && passed < PREEMPTED * LOOK_US * look.cycles_per_us) {
        uint64_t cost = TRI_SHARING_COST(passed) / ops;
        look.cost = cost < UINT32_MAX ? (uint32_t)cost + 1 : UINT32_MAX;
        uint32_t before = tri_load(&w->op_cost, TRI_RELAXED);
        uint32_t lately = before ? before / 4 * 3 + look.cost / 4 + 1 : look.cost;
        tri_store(&w->op_cost, lately, TRI_RELAXED);
    }
    if (tri_load(&sys->parked_count, TRI_RELAXED) + 1 >= tri_load(&sys->active, TRI_RELAXED)) {
        look.awake = 1;
        tri_sharing_note(&sys->sharing, &look);
        return;
    }
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        uint32_t cost = tri_load(&sys->workers[i]->op_cost, TRI_RELAXED);
        look.awake += cost != 0;
        look.rate += cost ? TRI_SHARING_RATE / cost : 0;
    }
    if (look.awake <= 1) /* The others are awake, but have nothing to do: that tells nothing. */
        look.cost = 0;
    tri_sharing_note(&sys->sharing, &look);
}

/* What a place in the ring costs, and when to look again. After a sleep nothing is known, so the
 * first looks come soon: 1, 3, 7 turns. */
static void measure(struct tri_worker *w)
{
    uint64_t cycles = tri_cycles();
    uint64_t passed = cycles - w->look_cycles;
    uint32_t turns = w->turns_per_look;
    w->look_cycles = cycles;
    if (!w->ctx.sys->alone)
        weigh_sharing(w, cycles, turns ? passed : UINT64_MAX);
    if (turns == 0) {
        w->turns_per_look = 1;
        return;
    }
    uint64_t per_pop = passed / (w->pops ? w->pops : 1);
    uint64_t before = tri_load(&w->turn_cycles, TRI_RELAXED);
    /* One look in which the thread was preempted says nothing about the turns: grow slowly. */
    if (per_pop > 2 * before + 64)
        per_pop = 2 * before + 64;
    uint64_t average = (3 * before + per_pop) / 4;
    /* Relaxed: thieves and the waker take it as a hint. */
    tri_store(&w->turn_cycles, average < UINT32_MAX ? (uint32_t)average : UINT32_MAX, TRI_RELAXED);
    uint64_t budget = LOOK_US * tri_cycles_per_us() / (passed / turns + 1);
    uint64_t most = 2 * (uint64_t)w->turns_per_look + 1;
    budget = budget < most ? budget : most;
    w->turns_per_look = budget < 1 ? 1 : budget > LOOK_TURNS ? LOOK_TURNS : (uint32_t)budget;
    w->pops = 0;
}

static bool fire_all_timers(struct tri_worker *w)
{
    struct tr_system *sys = w->ctx.sys;
    w->now_ns = tri_sys_mono_ns(sys);
    for (uint32_t i = 0; i < sys->worker_count; i++)
        tri_timers_fire(&w->ctx, &sys->workers[i]->timers, w->now_ns);
    return w->handoff != NULL;
}

/* Work from elsewhere. If it is all that there is nobody else is woken for it: this worker is awake,
 * and runs it now. */
static __attribute__((noinline)) void run_next(struct tri_worker *w, struct tri_cell *cell)
{
    if (!w->handoff && tri_sched_length(w) == 0)
        w->handoff = cell;
    else
        tri_sched_push(w, cell);
}

void tri_worker_look(struct tri_worker *w)
{
    struct tr_system *sys = w->ctx.sys;
    /* Relaxed: only this thread sets it, except that it was replaced; then it looks again. */
    if (TRI_UNLIKELY(tri_load(&w->lost, TRI_RELAXED) != TRI_LOST_NOT))
        tri_rescue_returned(w);
    if (!sys->config.manual)
        measure(w);
    w->turns_to_look = w->turns_per_look ? w->turns_per_look : 1;
    w->now_ns = tri_sys_mono_ns(sys);
    tri_timers_fire(&w->ctx, &w->timers, w->now_ns);
    if (TRI_UNLIKELY(tri_load(&sys->rescued, TRI_RELAXED)))
        (void)fire_all_timers(w);
    struct tri_cell *cell = tri_sched_take_injected(w);
    if (cell)
        run_next(w, cell);
}

/* Manual systems: one turn at a time. Threaded ones: as long as it stays a chain. */
static struct tri_cell *next_cell(struct tri_worker *w)
{
    struct tri_cell *cell = w->handoff;
    if (cell) {
        if (w->handoffs < TRI_HANDOFFS_MAX)
            return cell;
        w->handoffs = 0;
        if (!tri_sched_waiting(w))
            return cell;
        w->handoff = NULL;
        tri_sched_push(w, cell); /* Others have waited long enough. */
    }
    w->handoffs = 0;
    cell = tri_sched_pop(w);
    w->pops++;
    return cell ? cell : tri_sched_take_injected(w);
}

uint64_t tri_worker_step(struct tri_worker *w, uint64_t messages_max)
{
    if (w->ctx.sys->stepped)
        return tri_stepped_step(w);
    if (w->turns_to_look == 0)
        tri_worker_look(w);
    struct tri_cell *cell = next_cell(w);
    if (!cell)
        return UINT64_MAX;
    if (cell == w->handoff)
        w->handoff = NULL;
    w->handoffs++;
    w->turns_to_look--;
    return tri_turn(&w->ctx, cell, messages_max);
}

/* Runs a cell and what comes of it; false if there is none. */
static bool run_some(struct tri_worker *w)
{
    if (TRI_UNLIKELY(w->turns_to_look == 0))
        tri_worker_look(w);
    struct tri_cell *cell = next_cell(w);
    if (!cell)
        return false;
    uint32_t most = TRI_HANDOFFS_MAX - w->handoffs;
    uint32_t done = tri_turn_chain(w, cell, most < w->turns_to_look ? most : w->turns_to_look);
    w->handoffs += done;
    w->turns_to_look -= done;
    return true;
}

/* ---- Looking for work ---------------------------------------------------- */

static struct tri_cell *search(struct tri_worker *w)
{
    struct tr_system *sys = w->ctx.sys;
    struct tri_cell *cell = NULL;
    bool brief = w->searched_in_vain > SEARCHES_IN_VAIN_MAX &&
                 w->searched_in_vain % SEARCH_AGAIN != 0;
    uint32_t looks = brief ? TRI_LOOKS_MAX / 8 + 1 : TRI_LOOKS_MAX;
    tri_fetch_add(&sys->searching, 1u, TRI_RELAXED); /* A hint for wakers. */
    tri_store(&w->op_cost, 0u, TRI_RELAXED);
    for (uint32_t look = 0; look < looks && !cell; look++) {
        if (look % 32 == 0 && fire_all_timers(w)) {
            cell = w->handoff;
            w->handoff = NULL;
            break;
        }
        cell = tri_sched_take_injected(w);
        if (!cell && !sys->alone) {
            cell = tri_sched_steal(w);
        } else if (!cell) {
            break; /* Alone: nobody's work will turn up by looking. */
        }
        if (!cell && look + 1 < looks)
            tri_pause();
        if (tri_load(&sys->quit, TRI_RELAXED))
            break;
    }
    w->searched_in_vain = cell ? 0 : w->searched_in_vain + 1;
    tri_fetch_sub(&sys->searching, 1u, TRI_RELAXED);
    return cell;
}

/* ---- Parking ------------------------------------------------------------- */

static int64_t sleep_ns(struct tri_worker *w, bool trim)
{
    struct tr_system *sys = w->ctx.sys;
    uint64_t due = UINT64_MAX;
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        uint64_t next = tri_timers_next_ns(&sys->workers[i]->timers);
        due = next < due ? next : due;
    }
    uint64_t now = tri_sys_mono_ns(sys);
    int64_t wait = -1;
    if (due != UINT64_MAX)
        wait = due > now ? (int64_t)(due - now) : 0;
    if (trim && (wait < 0 || wait > TRIM_NS))
        wait = TRIM_NS;
    return wait;
}

void tri_worker_tell_rest(struct tr_system *sys)
{
    if (tri_load(&sys->rest_waiters, TRI_SEQ_CST) == 0)
        return;
    tri_mutex_lock(&sys->rest_lock);
    tri_cond_broadcast(&sys->rest_cond);
    tri_mutex_unlock(&sys->rest_lock);
}

/* Takes back being parked; false: a waker did it already. */
static bool unpark(struct tri_worker *w)
{
    uint32_t expected = 1;
    if (!tri_cas_strong(&w->parked, &expected, 0u, TRI_ACQ_REL, TRI_RELAXED))
        return false;
    tri_sched_unparked(w->ctx.sys);
    return true;
}

static void park(struct tri_worker *w)
{
    struct tr_system *sys = w->ctx.sys;
    /* Relaxed: this thread left it; who was replaced does not sleep in the other one's place, but
     * goes off duty. */
    if (TRI_UNLIKELY(tri_load(&w->lost, TRI_RELAXED) != TRI_LOST_NOT)) {
        tri_rescue_returned(w);
        return;
    }
    bool trim = w->ctx.pool.chunk_count > TRI_POOL_SMALL_CHUNKS ||
                tri_load(&sys->slots.count, TRI_RELAXED) > TRIM_SLOTS;
    tri_pool_flush(&w->ctx.pool);
    tri_store(&w->parked, 1u, TRI_SEQ_CST);
    tri_fetch_add(&sys->parked_count, 1u, TRI_SEQ_CST);
    /* After counting ourselves: who injects work does it the other way round. */
    if (tri_load(&sys->inject_count, TRI_SEQ_CST) != 0 || tri_load(&sys->quit, TRI_SEQ_CST)) {
        (void)unpark(w);
        return;
    }
    tri_worker_tell_rest(sys);
    tri_count(&w->parks, 1);
    bool woken = tri_park_wait(&w->park, sleep_ns(w, trim));
    (void)unpark(w);
    if (!woken && trim) {
        tri_pool_trim(&w->ctx.pool);
        tri_slots_trim(w);
    }
    w->turns_to_look = 0; /* The clock first: timers may be due. */
    w->turns_per_look = 0;
    w->pops = 0;
    w->look_cycles = tri_cycles();
}

void tri_worker_main(void *arg)
{
    struct tri_worker *w = arg;
    struct tr_system *sys = w->ctx.sys;
    tri_rescue_enter(w);
    tri_rescue_await(w); /* A spare starts off duty. */
    w->look_cycles = tri_cycles();
    while (!tri_load(&sys->quit, TRI_RELAXED)) {
        if (run_some(w))
            continue;
        struct tri_cell *cell = search(w);
        if (cell)
            run_next(w, cell);
        else
            park(w);
    }
}

bool tri_system_at_rest(struct tr_system *sys)
{
    if (tri_load(&sys->offload_pending, TRI_SEQ_CST) != 0)
        return false;
    if (sys->stepped && sys->stepped->count > 0)
        return false;
    if (sys->config.manual)
        return sys->workers[0]->handoff == NULL && !tri_sched_any(sys);
    return tri_load(&sys->parked_count, TRI_SEQ_CST) == tri_load(&sys->active, TRI_SEQ_CST) &&
           !tri_sched_any(sys);
}
