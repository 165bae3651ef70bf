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

#define TRI_CALL_GRACE_NS 20000000u
#define TRI_TIMEOUT_MS_DEFAULT 5000u

/* True if the call was open: it is now over, and the answer may be handled. */
TRI_HOT_INLINE bool tri_request_answered(struct tri_cell *cell, uint64_t call)
{
    return cell->cold && tri_calls_end(&cell->cold->calls, call);
}

/* Tells the sender of a request that it failed. */
void tri_request_fail(struct tr_ctx *ctx, struct tri_block *block, tr_pid to, tr_err reason);
/* The actor's call timer. */
void tri_request_tick(struct tr_ctx *ctx, struct tri_cell *cell);
/* An actor that calls wait for has ended. */
void tri_request_gone(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid who);
/* The receive timeout's timer (timers.c). */
void tri_idle_tick(struct tr_ctx *ctx, struct tri_cell *cell);

#endif
