#include "core/turn.h"

#include "base/assert.h"
#include "core/cold.h"
#include "core/life.h"
#include "core/mailbox.h"
#include "core/request.h"
#include "core/send.h"

/* ---- One message --------------------------------------------------------- */

static inline void show_message(struct tr_ctx *ctx, struct tri_block *block)
{
    struct tri_block *payload = tri_block_payload(block);
    ctx->block = block;
    ctx->msg.type = block->type;
    ctx->msg.body = tri_block_body(payload);
    ctx->msg.size = tri_block_size(payload);
}

/* True: `block` is for this actor's handler. False: it was dealt with, and freed. */
static bool admit(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    if (tri_load(&block->gen, TRI_RELAXED) != ctx->gen)
        return false;
    if (block->flags & TRI_BLOCK_POISON) {
        cell->flags |= TRI_CELL_STOP;
        ctx->attention = true;
        return false;
    }
    if ((block->flags & TRI_BLOCK_REPLY) && block->call && !tri_request_answered(cell, block->call))
        return false;
    return true;
}

/* Counts a message that was not admitted. The block stays in the queue as its end. */
static void refuse(struct tr_ctx *ctx, struct tri_block *block)
{
    tr_pid to = tri_ctx_self(ctx);
    enum tr_dead_reason reason = TR_DEAD_LATE;
    if (block->flags & TRI_BLOCK_POISON) {
        tri_count(&ctx->counts.processed, 1);
        return;
    }
    ctx->cell->refused++;
    if (tri_load(&block->gen, TRI_RELAXED) != ctx->gen) {
        reason = TR_DEAD_NO_ACTOR;
        to = (tr_pid){(uint64_t)tri_load(&block->gen, TRI_RELAXED) << 32 | ctx->cell->slot};
        if (block->flags & TRI_BLOCK_REQUEST)
            tri_request_fail(ctx, block, to, TR_ENOACTOR);
    } else if (ctx->cell->cold) {
        ctx->cell->cold->dead[reason]++;
    }
    tri_dead_letter_event(ctx, to, block->from, block->type, reason);
}

static void note_unhandled(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    ctx->unhandled = false;
    cell->refused++;
    struct tri_cold *cold = tri_cold(cell);
    if (cold)
        cold->dead[TR_DEAD_UNHANDLED]++;
    if (block->flags & TRI_BLOCK_REQUEST)
        tri_request_fail(ctx, block, tri_ctx_self(ctx), TR_EUNHANDLED);
    tri_dead_letter_event(ctx, tri_ctx_self(ctx), block->from, block->type, TR_DEAD_UNHANDLED);
}

static void bound_give(struct tri_cell *cell, struct tri_block *block)
{
    if (tri_load(&block->gen, TRI_RELAXED) & TRI_GEN_BOUNDED)
        tri_fetch_sub(&tri_cell_bound(cell)->waiting, 1u, TRI_RELAXED);
}

/* Handles one message whatever its flags; the error of the handler. */
static tr_err handle_one(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    cell->taken++;
    if (tri_load(&block->gen, TRI_RELAXED) == ctx->gen)
        bound_give(cell, block);
    if (!admit(ctx, cell, block)) {
        refuse(ctx, block);
        return TR_OK;
    }
    show_message(ctx, block);
    tr_err err = cell->actor->receive(ctx, cell->data, &ctx->msg);
    if (ctx->unhandled)
        note_unhandled(ctx, cell, block);
    else
        tri_count(&ctx->counts.processed, 1);
    ctx->block = NULL;
    return err;
}

/* ---- The short path ------------------------------------------------------ */

void tri_turn_recheck(struct tr_ctx *ctx, struct tri_cell *cell)
{
    /* Sequentially consistent, after the store that made the cell idle or held: the sender of
     * a system message does it the other way round, so one of the two sees the other. */
    if (!tri_load(&cell->sys, TRI_SEQ_CST))
        return;
    uint32_t held = 1;
    if (tri_mailbox_claim(cell) || tri_cas_strong(&cell->held, &held, 0u, TRI_SEQ_CST, TRI_RELAXED))
        tri_schedule(ctx, cell);
}

