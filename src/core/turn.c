#include "core/turn.h"

#include "base/assert.h"
#include "base/plant.h"
#include "core/bound.h"
#include "core/cold.h"
#include "core/contain.h"
#include "core/family.h"
#include "core/life.h"
#include "core/mailbox.h"
#include "core/request.h"
#include "core/router.h"
#include "core/send.h"
#include "core/stepped.h"

/* ---- One message --------------------------------------------------------- */

/* A message as its handler sees it: shared ones in the block that has the body. */
static inline const tr_msg *show_message(struct tr_ctx *ctx, struct tri_block *block)
{
    ctx->block = block;
    return tri_block_msg(tri_block_payload(block));
}

/* True: `block` is for this actor's handler. False: it was dealt with, and freed. */
static bool admit(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    if (tri_load(&block->gen, TRI_RELAXED) != tri_ctx_gen(ctx))
        return false;
    if (block->flags & TRI_BLOCK_POISON) {
        if (tri_router_is_marker(block)) {
            tri_router_reached(ctx, block);
            return false;
        }
        if (block->type == &tri_touch_type) {
            tri_request_touched(ctx, block);
            return false;
        }
        cell->flags |= TRI_CELL_STOP;
        ctx->attention = true;
        return false;
    }
    if (!(block->flags & TRI_BLOCK_REPLY) || !block->call)
        return true;
    if (tri_pid_remote(block->from)) {
        /* Calls have 32 bits on the wire; 0 says there that nobody waits, so all ones are 0. */
        uint32_t low = (uint32_t)block->call;
        uint64_t call = tri_request_number(cell, low);
        block->call = call || low != UINT32_MAX ? call : tri_request_number(cell, 0);
        if (block->type == &tr_request_failed_type)
            ((struct tr_request_failed *)tri_block_body(block))->call = block->call;
    }
    return tri_request_answered(cell, block->call) || TRI_PLANTED(LATE_TAKEN);
}

/* Counts a message that was not admitted. The block stays in the queue as its end. */
static void refuse(struct tr_ctx *ctx, struct tri_block *block)
{
    tr_pid to = tri_ctx_self(ctx);
    enum tr_dead_reason reason = TR_DEAD_LATE;
    bool touch = block->flags & TRI_BLOCK_REQUEST && block->type == &tri_touch_type;
    if (block->flags & TRI_BLOCK_POISON &&
        !(touch && tri_load(&block->gen, TRI_RELAXED) != tri_ctx_gen(ctx))) {
        tri_count(&ctx->counts.processed, 1);
        return;
    }
    if (tri_load(&block->gen, TRI_RELAXED) != tri_ctx_gen(ctx)) {
        ctx->cell->taken--; /* It was the last tenant's, and is in no account of this one. */
        if (!(block->flags & TRI_BLOCK_REPLY)) /* Else the call ended with its caller. */
            reason = TR_DEAD_NO_ACTOR;
        to = (tr_pid){(uint64_t)tri_load(&block->gen, TRI_RELAXED) << 32 | ctx->cell->slot};
        if (block->flags & TRI_BLOCK_REQUEST)
            tri_request_fail(ctx, block, to, TR_ENOACTOR);
    } else {
        ctx->cell->refused++;
        if (ctx->cell->cold)
            ctx->cell->cold->dead[reason]++;
    }
    tri_dead_letter_event(ctx, to, block->from, block->type, reason);
}

static void note_unhandled(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    enum tr_dead_reason reason = (enum tr_dead_reason)(ctx->unhandled - 1);
    ctx->unhandled = 0;
    struct tri_cold *cold = tri_cold(cell);
    cell->refused++;
    if (cold)
        cold->dead[reason]++;
    if (block->flags & TRI_BLOCK_REQUEST)
        tri_request_fail(ctx, block, tri_ctx_self(ctx), tri_dead_error(reason));
    tri_dead_letter_event(ctx, tri_ctx_self(ctx), block->from, block->type, reason);
}

