/*
 * core/request.h - questions and answers inside the runtime.
 *
 * A request costs a place in its actor's table of calls and nothing else: no timer is armed
 * and nobody is watched per call. One timer of the actor walks the table now and then; calls
 * that are open for longer than TRI_CALL_GRACE_NS are then backed by a watch on their target,
 * so that its end is noticed.
 */
#ifndef TROUPE_CORE_REQUEST_H
#define TROUPE_CORE_REQUEST_H

#include "core/cold.h"

/* The message behind tr_touch(); a block of it has TRI_BLOCK_POISON: handlers never see it. */
extern const struct tr_type tri_touch_type;

#define TRI_CALL_GRACE_NS 20000000u
#define TRI_TIMEOUT_MS_DEFAULT 5000u

/* True if the call was open: it is now over, and the answer may be handled. */
TRI_HOT_INLINE bool tri_request_answered(struct tri_cell *cell, uint64_t call)
{
    return cell->cold && tri_calls_end(&cell->cold->calls, call);
}

/* Opens a call of the current actor that something else than an actor will answer; 0: no room. */
uint64_t tri_request_open(struct tr_ctx *ctx, unsigned timeout_ms);
/* Tells the sender of a request that it failed. */
void tri_request_fail(struct tr_ctx *ctx, struct tri_block *block, tr_pid to, tr_err reason);
/* A tr_touch has been reached: answers it. */
void tri_request_touched(struct tr_ctx *ctx, const struct tri_block *block);
/* The actor's call timer. */
void tri_request_tick(struct tr_ctx *ctx, struct tri_cell *cell);
/* An actor that calls wait for has ended, or cannot be reached any more. */
void tri_request_gone(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid who, tr_err reason);
/* The number of the open call whose lower half is `low`, as an answer from another node has it;
 * 0: none. Numbers are not reused before 65,536 more calls of the same actor. */
uint64_t tri_request_number(const struct tri_cell *cell, uint32_t low);
/* The receive timeout's timer (timers.c). */
void tri_idle_tick(struct tr_ctx *ctx, struct tri_cell *cell);

#endif
