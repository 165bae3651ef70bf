#include "core/life.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/plant.h"
#include "core/behaviour.h"
#include "core/bound.h"
#include "core/cold.h"
#include "core/contain.h"
#include "core/delay.h"
#include "core/events.h"
#include "core/family.h"
#include "core/kind.h"
#include "core/links.h"
#include "core/mailbox.h"
#include "core/names.h"
#include "core/request.h"
#include "core/sched.h"
#include "core/send.h"
#include "core/turn.h"
#include "core/watch.h"
#include "troupe/timer.h"

void tri_life_requeue(struct tr_ctx *ctx, struct tri_cell *cell)
{
    if (ctx->worker)
        tri_sched_push(ctx->worker, cell);
    else
        tri_sched_inject(ctx->sys, cell);
}

/* ---- Start --------------------------------------------------------------- */

void tri_life_init(struct tr_ctx *ctx, struct tri_cell *cell)
{
    const struct tr_actor *actor = cell->actor;
    tr_err err = actor->init ? tri_call(ctx, cell, TRI_CALL_INIT, NULL, TR_OK) : TR_OK;
    ctx->attention = false;
    if (err) {
        tri_life_failed(ctx, cell, err);
        return;
    }
    cell->flags |= TRI_CELL_INITED;
    tri_state_move(&cell->state, TRI_RUNNING);
    if (cell->flags & TRI_CELL_RESTARTED) {
        cell->flags &= (uint16_t)~TRI_CELL_RESTARTED;
        if (actor->restarted)
            err = tri_call(ctx, cell, TRI_CALL_RESTARTED, NULL, cell->cold->fail_code);
        if (err)
            tri_life_failed(ctx, cell, err);
    }
}

/* ---- Failure ------------------------------------------------------------- */

void tri_life_failed(struct tr_ctx *ctx, struct tri_cell *cell, tr_err err)
{
    struct tri_cold *cold = tri_cold(cell);
    ctx->attention = true;
    tri_count(&ctx->counts.failed, 1);
    if (cell->state != TRI_RUNNING && cell->state != TRI_STARTING)
        return; /* It is being stopped or restarted anyway. */
    if (!cold) {
        cell->flags |= TRI_CELL_STOP;
        return;
    }
    cold->fail_code = err;
    cold->fail_actor = tri_kind_base(cell);
    if (!cold->fail_text)
        cold->fail_text = tri_calloc(1, 256);
    if (cold->fail_text) {
        bool said = ctx->fail_code == err;
        memcpy(cold->fail_text, said ? ctx->fail_text : "", said ? 256 : 1);
    }
    ctx->fail_code = TR_OK;
    tri_state_move(&cell->state, TRI_SUSPENDED);
    struct tri_cell *parent = tri_family_parent(ctx, cell);
    uint32_t gen = tri_load(&parent->gen, TRI_RELAXED); /* A parent outlives its children. */
    tri_sys_push(ctx, parent,
                 tri_sys_new(ctx, gen, TRI_SYS_CHILD_FAILED, tri_cell_pid(cell), (uint64_t)err));
}

/* ---- Restart ------------------------------------------------------------- */

static void begin_restart(struct tr_ctx *ctx, struct tri_cell *cell)
{
    tri_state_move(&cell->state, TRI_RESTARTING);
    tri_family_stop(ctx, cell);
}

static void on_restart(struct tr_ctx *ctx, struct tri_cell *cell, uint64_t arg)
{
    uint64_t delay_ms = arg >> 32;
    struct tri_cold *cold = tri_cold(cell);
    if (TRI_PLANTED(RESTART_DROPPED) && cell->taken % 4 == 0)
        return;
    if (cell->state != TRI_SUSPENDED && cell->state != TRI_RUNNING)
        return; /* Not started yet, or on its way already. */
    if (!cold) {
        tri_life_stop(ctx, cell, TR_ENOMEM);
        return;
    }
    cold->fail_code = (tr_err)(uint32_t)arg;
    if (delay_ms) { /* Also siblings that have not failed: the group comes back together. */
        tri_state_move(&cell->state, TRI_BACKOFF);
        tri_family_stop(ctx, cell); /* They do not work for a parent that is not there. */
        tri_timer_arm(ctx, &cold->backoff_timer, tri_ctx_now_ns(ctx) + delay_ms * 1000000u);
        return;
    }
    begin_restart(ctx, cell);
}