/* Hands one message to the handler and counts it; the error of the handler. */
static tr_err receive_one(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    cell->taken++;
    tr_err err = tri_call(ctx, cell, TRI_CALL_RECEIVE, show_message(ctx, block), TR_OK);
    if (ctx->stashed && tri_stash_settle(ctx, cell, err || ctx->unhandled))
        cell->taken--;
    else if (ctx->unhandled)
        note_unhandled(ctx, cell, block);
    else
        tri_count(&ctx->counts.processed, 1);
    ctx->block = NULL;
    return err;
}

/* Handles one message whatever its flags; the error of the handler. */
static tr_err handle_one(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    tr_err faked;
    if (TRI_UNLIKELY(ctx->sys->stepped != NULL) && tri_stepped_intercept(ctx, cell, block, &faked))
        return faked;
    if (admit(ctx, cell, block)) {
        if (TRI_PLANTED(HANDLED_TWICE) && cell->taken % 9 == 8)
            (void)receive_one(ctx, cell, block);
        return receive_one(ctx, cell, block);
    }
    cell->taken++;
    refuse(ctx, block);
    return TR_OK;
}

/* Handles the oldest message that was put aside and is to be handled before the mailbox. How
 * many; 0: there is none any more. */
static uint64_t handle_again(struct tr_ctx *ctx, struct tri_cell *cell)
{
    struct tri_block *block = tri_stash_next(ctx, cell);
    if (!block) {
        cell->flags &= (uint16_t)~TRI_CELL_AGAIN;
        return 0;
    }
    tr_err err = receive_one(ctx, cell, block);
    tri_stash_handled(ctx, cell, block);
    if (err)
        tri_life_failed(ctx, cell, err);
    ctx->attention = false;
    return 1;
}

/* ---- The short path ------------------------------------------------------ */

void tri_turn_rescue(struct tr_ctx *ctx, struct tri_cell *cell)
{
    uint32_t held = 1;
    if (tri_mailbox_claim(cell) || tri_cas_strong(&cell->held, &held, 0u, TRI_SEQ_CST, TRI_RELAXED))
        tri_schedule(ctx, cell);
}

/* How the short path is left; LEAVE_NOT: it is not. */
enum leave { LEAVE_NOT, LEAVE_IDLE, LEAVE_ENDED, LEAVE_TURN_OVER, LEAVE_ODD };

/* A message that the short path does not take. */
static __attribute__((noinline)) void handle_odd(struct tr_ctx *ctx, struct tri_cell *cell,
                                                 struct tri_block *block)
{
    tr_err err = handle_one(ctx, cell, block);
    if (TRI_UNLIKELY(err))
        tri_life_failed(ctx, cell, err);
}

/* After a handler of the short path that failed, did not handle its message, or stopped. Its
 * message was counted as processed. */
static __attribute__((noinline)) enum leave settle(struct tr_ctx *ctx, struct tri_cell *cell,
                                                   struct tri_block *block, tr_err err)
{
    if ((cell->mode & TRI_MODE_END_MASK) == TRI_MODE_PLAIN_END && !err && !ctx->unhandled &&
        !ctx->stashed && tri_life_end_plain(ctx, cell, block)) {
        ctx->attention = false;
        return LEAVE_ENDED;
    }
    bool aside = ctx->stashed && tri_stash_settle(ctx, cell, err || ctx->unhandled);
    if (aside)
        cell->taken--;
    if (aside || ctx->unhandled)
        tri_count(&ctx->counts.processed, (uint64_t)-1);
    if (ctx->unhandled)
        note_unhandled(ctx, cell, block);
    if (err)
        tri_life_failed(ctx, cell, err);
    ctx->attention = false;
    if ((cell->mode & TRI_MODE_MASK) == TRI_MODE_SHORT)
        return LEAVE_NOT;
    cell->first = block;
    cell->flags |= TRI_CELL_FIRST_DONE;
    return LEAVE_ODD;
}

