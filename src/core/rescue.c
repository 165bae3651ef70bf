#include "core/rescue.h"

#include "core/log.h"
#include "core/sched.h"
#include "core/slots.h"
#include "core/worker.h"
#include "os/clock.h"
#include "os/fault.h"

#include <stdio.h>

uint64_t tri_worker_done(const struct tri_worker *w)
{
    /* Relaxed: each counter is whole. */
    uint64_t sum = tri_load(&w->ctx.counts.processed, TRI_RELAXED) +
                   tri_load(&w->ctx.counts.spawned, TRI_RELAXED) +
                   tri_load(&w->ctx.counts.ended, TRI_RELAXED) +
                   tri_load(&w->ctx.counts.failed, TRI_RELAXED);
    for (unsigned i = 0; i < TR_DEAD_REASON_COUNT; i++)
        sum += tri_load(&w->ctx.counts.dead[i], TRI_RELAXED);
    return sum;
}

/* ---- On the poked thread ------------------------------------------------- */

/* Also when it is lost already, because it took up this handler before it looked whether it was
 * replaced: then the one in its place gets what waits here. */
static void give_up(struct tri_worker *w)
{
    /* This is the only worker, or `alone` was false already: nobody else reads it now. It is
     * not between the steps of tri_sched_pop() either, since it is in a handler. */
    w->ctx.sys->alone = false;
    struct tri_cell *cell = w->handoff;
    w->handoff = NULL;
    if (cell)
        tri_sched_push(w, cell);
    /* Release: a spare that comes because of this sees the above. */
    if (tri_load(&w->lost, TRI_RELAXED) == TRI_LOST_NOT)
        tri_store(&w->lost, (uint32_t)TRI_LOST_GAVE_UP, TRI_RELEASE);
}

/* In a signal handler, in the middle of code that is not the runtime's. */
static bool on_poke(void *user, const struct tri_poke *poke)
{
    struct tri_worker *w = user;
    const struct tr_ctx *ctx = &w->ctx;
    const struct tri_cell *cell = ctx->cell;
    /* Relaxed: written before the signal was sent. */
    if (!cell || !cell->actor || tri_worker_done(w) != tri_load(&w->asked, TRI_RELAXED))
        return false; /* It got on meanwhile. */
    bool end = (cell->flags & TRI_CELL_CONTAINED) && poke->may_end &&
               tri_load(&w->loops, TRI_RELAXED);
    if (!tri_load(&w->sighted, TRI_RELAXED)) {
        w->sight.pid = ctx->self;
        w->sight.actor = cell->actor;
        w->sight.type = ctx->block ? ctx->block->type : NULL;
        w->sight.ended = end;
        w->sight.count = poke->count;
        memcpy(w->sight.frames, poke->frames, sizeof w->sight.frames);
        tri_store(&w->sighted, true, TRI_RELEASE); /* Pairs with tri_rescue_sight(). */
    }
    if (!end)
        give_up(w);
    return end;
}

void tri_rescue_enter(struct tri_worker *w)
{
    tri_store(&w->fault, tri_fault_thread(on_poke, w), TRI_RELEASE);
}

/* ---- The monitor --------------------------------------------------------- */

bool tri_rescue_poke(struct tri_worker *w, uint64_t done, bool loops)
{
    tri_store(&w->loops, loops, TRI_RELAXED);
    tri_store(&w->asked, done, TRI_RELAXED); /* The signal comes after it. */
    return tri_fault_poke(tri_load(&w->fault, TRI_ACQUIRE));
}

bool tri_rescue_sight(struct tri_worker *w, char *text, size_t size)
{
    if (!tri_load(&w->sighted, TRI_ACQUIRE))
        return false;
    const struct tri_sight *s = &w->sight;
    int length = snprintf(text, size, "actor %s (%" PRIx64 "), message %s, ",
                          s->actor->name ? s->actor->name : "?", s->pid.bits,
                          s->type ? s->type->name : "none");
    if (s->ended)
        length += snprintf(text + length, size - (size_t)length, "was ended ");
    for (uint32_t i = 0; i < s->count && (size_t)length < size; i++) {
        char place[96];
        /* A return address may be the first of the next function. */
        tri_fault_place(s->frames[i] - (i > 0), place, sizeof place);
        length += snprintf(text + length, size - (size_t)length, "%s%s", i ? " < " : "at ", place);
    }
    return true;
}

