/* The message accounts. */
#include "core/bound.h"
#include "core/cold.h"
#include "core/ports.h"
#include "core/send.h"
#include "core/worker.h"

bool tr_accounts_balance(const struct tr_accounts *a)
{
    uint64_t right = a->processed + a->dropped + a->queued + a->unknown;
    for (int i = 0; i < TR_DEAD_REASON_COUNT; i++)
        right += a->dead[i];
    return a->accepted == right;
}

/* What was put aside is queued: it is added here, and not found by waiting(). */
static void add_counts(struct tr_accounts *sum, const struct tri_counts *c)
{
    sum->queued += tri_load(&c->stashed, TRI_RELAXED);
    sum->accepted += tri_load(&c->accepted, TRI_RELAXED);
    sum->processed += tri_load(&c->processed, TRI_RELAXED);
    uint64_t newest = tri_load(&c->dropped_newest, TRI_RELAXED);
    uint64_t oldest = tri_load(&c->dropped_oldest, TRI_RELAXED);
    sum->dropped_newest += newest;
    sum->dropped_oldest += oldest;
    sum->dropped += tri_load(&c->dropped, TRI_RELAXED) + newest + oldest;
    sum->unknown += tri_load(&c->unknown, TRI_RELAXED);
    for (int i = 0; i < TR_DEAD_REASON_COUNT; i++)
        sum->dead[i] += tri_load(&c->dead[i], TRI_RELAXED);
}

/* Messages waiting in one cell. Exact only if nobody owns the cell, or if its owner asks. */
static uint64_t waiting(struct tr_system *sys, struct tri_cell *cell)
{
    if (!tri_load(&cell->head, TRI_ACQUIRE))
        return 0;
    struct tri_block *stub = tri_cell_stub(cell);
    struct tri_block *block = cell->first;
    bool done = cell->flags & TRI_CELL_FIRST_DONE;
    uint64_t count = cell->flags & TRI_CELL_BOUNDED ? tri_bound_count(sys, cell) : 0;
    for (; block; block = tri_load(&block->next, TRI_ACQUIRE)) {
        if (block != stub && !done)
            count++;
        done = false;
    }
    return count;
}

/* Messages that wait for the actor whose handler asks. */
static uint64_t waiting_for_self(const struct tr_ctx *ctx, struct tri_cell *cell)
{
    const struct tri_block *block = ctx->block;
    if (cell->flags & TRI_CELL_BOUNDED)
        return tri_bound_count(ctx->sys, cell);
    if (ctx->batch)
        return waiting(ctx->sys, cell) - ctx->batch_count;
    if (!block || (cell->cold && cell->cold->stash.current == block))
        return waiting(ctx->sys, cell);
    /* The short path does not write down how far it is, but the message being handled stays in
     * the queue until its handler has returned. */
    uint64_t count = 0;
    while ((block = tri_load(&block->next, TRI_ACQUIRE)))
        count++;
    return count;
}

/* At rest nobody owns a cell: all are idle or held. */
static uint64_t waiting_everywhere(struct tr_system *sys)
{
    uint64_t sum = 0;
    uint32_t count = tri_load(&sys->slots.count, TRI_ACQUIRE);
    for (uint32_t slot = 1; slot < count; slot++) {
        struct tri_cell *cell = tri_slot_cell(&sys->slots, slot);
        /* Held cells are the only ones with mail at rest. */
        if (tri_load(&cell->held, TRI_ACQUIRE))
            sum += waiting(sys, cell);
    }
    return sum;
}

void tr_system_accounts(tr_system *sys, struct tr_accounts *ret)
{
    *ret = (struct tr_accounts){0};
    for (uint32_t i = 0; i < sys->worker_count; i++)
        add_counts(ret, &sys->workers[i]->ctx.counts);
    tri_mutex_lock(&sys->outside_lock);
    for (uint32_t i = 0; i < TR_OUTSIDE_MAX; i++) {
        if (sys->outside[i])
            add_counts(ret, &sys->outside[i]->counts);
    }
    tri_mutex_unlock(&sys->outside_lock);
    const struct tri_transport *transport = tri_load(&sys->transport, TRI_ACQUIRE);
    uint64_t pending = transport ? transport->pending(transport->self) : 0;
    if (pending > ret->processed) /* They were read one after the other. */
        pending = ret->processed;
    ret->processed -= pending;
    ret->queued += pending;
    if (tri_system_at_rest(sys)) {
        ret->queued += waiting_everywhere(sys);
        return;
    }
    /* While messages flow, what is not yet accounted for must be on its way. */
    uint64_t accepted = ret->accepted;
    ret->accepted = 0;
    uint64_t rest = ret->processed + ret->dropped + ret->unknown;
    for (int i = 0; i < TR_DEAD_REASON_COUNT; i++)
        rest += ret->dead[i];
    ret->accepted = accepted > rest ? accepted : rest;
    ret->queued = ret->accepted - rest;
}

tr_err tr_actor_accounts(tr_ctx *ctx, tr_pid pid, struct tr_accounts *ret)
{
    struct tri_cell *cell = tri_pid_cell(&ctx->sys->slots, pid);
    if (!cell)
        return TR_ENOACTOR;
    uint64_t done = cell->taken;
    *ret = (struct tr_accounts){.processed = done - cell->refused};
    const struct tri_cold *cold = cell->cold;
    if (cold) {
        for (int i = 0; i < TR_DEAD_REASON_COUNT; i++)
            ret->dead[i] = cold->dead[i];
    } else {
        ret->dead[TR_DEAD_UNHANDLED] = cell->refused;
    }
    if (ctx->cell == cell)
        ret->queued = waiting_for_self(ctx, cell);
    else if (tri_load(&cell->held, TRI_ACQUIRE))
        ret->queued = waiting(ctx->sys, cell);
    ret->queued += tri_stash_waiting(cell);
    ret->accepted = done + ret->queued;
    if (pid.bits >> 32 & TRI_GEN_BOUNDED)
        tri_bound_accounts(ctx->sys, cell, ret);
    return TR_OK;
}
