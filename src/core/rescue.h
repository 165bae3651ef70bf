/*
 * core/rescue.h - a worker that is stuck in a handler is looked at, and replaced.
 *
 * The monitor sees that a worker gets nothing done and pokes its thread. On that thread, in a
 * signal handler and only while the runtime is not in the middle of anything there, the worker
 * says what it is doing; a contained handler is ended on the spot. Otherwise the worker gives up
 * its hand-off place (its ring is there for thieves anyway), and the monitor sends a spare into
 * its place, so that as many workers run as before. When the handler returns after all, its
 * worker goes off duty and is a spare itself.
 *
 * Where signals cannot be used (os/fault.h) the others steal from the ring as ever, and that is
 * all.
 */
#ifndef TROUPE_CORE_RESCUE_H
#define TROUPE_CORE_RESCUE_H

#include "core/ctx.h"

/* tri_worker.lost */
enum { TRI_LOST_NOT, TRI_LOST_GAVE_UP, TRI_LOST_REPLACED };

/* What changes whenever the worker gets anything done. */
uint64_t tri_worker_done(const struct tri_worker *w);

/* The calling thread runs `w`. */
void tri_rescue_enter(struct tri_worker *w);

/* The monitor: `w` has not got beyond `done` for too long. `loops`: because it computes, not
 * because it does not get a processor; then a contained handler is ended. False: it cannot be
 * looked at. */
bool tri_rescue_poke(struct tri_worker *w, uint64_t done, bool loops);
/* True once a poked worker was seen; `text` then says what it does. */
bool tri_rescue_sight(struct tri_worker *w, char *text, size_t size);
/* Sends a spare for a worker that gave up its place. False: there is none. */
bool tri_rescue_replace(struct tri_worker *w);
/* The monitor: forgets the sight. */
void tri_rescue_over(struct tri_worker *w);

/* The worker itself, back from a handler that took too long: off duty, until it is needed or the
 * system ends, if it was replaced. */
void tri_rescue_returned(struct tri_worker *w);
/* The worker itself: waits until it is on duty, or the system ends. */
void tri_rescue_await(struct tri_worker *w);

#endif