void tri_life_restart(struct tr_ctx *ctx, struct tri_cell *cell)
{
    const struct tr_actor *actor = cell->actor;
    if (cell->flags & TRI_CELL_INITED) {
        if (actor->restarting)
            (void)tri_call(ctx, cell, TRI_CALL_RESTARTING, NULL, cell->cold->fail_code);
        else if (actor->stop)
            (void)tri_call(ctx, cell, TRI_CALL_STOP, NULL, TR_OK);
    }
    ctx->attention = false;
    tri_timers_end(ctx, cell);
    tri_calls_fini(&cell->cold->calls);
    tri_links_tell(ctx, cell, tri_ctx_self(ctx), cell->cold->fail_code);
    tri_behaviour_reset(ctx, cell);
    tri_stash_restart(cell);
    tri_arena_reset(&cell->cold->arena, &ctx->sys->limit);
    if (actor->state_size)
        memset(cell->data, 0, actor->state_size);
    cell->flags &= (uint16_t) ~(TRI_CELL_INITED | TRI_CELL_IDLE_TIMER);
    cell->flags |= TRI_CELL_RESTARTED;
    tri_family_reopen(cell);
    tri_count(&ctx->counts.restarted, 1);
    tri_state_move(&cell->state, TRI_STARTING);
}

static void on_resume(struct tr_ctx *ctx, struct tri_cell *cell)
{
    if (cell->state != TRI_SUSPENDED)
        return;
    if (!(cell->flags & TRI_CELL_INITED)) {
        tri_life_stop(ctx, cell, cell->cold->fail_code); /* There is no state to resume with. */
        return;
    }
    tri_state_move(&cell->state, TRI_RUNNING);
    tri_family_tell(ctx, cell, TRI_SYS_RESUME, 0, 0); /* Those whose failure was escalated. */
    tri_links_resumed(ctx, cell);
}

/* ---- End ----------------------------------------------------------------- */

void tri_life_stop(struct tr_ctx *ctx, struct tri_cell *cell, tr_err reason)
{
    cell->flags &= (uint16_t)~TRI_CELL_STOP;
    if (cell->state == TRI_STOPPING || cell->state == TRI_FREE)
        return;
    if (!reason && cell->state == TRI_SUSPENDED)
        reason = cell->cold->fail_code; /* It failed, and nobody brought it back. */
    if (reason && tri_cold(cell))
        cell->cold->end_reason = reason;
    if (cell->actor && cell->actor->stopping && (cell->flags & TRI_CELL_INITED))
        (void)tri_call(ctx, cell, TRI_CALL_STOPPING, NULL, TR_OK);
    ctx->attention = false;
    tri_state_move(&cell->state, TRI_STOPPING);
    if (cell->flags & (TRI_CELL_SPAWNED | TRI_CELL_GUARDIAN))
        tri_family_stop(ctx, cell);
}

/* Everything that hangs on cold; before the last look at the system queue. */
static void end_cold(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid self)
{
    struct tri_cold *cold = cell->cold;
    tri_timers_end(ctx, cell);
    tri_stash_end(ctx, cell, self);
    tri_links_tell(ctx, cell, self, cold->end_reason);
    tri_arena_fini(&cold->arena, &ctx->sys->limit);
    if (cold->subscribed)
        tri_events_forget(ctx->sys, self);
    tr_pid other;
    for (uint32_t at = 0; tri_pids_next(&cold->watching, &at, &other);)
        tri_sys_send(ctx, other, TRI_SYS_UNWATCH, self, 0);
    for (uint32_t at = 0; tri_pids_next(&cold->watchers, &at, &other);) {
        if (TRI_PLANTED(DOWN_LOST))
            continue;
        tri_sys_send(ctx, other, TRI_SYS_DOWN, self, (uint64_t)cold->end_reason);
    }
    for (uint32_t at = 0; tri_pids_next(&cold->probers, &at, &other);)
        tri_sys_send(ctx, other, TRI_SYS_GONE, self, TR_ENOACTOR);
}

