/*
 * core/life.h - the life of an actor: start, failure, restart, end. The caller owns the cell.
 */
#ifndef TROUPE_CORE_LIFE_H
#define TROUPE_CORE_LIFE_H

#include "core/ctx.h"
#include "core/send.h"

/* Handles all system messages that are there. */
void tri_life_drain_sys(struct tr_ctx *ctx, struct tri_cell *cell);

void tri_life_init(struct tr_ctx *ctx, struct tri_cell *cell);
/* The handler or init returned `err`: suspends the actor and tells its supervisor. */
void tri_life_failed(struct tr_ctx *ctx, struct tri_cell *cell, tr_err err);
/* All children have ended: away with the old state. */
void tri_life_restart(struct tr_ctx *ctx, struct tri_cell *cell);
/* Begins the end: children first. */
void tri_life_stop(struct tr_ctx *ctx, struct tri_cell *cell, tr_err reason);
/* The end. The cell is not the caller's any more. */
void tri_life_end(struct tr_ctx *ctx, struct tri_cell *cell);
/* The same for an actor that stopped itself and has only the flags that say so, if nothing hangs
 * on it: no children, no watchers, no hooks. `done` is the message just handled, at the front of
 * the queue. False: something does. */
bool tri_life_end_plain(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *done);
/* A cell without a tenant has mail: all of it becomes dead letters. */
void tri_life_turn_away(struct tr_ctx *ctx, struct tri_cell *cell);

/* Puts a cell at the end of this worker's queue. */
void tri_life_requeue(struct tr_ctx *ctx, struct tri_cell *cell);

/* The supervisor's half: a child has failed (supervisor.c). */
void tri_life_child_failed(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid child, tr_err err);

/* Where the copy of the spawn argument lies. */
static inline void *tri_life_arg(const struct tri_cell *cell)
{
    return (char *)cell->data + ((cell->actor->state_size + 7) & ~(size_t)7);
}

/* Frees the state block of a cell. */
static inline void tri_life_free_data(struct tr_ctx *ctx, struct tri_cell *cell)
{
    if (!cell->data)
        return;
    if (TRI_UNLIKELY(cell->size_class == TRI_POOL_HUGE))
        tri_pool_unmap_huge(&ctx->sys->limit, cell->data);
    else
        tri_pool_put(&ctx->pool, cell->data, cell->owner, cell->size_class);
    cell->data = NULL;
}

#endif
