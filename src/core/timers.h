/*
 * core/timers.h - timers of actors on the wheels of workers.
 *
 * A timer belongs to its actor. When it is due, the worker that looks at the wheel puts it
 * into the actor's system queue: the timer itself is the queue's node, so that nothing is
 * allocated. Under the wheel's lock a timer is in the wheel or in the queue, never between;
 * that is what makes cancelling from another worker safe.
 */
#ifndef TROUPE_CORE_TIMERS_H
#define TROUPE_CORE_TIMERS_H

#include "core/block.h"
#include "core/wheel.h"

struct tr_ctx;
struct tri_timers;
struct tri_worker;
struct tri_cell;

struct tri_timer {
    struct tri_block sys; /* must be first */
    struct tri_wheel_node node;
    struct tri_timers *home; /* the wheel that it is in or was last */
    struct tri_cell *cell;
    uint64_t due_ns;
    uint64_t period_ns;
    struct tri_block *message; /* sent, or copied when periodic; NULL for internal ones */
    uint64_t id;
    bool armed;  /* in the wheel or in the system queue */
    bool queued; /* in the system queue */
    bool dead;   /* cancelled while queued: to be freed by who takes it out */
};

/* Timers made by tr_after() and tr_every(). */
struct tri_actor_timers {
    struct tri_timer **items;
    uint32_t count;
    uint32_t capacity;
    uint64_t sequence;
};

/* Most timers of one actor. */
#define TRI_TIMERS_MAX 32768u

/* Puts an unarmed timer of ctx->cell on this worker's wheel. */
void tri_timer_arm(struct tr_ctx *ctx, struct tri_timer *timer, uint64_t due_ns);
/* Takes it off again. False: it is on its way in the system queue. */
bool tri_timer_disarm(struct tri_timer *timer);

/* Fires what is due on one wheel, from any worker. */
void tri_timers_fire(struct tr_ctx *ctx, struct tri_timers *timers, uint64_t now_ns);
/* When to look again, in ns of the clock; UINT64_MAX: never. */
uint64_t tri_timers_next_ns(const struct tri_timers *timers);

/* The owner takes a timer of tr_after() or tr_every() out of its system queue. */
void tri_timer_due(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_timer *timer);
/* Ends all timers of the cell (stop or restart). */
void tri_timers_end(struct tr_ctx *ctx, struct tri_cell *cell);
void tri_timer_free(struct tr_ctx *ctx, struct tri_timer *timer);

#endif