/* Turns away everything in the mailbox and lets go of the cell. */
static void drain_and_leave(struct tr_ctx *ctx, struct tri_cell *cell, uint32_t old_gen)
{
    struct tri_block *stub = tri_cell_stub(cell);
    struct tri_block *block = cell->first;
    bool done = block == stub || (cell->flags & TRI_CELL_FIRST_DONE);
    cell->flags = 0;
    for (;;) {
        uint32_t gen = tri_load(&block->gen, TRI_RELAXED);
        struct tri_block *next = NULL;
        tr_pid to = {0};
        if (block != stub)
            to.bits = (uint64_t)gen << 32 | cell->slot;
        if (!done && block != stub)
            cell->taken++;
        next = tri_mailbox_next(cell, block);
        if (block == stub) {
            if (next)
                tri_store(&cell->stub, NULL, TRI_RELAXED);
        } else if (done) {
            tri_block_free(ctx, block);
        } else if ((block->flags & (TRI_BLOCK_POISON | TRI_BLOCK_REQUEST)) == TRI_BLOCK_POISON) {
            tri_count(&ctx->counts.processed, 1);
            tri_block_free(ctx, block);
        } else {
            bool closing = tri_load(&ctx->sys->phase, TRI_RELAXED) == TRI_CLOSED;
            enum tr_dead_reason why = gen == old_gen ? TR_DEAD_STOPPED : TR_DEAD_NO_ACTOR;
            tri_dead_letter(ctx, to, block, closing ? TR_DEAD_CLOSING : why);
        }
        if (!next)
            return;
        block = next;
        done = false;
    }
}

/* From here on senders see that nobody is there. Release: whoever sees the new generation sees
 * that the name is gone. */
static void free_generation(struct tri_cell *cell, uint32_t old_gen)
{
    uint32_t next_gen = (old_gen & ~(TRI_GEN_STEP - 1)) + TRI_GEN_STEP;
    tri_store(&cell->gen, next_gen ? next_gen : TRI_GEN_STEP, TRI_RELEASE);
}

void tri_life_end(struct tr_ctx *ctx, struct tri_cell *cell)
{
    tr_pid self = tri_cell_pid(cell);
    uint32_t old_gen = (uint32_t)(self.bits >> 32);
    if (cell->actor && cell->actor->stop && (cell->flags & TRI_CELL_INITED))
        (void)tri_call(ctx, cell, TRI_CALL_STOP, NULL, TR_OK);
    ctx->attention = false;
    ctx->unhandled = false;
    if (cell->cold && cell->cold->name)
        tri_names_remove(ctx->sys->names, cell->cold->name);

    free_generation(cell, old_gen);
    tri_ctx_leave(ctx);
    if (cell->flags & TRI_CELL_BOUNDED)
        tri_bound_close(ctx, cell, self);
    if (cell->flags & TRI_CELL_DELAYED)
        tri_delay_forget(ctx, self);
    struct tri_proxy *proxy = NULL;
    if (cell->cold) {
        proxy = cell->cold->proxy;
        end_cold(ctx, cell, self);
    }
    tri_life_drain_sys(ctx, cell); /* All of it is stale now. */
    /* First: a supervisor that reads our failure does so under its lock, while we are linked. */
    uint32_t parent = tri_family_whose(cell);
    tri_family_leave_locked(ctx, cell);
    tri_family_free(cell);
    tri_cold_free(cell);
    tri_life_free_data(ctx, cell);
    tri_state_move(&cell->state, TRI_FREE);
    cell->actor = NULL;
    cell->supervise = NULL;
    uint32_t slot = cell->slot;
    drain_and_leave(ctx, cell, old_gen);
    tri_turn_recheck(ctx, cell);
    tri_slot_give(ctx, slot);
    tri_count(&ctx->counts.ended, 1);
    tri_family_left(ctx, parent);
    if (proxy)
        proxy->ended(proxy, ctx);
}

bool tri_life_end_plain(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *done)
{
    const struct tr_actor *actor = cell->actor;
    if (cell->cold || actor->stop || actor->stopping || tri_load(&cell->sys, TRI_RELAXED))
        return false;
    uint32_t old_gen = tri_ctx_gen(ctx);
    uint32_t slot = cell->slot;
    uint32_t parent = tri_family_whose(cell);
    free_generation(cell, old_gen);
    tri_ctx_leave(ctx);
    tri_family_leave(cell);
    tri_life_free_data(ctx, cell);
    tri_state_step(&cell->state, TRI_RUNNING, TRI_STOPPING);
    tri_state_step(&cell->state, TRI_STOPPING, TRI_FREE);
    cell->actor = NULL;
    cell->supervise = NULL;
    cell->flags = 0;
    struct tri_block *expected = done;
    /* The release and the sequence are those of tri_mailbox_leave(). */
    if (TRI_LIKELY(tri_cas_strong(&cell->head, &expected, NULL, TRI_SEQ_CST, TRI_RELAXED))) {
        tri_block_free(ctx, done);
    } else {
        cell->first = done;
        cell->flags = TRI_CELL_FIRST_DONE;
        drain_and_leave(ctx, cell, old_gen);
    }
    tri_turn_recheck(ctx, cell);
    tri_slot_give(ctx, slot);
    tri_count(&ctx->counts.ended, 1);
    tri_family_left(ctx, parent);
    return true;
}