void tri_rescue_over(struct tri_worker *w)
{
    tri_store(&w->sighted, false, TRI_RELAXED);
}

/* A spare whose thread runs, off duty; NULL when none is left. */
static struct tri_worker *find_spare(struct tr_system *sys)
{
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        struct tri_worker *w = sys->workers[i];
        if (tri_load(&w->on_duty, TRI_ACQUIRE)) /* Only we set it, so no other is found. */
            continue;
        if (!w->started) {
            char name[24];
            snprintf(name, sizeof name, "tr-worker-%u", (unsigned)w->ctx.id);
            w->started = tri_thread_create(&w->thread, name, tri_worker_main, w);
        }
        if (w->started)
            return w;
    }
    return NULL;
}

bool tri_rescue_replace(struct tri_worker *w)
{
    struct tr_system *sys = w->ctx.sys;
    uint32_t gave_up = TRI_LOST_GAVE_UP;
    if (tri_load(&w->lost, TRI_ACQUIRE) != gave_up)
        return true; /* It is back, or was replaced. */
    struct tri_worker *spare = find_spare(sys);
    if (!spare)
        return false;
    /* Before it runs: at rest means that all that are on duty sleep. */
    tri_fetch_add(&sys->active, 1u, TRI_SEQ_CST);
    /* Before the spare runs, too: what it does may be what `w` waits for. Were `w` back by the
     * time we settled this, there would be one too many. */
    if (!tri_cas_strong(&w->lost, &gave_up, (uint32_t)TRI_LOST_REPLACED, TRI_ACQ_REL,
                        TRI_RELAXED)) {
        tri_fetch_sub(&sys->active, 1u, TRI_SEQ_CST);
        return true; /* It is back. */
    }
    /* From now on everybody fires everybody's timers. */
    tri_store(&sys->rescued, true, TRI_RELAXED);
    tri_store(&spare->lost, (uint32_t)TRI_LOST_NOT, TRI_RELAXED);
    tri_store(&spare->on_duty, true, TRI_RELEASE); /* Pairs with tri_rescue_await(). */
    tri_park_wake(&spare->park);
    return true;
}

/* ---- Back again ---------------------------------------------------------- */

void tri_rescue_await(struct tri_worker *w)
{
    const struct tr_system *sys = w->ctx.sys;
    while (!tri_load(&w->on_duty, TRI_ACQUIRE) && !tri_load(&sys->quit, TRI_ACQUIRE))
        (void)tri_park_wait(&w->park, -1);
}

static void go_off_duty(struct tri_worker *w)
{
    struct tr_system *sys = w->ctx.sys;
    struct tri_cell *cell = w->handoff ? w->handoff : tri_sched_pop(w);
    w->handoff = NULL;
    for (; cell; cell = tri_sched_pop(w)) /* All of it: nobody steals a single cell. */
        tri_sched_inject(sys, cell);
    tri_pool_flush(&w->ctx.pool);
    tri_slots_flush(&w->ctx);
    /* We may have been woken for work that was injected, and our timers run on: another one
     * that sleeps has to look at both, before the rest can be found to be at rest. */
    tri_sched_wake_one(sys);
    tri_fetch_sub(&sys->active, 1u, TRI_SEQ_CST);
    /* The one that was woken may be asleep again: with one less on duty that is rest. */
    tri_worker_tell_rest(sys);
    /* Release: whoever sends it out again finds it as it is now. */
    tri_store(&w->on_duty, false, TRI_RELEASE);
    tri_rescue_await(w);
    w->turns_per_look = 0;
    w->pops = 0;
    w->look_cycles = tri_cycles();
}

void tri_rescue_returned(struct tri_worker *w)
{
    uint32_t gave_up = TRI_LOST_GAVE_UP;
    if (tri_cas_strong(&w->lost, &gave_up, (uint32_t)TRI_LOST_NOT, TRI_ACQ_REL, TRI_RELAXED))
        return; /* Nobody came in its place. */
    go_off_duty(w);
}