struct tally {
    uint64_t handled; /* by the handler, since the counts were last written */
    uint64_t total;
};

static inline void write_tally(struct tr_ctx *ctx, struct tri_cell *cell, struct tally *tally)
{
    cell->taken += tally->handled;
    tri_count(&ctx->counts.processed, tally->handled);
    tally->total += tally->handled;
    tally->handled = 0;
}

/* After a handler of the short path that failed, did not handle its message, or stopped. */
static void settle(struct tr_ctx *ctx, struct tri_cell *cell, struct tally *tally,
                   struct tri_block *block, tr_err err)
{
    write_tally(ctx, cell, tally);
    if (ctx->unhandled) {
        uint64_t processed = tri_load(&ctx->counts.processed, TRI_RELAXED);
        tri_store(&ctx->counts.processed, processed - 1, TRI_RELAXED);
        note_unhandled(ctx, cell, block);
    }
    if (err)
        tri_life_failed(ctx, cell, err);
}

enum leave { LEAVE_IDLE, LEAVE_TURN_OVER, LEAVE_ODD };

/* Flags that the short path handles itself. */
#define PLAIN_FLAGS TRI_BLOCK_REQUEST

/*
 * The path of nearly all messages: plain ones, to a running actor, whose handlers succeed.
 * At LEAVE_ODD, cell->first is the message just handled (TRI_CELL_FIRST_DONE) or the next.
 */
static enum leave turn_short(struct tr_ctx *ctx, struct tri_cell *cell, struct tally *tally,
                             uint64_t max)
{
    struct tri_block *block = cell->first;
    tr_err (*receive)(tr_ctx *, void *, const tr_msg *) = cell->actor->receive;
    void *data = cell->data;
    uint32_t gen = ctx->gen;
    uint64_t sends_max = tri_load(&ctx->counts.accepted, TRI_RELAXED) + TRI_TURN_SENDS;
    struct tri_block *next;

    if (block == tri_cell_stub(cell)) {
        next = tri_mailbox_next(cell, block);
        if (!next)
            return LEAVE_IDLE;
        tri_store(&cell->stub, NULL, TRI_RELAXED); /* Clean for its next use. */
        block = next;
    }
    for (;;) {
        if (TRI_UNLIKELY(tri_load(&block->gen, TRI_RELAXED) != gen ||
                         (block->flags & ~PLAIN_FLAGS) || (gen & TRI_GEN_BOUNDED))) {
            write_tally(ctx, cell, tally);
            tr_err err = handle_one(ctx, cell, block);
            tally->total++;
            if (TRI_UNLIKELY(err))
                tri_life_failed(ctx, cell, err);
        } else {
            ctx->block = block;
            ctx->msg.type = block->type;
            ctx->msg.body = tri_block_body(block);
            ctx->msg.size = block->type->size;
            tr_err err = receive(ctx, data, &ctx->msg);
            tally->handled++;
            if (TRI_UNLIKELY(err || ctx->attention))
                settle(ctx, cell, tally, block, err);
        }
        if (TRI_UNLIKELY(ctx->attention)) {
            ctx->attention = false;
            if (cell->state != TRI_RUNNING || (cell->flags & TRI_CELL_SLOW)) {
                cell->first = block;
                cell->flags |= TRI_CELL_FIRST_DONE;
                write_tally(ctx, cell, tally);
                return LEAVE_ODD;
            }
        }
        next = tri_load(&block->next, TRI_ACQUIRE);
        if (!next) {
            write_tally(ctx, cell, tally); /* Before the cell is not ours any more. */
            next = tri_mailbox_next(cell, block);
            if (!next) {
                tri_block_free(ctx, block);
                return LEAVE_IDLE;
            }
        }
        tri_block_free(ctx, block);
        block = next;
        if (TRI_UNLIKELY(tally->handled + tally->total >= max ||
                         tri_load(&ctx->counts.accepted, TRI_RELAXED) >= sends_max)) {
            cell->first = block;
            write_tally(ctx, cell, tally);
            return LEAVE_TURN_OVER;
        }
        /* Relaxed: only whether to look; the slow path takes the queue with acquire. */
        if (TRI_UNLIKELY(tri_load(&cell->sys, TRI_RELAXED) != NULL)) {
            cell->first = block;
            write_tally(ctx, cell, tally);
            return LEAVE_ODD;
        }
    }
}