/* What must be zero in a message's address, xor the generation of its receiver, for the short
 * path: the generation, and all flags but the request's. */
#define PLAIN_MASK TRI_ADDRESS(0xffffffffu, TRI_TAG_FLAGS(0xff & ~TRI_BLOCK_REQUEST))
/* What is left of a plain answer to a call. */
#define PLAIN_REPLY TRI_ADDRESS(0, TRI_TAG_FLAGS(TRI_BLOCK_REPLY))

/*
 * The path of nearly all messages: plain ones, to a running actor, whose handlers succeed.
 * At LEAVE_ODD, cell->first is the message just handled (TRI_CELL_FIRST_DONE).
 */
TRI_HOT_INLINE enum leave handle(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    uint64_t plain = TRI_ADDRESS(tri_ctx_gen(ctx), 0);
    uint64_t unlike = (block->address ^ plain) & PLAIN_MASK;
    if (TRI_UNLIKELY(unlike != 0 &&
                     !(unlike == PLAIN_REPLY && tri_request_answered(cell, block->call)))) {
        handle_odd(ctx, cell, block);
        return ctx->attention ? settle(ctx, cell, block, TR_OK) : LEAVE_NOT;
    }
    ctx->block = block;
    tr_err err = cell->actor->receive(ctx, cell->data, tri_block_msg(block));
    cell->taken++;
    tri_count(&ctx->counts.processed, 1);
    return TRI_UNLIKELY(err || ctx->attention) ? settle(ctx, cell, block, err) : LEAVE_NOT;
}

/* Frees the message that was handled and finds the one after it. NULL: there was none, and the
 * cell is idle and not the caller's any more. */
TRI_HOT_INLINE struct tri_block *pass(struct tr_ctx *ctx, struct tri_cell *cell,
                                      struct tri_block *block)
{
    struct tri_block *next = tri_load(&block->next, TRI_ACQUIRE);
    if (TRI_LIKELY(!next))
        next = tri_mailbox_leave(cell, block);
    tri_block_free(ctx, block);
    return next;
}

/* Handles `block` and those behind it until the mailbox is empty or the turn is over. At
 * LEAVE_ODD, cell->first is the message just handled (TRI_CELL_FIRST_DONE) or the next. */
static __attribute__((noinline)) enum leave turn_on(struct tr_ctx *ctx, struct tri_cell *cell,
                                                    struct tri_block *block, uint64_t max)
{
    uint64_t sends = tri_load(&ctx->counts.accepted, TRI_RELAXED) + TRI_TURN_SENDS;
    if (TRI_UNLIKELY(max < 2)) { /* The first message was all: systems that are stepped. */
        cell->first = block;
        return LEAVE_TURN_OVER;
    }
    for (uint64_t count = 2;; count++) {
        enum leave leave = handle(ctx, cell, block);
        if (TRI_UNLIKELY(leave != LEAVE_NOT))
            return leave;
        block = pass(ctx, cell, block);
        if (!block)
            return LEAVE_IDLE;
        bool over = count >= max || tri_load(&ctx->counts.accepted, TRI_RELAXED) >= sends;
        /* Relaxed: only whether to look; the slow path takes the queue with acquire. */
        if (TRI_UNLIKELY(over || tri_load(&cell->sys, TRI_RELAXED) != NULL)) {
            cell->first = block;
            return over ? LEAVE_TURN_OVER : LEAVE_ODD;
        }
    }
}