void tri_life_turn_away(struct tr_ctx *ctx, struct tri_cell *cell)
{
    tri_ctx_leave(ctx);
    drain_and_leave(ctx, cell, 0);
    tri_turn_recheck(ctx, cell);
}

/* ---- System messages ----------------------------------------------------- */

static void on_sys(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    if (cell->flags & TRI_CELL_PROXY) {
        struct tri_proxy *proxy = cell->cold->proxy;
        if (proxy->told && proxy->told(proxy, ctx, block))
            return;
    }
    switch ((enum tri_sys_kind)block->flags) {
    case TRI_SYS_STOP:
        tri_life_stop(ctx, cell, (tr_err)block->call);
        break;
    case TRI_SYS_WATCH:
    case TRI_SYS_UNWATCH:
    case TRI_SYS_PROBE:
        tri_watch_handle(ctx, cell, block);
        break;
    case TRI_SYS_DOWN:
        tri_watch_down(ctx, cell, block->from, (tr_err)block->call);
        break;
    case TRI_SYS_GONE:
        tri_request_gone(ctx, cell, block->from, (tr_err)block->call);
        break;
    case TRI_SYS_CHILD_FAILED:
        tri_life_child_failed(ctx, cell, block->from, (tr_err)block->call);
        break;
    case TRI_SYS_RESTART:
        on_restart(ctx, cell, block->call);
        break;
    case TRI_SYS_RESUME:
        on_resume(ctx, cell);
        break;
    case TRI_SYS_LINK:
    case TRI_SYS_UNLINK:
        tri_links_handle(ctx, cell, block);
        break;
    case TRI_SYS_LINK_FAILED:
        tri_links_failed(ctx, cell, block->from, (tr_err)block->call);
        break;
    case TRI_SYS_UNDELAY:
        if (tri_delay_over(ctx, tri_ctx_self(ctx)))
            cell->flags &= (uint16_t)~TRI_CELL_DELAYED;
        break;
    case TRI_SYS_BACKOFF_TIMER:
        if (cell->state == TRI_BACKOFF)
            begin_restart(ctx, cell);
        break;
    case TRI_SYS_CALL_TIMER:
        tri_request_tick(ctx, cell);
        break;
    case TRI_SYS_IDLE_TIMER:
        tri_idle_tick(ctx, cell);
        break;
    case TRI_SYS_TIMER:
        tri_timer_due(ctx, cell, (struct tri_timer *)block);
        break;
    case TRI_SYS_CHILDREN_GONE:
        break; /* The turn looks at its children anyway. */
    }
}

void tri_life_drain_sys(struct tr_ctx *ctx, struct tri_cell *cell)
{
    /* Relaxed: who leaves the cell looks again, in sequence with the senders. */
    if (!tri_load(&cell->sys, TRI_RELAXED))
        return;
    /* Acquire pairs with the release in tri_sys_push(). */
    struct tri_block *newest = tri_xchg(&cell->sys, NULL, TRI_ACQUIRE);
    struct tri_block *oldest = NULL;
    while (newest) {
        struct tri_block *next = tri_load(&newest->next, TRI_RELAXED);
        tri_store(&newest->next, oldest, TRI_RELAXED);
        oldest = newest;
        newest = next;
    }
    while (oldest) {
        struct tri_block *next = tri_load(&oldest->next, TRI_RELAXED);
        bool timer = oldest->flags >= TRI_SYS_TIMER;
        bool current = tri_load(&oldest->gen, TRI_RELAXED) == tri_ctx_gen(ctx) &&
                       tri_ctx_gen(ctx) != 0;
        if (timer) {
            struct tri_timer *t = (struct tri_timer *)oldest;
            t->queued = t->armed = false;
            if (t->dead)
                tri_timer_free(ctx, t);
            else if (current)
                on_sys(ctx, cell, oldest);
        } else if (current) {
            on_sys(ctx, cell, oldest);
            oldest->flags = 0; /* They held the kind. */
            tri_block_free(ctx, oldest);
        } else {
            uint64_t gen = tri_load(&oldest->gen, TRI_RELAXED);
            tri_sys_stale(ctx, (tr_pid){gen << 32 | cell->slot}, oldest);
        }
        oldest = next;
    }
}
