/*
 * core/sched.h - which cell runs next, and where.
 *
 * Each worker has a hand-off place, a ring that others steal from, and a list for what does
 * not fit. The hand-off place holds the cell that the current actor made runnable last: a
 * chain of messages stays on its core (ping-pong on two workers: 8 ns with it, 121 without).
 */
#ifndef TROUPE_CORE_SCHED_H
#define TROUPE_CORE_SCHED_H

#include "core/ctx.h"

/* Most hand-offs in a row before the ring gets its turn. */
#define TRI_HANDOFFS_MAX 64u

void tri_sched_inject(struct tr_system *sys, struct tri_cell *cell);
void tri_sched_push(struct tri_worker *worker, struct tri_cell *cell);
struct tri_cell *tri_sched_pop(struct tri_worker *worker);
/* Work of another worker; NULL if there is none worth moving. What waits behind a worker that is
 * stuck in one turn is always worth it. */
struct tri_cell *tri_sched_steal(struct tri_worker *worker);
struct tri_cell *tri_sched_take_injected(struct tri_worker *worker);

/* True if some queue of the system holds work. */
bool tri_sched_any(const struct tr_system *sys);
/* A worker was parked and is not any more: counts it out, and sees to it that it is watched. By
 * whoever took its `parked` back. */
void tri_sched_unparked(struct tr_system *sys);
void tri_sched_wake_one(struct tr_system *sys);
void tri_sched_wake_all(struct tr_system *sys);

/* Cells waiting in the worker's queues, about. */
uint32_t tri_sched_length(const struct tri_worker *worker);

/* True if something waits in this worker's queues or for any worker. Relaxed: a hint; what is
 * missed now is seen at the next look. */
static inline bool tri_sched_waiting(const struct tri_worker *worker)
{
    return tri_load(&worker->ring_head, TRI_RELAXED) != tri_load(&worker->ring_tail, TRI_RELAXED) ||
           tri_load(&worker->over_count, TRI_RELAXED) != 0 ||
           tri_load(&worker->ctx.sys->inject_count, TRI_RELAXED) != 0;
}

/* `cell` was made runnable by `ctx`, who owns it. */
static inline void tri_schedule(struct tr_ctx *ctx, struct tri_cell *cell)
{
    struct tri_worker *worker = ctx->worker;
    if (!worker) {
        tri_sched_inject(ctx->sys, cell);
        return;
    }
    struct tri_cell *before = worker->handoff;
    worker->handoff = cell;
    if (before)
        tri_sched_push(worker, before);
}

#endif