/* A turn on the short path. The first message is handled here: it is often the only one. */
TRI_HOT_INLINE enum leave turn_short(struct tr_ctx *ctx, struct tri_cell *cell, uint64_t max)
{
    struct tri_block *block = cell->first;
    if (TRI_UNLIKELY(block == tri_cell_stub(cell))) {
        block = tri_mailbox_next(cell, block);
        if (!block)
            return LEAVE_IDLE;
        tri_store(&cell->stub, NULL, TRI_RELAXED); /* Clean for its next use. */
    }
    enum leave leave = handle(ctx, cell, block);
    if (TRI_UNLIKELY(leave != LEAVE_NOT))
        return leave;
    block = pass(ctx, cell, block);
    return TRI_LIKELY(!block) ? LEAVE_IDLE : turn_on(ctx, cell, block, max);
}

/* ---- Batches and proxies ------------------------------------------------- */

/* Hands over the first `count` of the worker's batch_blocks, all of the batch type. */
static tr_err run_batch(struct tr_ctx *ctx, struct tri_cell *cell, uint32_t count)
{
    const struct tr_actor *actor = cell->actor;
    struct tri_block **blocks = ctx->worker->batch_blocks;
    const void **bodies = ctx->worker->batch_bodies;
    for (uint32_t i = 0; i < count; i++)
        bodies[i] = tri_block_body(tri_block_payload(blocks[i]));
    struct tr_batch batch = {actor->batch_type, count, bodies};
    const struct tri_stepped *stepped = ctx->sys->stepped;
    if (stepped)
        stepped->port.batch(stepped->port.self, ctx, actor->batch_type, count);
    cell->taken += count;
    ctx->batch = blocks;
    ctx->batch_count = count;
    ctx->block = blocks[0];
    tr_err err = tri_call(ctx, cell, TRI_CALL_BATCH, &batch, TR_OK);
    ctx->batch = NULL;
    ctx->block = NULL;
    tri_count(&ctx->counts.processed, count - (TRI_PLANTED(BATCH_UNCOUNTED) && count > 1));
    return err;
}

/*
 * Hands over as many messages of the batch type as follow each other, up to batch_max.
 * They stay linked in the queue until the handler is done. *ret_last is the last of them.
 */
static tr_err handle_batch(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *first,
                           struct tri_block **ret_last, uint64_t *ret_count)
{
    const struct tr_actor *actor = cell->actor;
    uint32_t count = 0;
    struct tri_block *block = first;
    struct tri_block **blocks = ctx->worker->batch_blocks;
    for (;;) {
        blocks[count++] = block;
        *ret_last = block;
        if (count == actor->batch_max)
            break;
        block = tri_load(&block->next, TRI_ACQUIRE);
        if (!block || block->type != actor->batch_type ||
            tri_load(&block->gen, TRI_RELAXED) != tri_ctx_gen(ctx) ||
            (block->flags &
             ~(TRI_BLOCK_REQUEST | TRI_BLOCK_SHARED | TRI_BLOCK_COUNTED | TRI_BLOCK_SIZED)))
            break;
    }
    *ret_count = count;
    return run_batch(ctx, cell, count);
}

static void handle_proxy(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    cell->taken++;
    if (tri_load(&block->gen, TRI_RELAXED) != tri_ctx_gen(ctx)) {
        refuse(ctx, block);
        return;
    }
    tri_count(&ctx->counts.processed, 1);
    cell->cold->proxy->deliver(cell->cold->proxy, ctx, block);
}