/* ---- Batches and proxies ------------------------------------------------- */

/*
 * Hands over as many messages of the batch type as follow each other, up to batch_max.
 * They stay linked in the queue until the handler is done. *ret_last is the last of them.
 */
static tr_err handle_batch(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *first,
                           struct tri_block **ret_last, uint64_t *ret_count)
{
    const struct tr_actor *actor = cell->actor;
    struct tri_worker *worker = ctx->worker;
    uint32_t count = 0;
    struct tri_block *block = first;
    struct tri_block **blocks = worker->batch_blocks;
    const void **bodies = worker->batch_bodies;
    for (;;) {
        blocks[count] = block;
        bodies[count++] = tri_block_body(tri_block_payload(block));
        *ret_last = block;
        cell->taken++;
        bound_give(cell, block);
        if (count == actor->batch_max)
            break;
        block = tri_load(&block->next, TRI_ACQUIRE);
        if (!block || block->type != actor->batch_type ||
            tri_load(&block->gen, TRI_RELAXED) != ctx->gen ||
            (block->flags &
             ~(PLAIN_FLAGS | TRI_BLOCK_SHARED | TRI_BLOCK_COUNTED | TRI_BLOCK_SIZED)))
            break;
    }
    struct tr_batch batch = {actor->batch_type, count, bodies};
    ctx->batch = blocks;
    ctx->batch_count = count;
    show_message(ctx, first);
    tr_err err = actor->receive_batch(ctx, cell->data, &batch);
    ctx->batch = NULL;
    ctx->block = NULL;
    tri_count(&ctx->counts.processed, count);
    *ret_count = count;
    return err;
}

static void handle_proxy(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    cell->taken++;
    if (tri_load(&block->gen, TRI_RELAXED) != ctx->gen) {
        refuse(ctx, block);
        return;
    }
    tri_count(&ctx->counts.processed, 1);
    cell->cold->proxy->deliver(cell->cold->proxy, ctx, block);
}

/* ---- The slow path ------------------------------------------------------- */

/* Frees the handled messages from `from` up to, not including, `to`. */
static void free_until(struct tr_ctx *ctx, struct tri_block *from, struct tri_block *to)
{
    while (from != to) {
        struct tri_block *next = tri_load(&from->next, TRI_ACQUIRE);
        tri_block_free(ctx, from);
        from = next;
    }
}

/* Handles cell->first, one message or a batch, and leaves the last one as the done one. */
static uint64_t turn_one(struct tr_ctx *ctx, struct tri_cell *cell)
{
    struct tri_block *block = cell->first;
    struct tri_block *last = block;
    uint64_t count = 1;
    tr_err err = TR_OK;
    if (cell->flags & TRI_CELL_PROXY)
        handle_proxy(ctx, cell, block);
    else if ((cell->flags & TRI_CELL_BATCHES) && block->type == cell->actor->batch_type &&
             tri_load(&block->gen, TRI_RELAXED) == ctx->gen && ctx->worker &&
             !(block->flags & (TRI_BLOCK_REPLY | TRI_BLOCK_POISON)))
        err = handle_batch(ctx, cell, block, &last, &count);
    else
        err = handle_one(ctx, cell, block);
    free_until(ctx, block, last);
    cell->first = last;
    cell->flags |= TRI_CELL_FIRST_DONE;
    if (err)
        tri_life_failed(ctx, cell, err);
    ctx->attention = false;
    return count;
}

