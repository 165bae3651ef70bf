#include "core/stepped.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/offload.h"
#include "core/request.h"
#include "core/sched.h"
#include "core/send.h"
#include "core/turn.h"

bool tri_stepped_install(struct tr_system *sys, const struct tri_stepper *port)
{
    TRI_ASSERT(sys->config.manual && !sys->stepped);
    struct tri_stepped *stepped = tri_calloc(1, sizeof *stepped);
    if (!stepped)
        return false;
    stepped->port = *port;
    sys->stepped = stepped;
    return true;
}

void tri_stepped_remove(struct tr_system *sys)
{
    if (!sys->stepped)
        return;
    tri_free(sys->stepped->cells);
    tri_free(sys->stepped);
    sys->stepped = NULL;
}

/* ---- What runs next ------------------------------------------------------ */

/* Room for one more cell, the taken ones moved out of the way. */
static bool make_room(struct tri_stepped *s)
{
    if (s->first + s->count < s->capacity)
        return true;
    if (s->first > s->capacity / 2) {
        memmove(s->cells, s->cells + s->first, s->count * sizeof(struct tri_cell *));
        s->first = 0;
        return true;
    }
    size_t capacity = s->capacity ? 2 * s->capacity : 64;
    struct tri_cell **cells = tri_realloc(s->cells, capacity * sizeof(struct tri_cell *));
    if (!cells)
        return false;
    s->cells = cells;
    s->capacity = capacity;
    return true;
}

static struct tri_cell *next_runnable(struct tri_worker *w)
{
    struct tri_cell *cell = tri_sched_pop(w);
    if (!cell)
        cell = tri_sched_take_injected(w);
    if (!cell) {
        cell = w->handoff; /* Made runnable last. */
        w->handoff = NULL;
    }
    return cell;
}

/* Without memory for the list the rest stays in the queues until there is. */
static void gather(struct tri_stepped *s, struct tri_worker *w)
{
    struct tri_cell *cell;
    while (make_room(s) && (cell = next_runnable(w)))
        s->cells[s->first + s->count++] = cell;
}

/* Takes out one; the oldest takes its place, so that choosing 0 always is first come, first
 * served. */
static struct tri_cell *take(struct tri_stepped *s, size_t index)
{
    struct tri_cell *cell = s->cells[s->first + index];
    s->cells[s->first + index] = s->cells[s->first];
    s->first++;
    s->count--;
    return cell;
}

uint64_t tri_stepped_step(struct tri_worker *w)
{
    struct tr_system *sys = w->ctx.sys;
    struct tri_stepped *s = sys->stepped;
    gather(s, w);
    /* Relaxed: one thread. */
    bool offloaded = tri_load(&sys->offload_pending, TRI_RELAXED) != 0;
    size_t count = s->count + (offloaded ? tri_offload_ready(sys->offload) : 0);
    if (count == 0)
        return UINT64_MAX;
    size_t index = count == 1 ? 0 : s->port.choose(s->port.self, count);
    TRI_ASSERT(index < count);
    uint64_t handled = 0;
    size_t job = index - s->count; /* … of those that are offloaded, if it is none of the cells. */
    struct tri_cell *cell = index < s->count ? take(s, index) : NULL;
    s->port.turn(s->port.self, true);
    if (cell)
        handled = tri_turn_stepped(&w->ctx, cell);
    else
        (void)tri_offload_step(sys->offload, &w->ctx, job);
    s->port.turn(s->port.self, false);
    return handled;
}

/* ---- What becomes of a message ------------------------------------------- */

struct tri_block *tri_stepped_copy(struct tr_ctx *ctx, struct tri_block *block)
{
    struct tri_block *payload = tri_block_payload(block);
    size_t size = tri_block_size(payload);
    struct tri_block *copy = tri_block_new(ctx, block->type, size, true);
    if (!copy)
        return NULL;
    memcpy(tri_block_body(copy), tri_block_body(payload), size);
    copy->from = block->from;
    copy->call = block->call;
    copy->flags |= block->flags & (TRI_BLOCK_REQUEST | TRI_BLOCK_REPLY);
    return copy;
}

bool tri_stepped_intercept(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block,
                           tr_err *ret_err)
{
    struct tri_stepped *s = ctx->sys->stepped;
    if (tri_load(&block->gen, TRI_RELAXED) != tri_ctx_gen(ctx) || (block->flags & TRI_BLOCK_POISON))
        return false;
    enum tri_fate fate = s->port.fate(s->port.self, ctx, block);
    *ret_err = TR_OK;
    struct tri_cold *cold;
    switch (fate) {
    case TRI_FATE_HANDLE:
        return false;
    case TRI_FATE_LOSE:
        cold = tri_cold(cell);
        cell->taken++;
        cell->refused++;
        if (cold)
            cold->dead[TR_DEAD_LOST]++;
        tri_count(&ctx->counts.dead[TR_DEAD_LOST], 1);
        return true;
    case TRI_FATE_DELAY:
        /* It counts when it comes. */
        tri_count(&ctx->counts.accepted, UINT64_MAX);
        return true;
    case TRI_FATE_FAIL:
        cell->taken++;
        if ((block->flags & TRI_BLOCK_REPLY) && block->call)
            (void)tri_request_answered(cell, block->call);
        tri_count(&ctx->counts.processed, 1);
        *ret_err = tr_fail(ctx, TR_EUSER, "simulated failure at %s", block->type->name);
        return true;
    }
    TRI_UNREACHABLE("no such fate");
}