/* Handles the next message or batch of a bounded mailbox; how many, 0: none waits. */
static uint64_t handle_bounded(struct tr_ctx *ctx, struct tri_cell *cell)
{
    const struct tr_actor *actor = cell->actor;
    bool batches = (cell->flags & TRI_CELL_BATCHES) && ctx->worker;
    struct tri_block *one;
    struct tri_block **blocks = batches ? ctx->worker->batch_blocks : &one;
    const struct tr_type *batch_type = batches ? actor->batch_type : NULL;
    uint32_t count = tri_bound_take(ctx, cell, batch_type, blocks, batches ? actor->batch_max : 1);
    if (count == 0)
        return 0;
    if (cell->flags & TRI_CELL_PROXY) {
        handle_proxy(ctx, cell, blocks[0]); /* Proxies take no batches. */
        tri_block_free(ctx, blocks[0]);
        return 1;
    }
    if (cell->flags & TRI_CELL_IDLE_TIMER)
        cell->cold->active_ns = tri_ctx_now_ns(ctx);
    bool batch = batches && blocks[0]->type == batch_type &&
                 !(blocks[0]->flags & (TRI_BLOCK_REPLY | TRI_BLOCK_POISON));
    tr_err err = batch ? run_batch(ctx, cell, count) : handle_one(ctx, cell, blocks[0]);
    for (uint32_t i = 0; i < count; i++)
        tri_block_free(ctx, blocks[i]);
    if (err)
        tri_life_failed(ctx, cell, err);
    ctx->attention = false;
    return count;
}

/* Messages that a proxy takes in a row. */
#define PROXY_MESSAGES 64u