/* Moves cell->first past a message that is done. False: the cell went idle, and is not the
 * caller's any more. */
static bool pass_first(struct tr_ctx *ctx, struct tri_cell *cell)
{
    struct tri_block *done = cell->first;
    struct tri_block *stub = tri_cell_stub(cell);
    if (done != stub && !(cell->flags & TRI_CELL_FIRST_DONE))
        return true;
    cell->flags &= (uint16_t)~TRI_CELL_FIRST_DONE;
    struct tri_block *next = tri_mailbox_next(cell, done);
    if (done != stub)
        tri_block_free(ctx, done);
    else if (next)
        tri_store(&cell->stub, NULL, TRI_RELAXED);
    if (!next)
        return false;
    cell->first = next;
    return true;
}

/* Leaves a cell that waits for system messages only. False: one has come already. */
static bool hold(struct tri_cell *cell)
{
    tri_store(&cell->held, 1u, TRI_SEQ_CST);
    if (!tri_load(&cell->sys, TRI_SEQ_CST))
        return true;
    uint32_t expected = 1;
    return !tri_cas_strong(&cell->held, &expected, 0u, TRI_SEQ_CST, TRI_RELAXED);
}

/* True while the turn goes on. */
static bool turn_slow(struct tr_ctx *ctx, struct tri_cell *cell, uint64_t *handled, uint64_t max)
{
    tri_life_drain_sys(ctx, cell);
    if (cell->flags & TRI_CELL_STOP)
        tri_life_stop(ctx, cell, TR_OK);
    if (cell->state == TRI_RESTARTING && !tri_life_has_children(cell))
        tri_life_restart(ctx, cell);
    if (cell->state == TRI_STARTING)
        tri_life_init(ctx, cell);
    if (cell->flags & TRI_CELL_STOP)
        return true; /* Out of init. */
    if (cell->state == TRI_STOPPING && !tri_life_has_children(cell)) {
        tri_life_end(ctx, cell);
        return false;
    }
    if (cell->state == TRI_FREE) {
        tri_life_turn_away(ctx, cell);
        return false;
    }
    if (cell->state != TRI_RUNNING) {
        if (!hold(cell))
            return true;
        return false;
    }
    if (!pass_first(ctx, cell)) {
        tri_turn_recheck(ctx, cell);
        return false;
    }
    if (*handled >= max) {
        tri_life_requeue(ctx, cell);
        return false;
    }
    if (cell->flags & TRI_CELL_SLOW)
        *handled += turn_one(ctx, cell);
    return true;
}

uint64_t tri_turn(struct tr_ctx *ctx, struct tri_cell *cell, uint64_t messages_max)
{
    struct tally tally = {0, 0};
    ctx->cell = cell;
    ctx->gen = tri_load(&cell->gen, TRI_RELAXED); /* Only the owner writes it. */
    for (;;) {
        if (TRI_LIKELY(cell->state == TRI_RUNNING && !(cell->flags & TRI_CELL_SLOW) &&
                       !tri_load(&cell->sys, TRI_RELAXED))) {
            if (TRI_UNLIKELY(cell->flags & TRI_CELL_IDLE_TIMER))
                cell->cold->active_ns = tri_ctx_now_ns(ctx);
            enum leave leave = turn_short(ctx, cell, &tally, messages_max);
            if (TRI_LIKELY(leave == LEAVE_IDLE)) {
                tri_turn_recheck(ctx, cell);
                break;
            }
            if (leave == LEAVE_TURN_OVER) {
                tri_life_requeue(ctx, cell);
                break;
            }
        }
        if (!turn_slow(ctx, cell, &tally.total, messages_max))
            break;
    }
    ctx->cell = NULL;
    return tally.total;
}
