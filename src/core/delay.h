/*
 * core/delay.h - who waits for whose mailbox (TR_DELAY).
 *
 * An edge goes from an actor that is not run to the one whose mailbox it overfilled. All edges
 * of a system are kept under one lock, and an edge that would close a circle is not made, so
 * there is always somebody at the end of each chain who runs, drains its mailbox, and lets the
 * others go on (docs/adr/0005). The lock is taken once per delay and once per release, never
 * for a message. Order of locks: this one, then a tri_bound's.
 */
#ifndef TROUPE_CORE_DELAY_H
#define TROUPE_CORE_DELAY_H

#include "core/bound.h"

/* Edges looked at for a circle; beyond that one is assumed, and the sender not delayed. */
#define TRI_DELAY_LOOK_MAX 4096u

struct tri_delays *tri_delays_create(void);
void tri_delays_destroy(struct tri_delays *delays);

/* The current actor's message `number` overfilled the mailbox of `to`: the actor is held after
 * this handler, unless that would close a circle or `to` has caught up already. */
void tri_delay_sender(struct tr_ctx *ctx, tr_pid to, struct tri_bound *bound, uint64_t number);
/* Owner of the mailbox: lets go on who may; `all`: it is closed. */
void tri_delay_release(struct tr_ctx *ctx, struct tri_bound *bound, bool all);
/* True if the actor waits for nobody any more. */
bool tri_delay_over(struct tr_ctx *ctx, tr_pid sender);
/* The actor has ended: it waits for nobody. */
void tri_delay_forget(struct tr_ctx *ctx, tr_pid sender);

#endif
