/*
 * core/turn.h - one turn of one actor.
 */
#ifndef TROUPE_CORE_TURN_H
#define TROUPE_CORE_TURN_H

#include "base/assert.h"
#include "core/ctx.h"

/* A turn ends after so many messages, */
#define TRI_TURN_MESSAGES 1024u
/* or so many sends: a producer that floods yields while its messages are still warm in the
 * cache, so that the pool recycles them (counting with a warm pool: 26 ns without, 9 with). */
#define TRI_TURN_SENDS 1000u

/* Runs a cell that the caller owns, until it is idle, held, ended, or its turn is over; then
 * it is queued again. Returns how many messages were handled. */
uint64_t tri_turn(struct tr_ctx *ctx, struct tri_cell *cell, uint64_t messages_max);

/* The same for a worker that then goes on with what the actor handed over, and so on; at most
 * turns_max turns. Returns how many it were. */
uint32_t tri_turn_chain(struct tri_worker *worker, struct tri_cell *cell, uint32_t turns_max);

/* One message, or one batch, of a stepped system; never on the short path. */
uint64_t tri_turn_stepped(struct tr_ctx *ctx, struct tri_cell *cell);

/* Its rare half: a system message came while the cell was on its way out. */
__attribute__((cold)) void tri_turn_rescue(struct tr_ctx *ctx, struct tri_cell *cell);

/* Makes sure that a cell which just went idle or was held does not miss a system message. */
TRI_HOT_INLINE void tri_turn_recheck(struct tr_ctx *ctx, struct tri_cell *cell)
{
    /* Sequentially consistent, after the store that made the cell idle or held: the sender of
     * a system message does it the other way round, so one of the two sees the other. */
    if (TRI_UNLIKELY(tri_load(&cell->sys, TRI_SEQ_CST) != NULL))
        tri_turn_rescue(ctx, cell);
}

#endif
