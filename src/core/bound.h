/*
 * core/bound.h - bounded mailboxes.
 *
 * The messages of an actor with a bound do not go through the lock-free queue but wait in a list
 * under a spin lock. So the bound is exact, the oldest can be dropped by whoever sends, and no
 * memory is held by messages that are dropped already. Others pay nothing for it: a sender sees
 * TRI_GEN_BOUNDED in the PID and leaves the short path.
 *
 * The list belongs to one tenant, named by `gen`, so there are no stale messages in it. Who puts
 * a message into an empty list makes the cell runnable as the sender of a system message does.
 */
#ifndef TROUPE_CORE_BOUND_H
#define TROUPE_CORE_BOUND_H

#include "core/ctx.h"
#include "core/slots.h"

struct tri_delay;

/* One per slot that ever had such a tenant; kept, since senders may come late. */
struct tri_bound {
    struct tri_spin lock; /* guards all that is not marked shared */
    uint32_t gen;         /* of the tenant; 0: closed */
    struct tri_block *first;
    struct tri_block *last;
    TRI_ATOMIC(uint32_t) count; /* shared: all that wait; written under the lock */
    uint32_t waiting;           /* those that count against `max` */
    uint32_t max;
    uint32_t delayed; /* senders that wait for this mailbox */
    enum tr_overflow overflow;
    const struct tr_overflow_rule *rules;
    const struct tr_actor *actor;
    /* Numbers of messages: put in ever, out ever, and `out` at which a sender may go on. */
    uint64_t in;
    uint64_t out;
    uint64_t release_at;
    uint64_t dropped_newest;
    uint64_t dropped_oldest;
    uint64_t refused;
    struct tri_delay *waiters; /* under the lock of the delays, oldest first */
    struct tri_delay *waiters_last;
};

/* Most messages that TR_DROP_OLDEST passes over to find one that it may drop. */
#define TRI_BOUND_LOOK_MAX 64u

/* TR_EINVAL if the policies do not fit the actor; *error then says which. */
tr_err tri_bound_check(const struct tr_spawn_args *args, const struct tr_actor *actor,
                       struct tr_error *error);
/* Opens the bounded mailbox of a new tenant. False when out of memory. */
bool tri_bound_open(struct tr_ctx *ctx, struct tri_cell *cell, const struct tr_spawn_args *args);
/* The tenant has ended: what waits becomes dead letters, and who waits goes on. */
void tri_bound_close(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid self);

/* Owner: another bound from now on; what is above it is dropped if the policy is to drop the oldest. */
void tri_bound_limit(struct tr_ctx *ctx, struct tri_cell *cell, uint32_t max);

/* Delivers to a PID with TRI_GEN_BOUNDED; `block` is taken. */
void tri_bound_deliver(struct tr_ctx *ctx, tr_pid to, struct tri_cell *cell,
                       struct tri_block *block);
/* TR_EFULL, TR_ENOACTOR: the block stays the caller's, as it does with `only_look`. */
tr_err tri_bound_try(struct tr_ctx *ctx, tr_pid to, struct tri_cell *cell, struct tri_block *block,
                     bool only_look);

/* Owner: takes out the oldest message, or as many of `batch_type` as follow each other, up to
 * `max`. How many; 0: none waits. */
uint32_t tri_bound_take(struct tr_ctx *ctx, struct tri_cell *cell, const struct tr_type *batch_type,
                        struct tri_block **ret_blocks, uint32_t max);

/* Messages waiting now; any thread. */
uint32_t tri_bound_count(struct tr_system *sys, struct tri_cell *cell);
/* Adds what was dropped and refused before it reached the actor. */
void tri_bound_accounts(struct tr_system *sys, struct tri_cell *cell, struct tr_accounts *accounts);

/* True while a sender with that message number has to wait. Under the lock. */
static inline bool tri_bound_congested(const struct tri_bound *bound, uint64_t number)
{
    return bound->out < number && bound->waiting > bound->max / 2;
}

#endif