/* Hands over what is there, and leaves it in the queue; *ret_last is the last of it. How many. */
static uint64_t handle_proxied(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block,
                               struct tri_block **ret_last)
{
    for (uint64_t count = 1;; count++) {
        handle_proxy(ctx, cell, block);
        *ret_last = block;
        struct tri_block *next = tri_load(&block->next, TRI_ACQUIRE);
        /* Relaxed: only whether to look; the slow path takes the queue with acquire. */
        if (!next || count == PROXY_MESSAGES || cell->flags & TRI_CELL_STOP ||
            tri_load(&cell->sys, TRI_RELAXED) != NULL)
            return count;
        block = next;
    }
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
        count = handle_proxied(ctx, cell, block, &last);
    else if ((cell->flags & TRI_CELL_BATCHES) && block->type == cell->actor->batch_type &&
             tri_load(&block->gen, TRI_RELAXED) == tri_ctx_gen(ctx) && ctx->worker &&
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

/* Makes sure that a cell which just went idle does not miss a message of its bounded mailbox. */
static void recheck_bounded(struct tr_ctx *ctx, struct tri_cell *cell)
{
    /* In sequence after the store that made the cell idle: see wake() in bound.c. If somebody
     * else has taken the cell meanwhile, he looks for himself. */
    if (!TRI_RACED(BOUND_IDLE) && tri_bound_count(ctx->sys, cell) != 0 && tri_mailbox_claim(cell))
        tri_schedule(ctx, cell);
}

/* True while the turn goes on. */
static bool turn_slow(struct tr_ctx *ctx, struct tri_cell *cell, uint64_t *handled, uint64_t max)
{
    ctx->block = NULL; /* Of no message: hooks have no sender. */
    tri_life_drain_sys(ctx, cell);
    if (cell->flags & TRI_CELL_STOP)
        tri_life_stop(ctx, cell, TR_OK);
    if (cell->state == TRI_RESTARTING && !tri_family_any(ctx, cell))
        tri_life_restart(ctx, cell);
    if (cell->state == TRI_STARTING)
        tri_life_init(ctx, cell);
    if (cell->flags & TRI_CELL_STOP)
        return true; /* Out of init. */
    if (cell->state == TRI_STOPPING && !tri_family_any(ctx, cell)) {
        tri_life_end(ctx, cell);
        return false;
    }
    if (cell->state == TRI_FREE) {
        tri_life_turn_away(ctx, cell);
        return false;
    }
    if (cell->state != TRI_RUNNING || (cell->flags & TRI_CELL_DELAYED)) {
        if (!hold(cell))
            return true;
        return false;
    }
    bool again = cell->flags & TRI_CELL_AGAIN;
    bool bounded = cell->flags & TRI_CELL_BOUNDED;
    if (bounded && !again && *handled < max) {
        uint64_t count = handle_bounded(ctx, cell);
        *handled += count;
        if (count)
            return true;
    }
    if (!again && (*handled < max || !bounded) && !pass_first(ctx, cell)) {
        tri_turn_recheck(ctx, cell);
        if (bounded)
            recheck_bounded(ctx, cell);
        return false;
    }
    if (*handled >= max) {
        tri_life_requeue(ctx, cell);
        return false;
    }
    if (again) {
        *handled += handle_again(ctx, cell);
        return true;
    }
    if ((cell->flags & TRI_CELL_SLOW) || ctx->sys->stepped)
        *handled += turn_one(ctx, cell);
    return true;
}

/* Messages that this context has dealt with so far, whatever became of them. */
static uint64_t handled_by(const struct tr_ctx *ctx)
{
    return tri_load(&ctx->counts.processed, TRI_RELAXED); /* Its own counter. */
}

/* The rest of a turn that left the short path, or never took it; from `before` on it has handled
 * what counts. */
static __attribute__((noinline)) void turn_odd(struct tr_ctx *ctx, struct tri_cell *cell,
                                               uint64_t before, uint64_t max)
{
    for (;;) {
        uint64_t handled = handled_by(ctx) - before;
        if (!turn_slow(ctx, cell, &handled, max))
            return;
        if ((cell->mode & TRI_MODE_MASK) != TRI_MODE_SHORT ||
            tri_load(&cell->sys, TRI_RELAXED) != NULL || handled >= max)
            continue;
        if (cell->flags & TRI_CELL_IDLE_TIMER)
            cell->cold->active_ns = tri_ctx_now_ns(ctx);
        enum leave leave = turn_short(ctx, cell, max - handled);
        if (leave == LEAVE_IDLE)
            tri_turn_recheck(ctx, cell);
        if (leave == LEAVE_TURN_OVER)
            tri_life_requeue(ctx, cell);
        if (leave != LEAVE_ODD)
            return;
    }
}

TRI_HOT_INLINE void turn(struct tr_ctx *ctx, struct tri_cell *cell, uint64_t max)
{
    tri_ctx_enter(ctx, cell);
    enum leave leave = LEAVE_ODD;
    if (TRI_LIKELY((cell->mode & (TRI_MODE_MASK | TRI_MODE_IDLE_TIMER)) == TRI_MODE_SHORT &&
                   tri_load(&cell->sys, TRI_RELAXED) == NULL))
        leave = turn_short(ctx, cell, max);
    if (TRI_LIKELY(leave == LEAVE_IDLE))
        tri_turn_recheck(ctx, cell);
    else if (leave == LEAVE_TURN_OVER)
        tri_life_requeue(ctx, cell);
    else if (leave == LEAVE_ODD)
        turn_odd(ctx, cell, handled_by(ctx), max);
}

uint64_t tri_turn(struct tr_ctx *ctx, struct tri_cell *cell, uint64_t messages_max)
{
    uint64_t before = handled_by(ctx);
    turn(ctx, cell, messages_max);
    tri_ctx_leave(ctx);
    return handled_by(ctx) - before;
}

uint32_t tri_turn_chain(struct tri_worker *worker, struct tri_cell *cell, uint32_t turns_max)
{
    uint32_t left = turns_max;
    do {
        worker->handoff = NULL;
        tri_store(&worker->running, cell->actor, TRI_RELAXED); /* Constant data: no order. */
        turn(&worker->ctx, cell, TRI_TURN_MESSAGES);
        cell = worker->handoff;
        left--;
    } while (cell && left > 0);
    tri_ctx_leave(&worker->ctx);
    return turns_max - left;
}

uint64_t tri_turn_stepped(struct tr_ctx *ctx, struct tri_cell *cell)
{
    uint64_t handled = 0;
    tri_ctx_enter(ctx, cell);
    if (cell->flags & TRI_CELL_IDLE_TIMER)
        cell->cold->active_ns = tri_ctx_now_ns(ctx);
    while (turn_slow(ctx, cell, &handled, 1)) {
    }
    tri_ctx_leave(ctx);
    return handled;
}
