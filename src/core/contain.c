#include "core/contain.h"

#include "core/arena.h"
#include "core/cold.h"
#include "core/life.h"
#include "core/log.h"
#include "os/fault.h"

#include <stdio.h>

tr_err tri_actor_call(struct tr_ctx *ctx, struct tri_cell *cell, enum tri_call_kind kind,
                      const void *what, tr_err why)
{
    const struct tr_actor *actor = cell->actor;
    void *state = cell->data;
    switch (kind) {
    case TRI_CALL_INIT:
        return actor->init(ctx, state, tri_life_arg(cell));
    case TRI_CALL_RECEIVE:
        return actor->receive(ctx, state, what);
    case TRI_CALL_BATCH:
        return actor->receive_batch(ctx, state, what);
    case TRI_CALL_STOP:
        actor->stop(ctx, state);
        break;
    case TRI_CALL_RESTARTING:
        actor->restarting(ctx, state, why);
        break;
    case TRI_CALL_RESTARTED:
        actor->restarted(ctx, state, why);
        break;
    case TRI_CALL_STOPPING:
        actor->stopping(ctx, state);
        break;
    }
    return TR_OK;
}

struct call {
    struct tr_ctx *ctx;
    struct tri_cell *cell;
    enum tri_call_kind kind;
    const void *what;
    tr_err why;
    tr_err result;
};

static void do_call(void *arg)
{
    struct call *c = arg;
    c->result = tri_actor_call(c->ctx, c->cell, c->kind, c->what, c->why);
}

static const char *kind_name(enum tri_call_kind kind)
{
    static const char *const names[] = {"init",       "receive",   "receive_batch", "stop",
                                        "restarting", "restarted", "stopping"};
    return names[kind];
}

/* The function was abandoned: what it left behind. */
static tr_err abandoned(const struct call *c, const struct tri_fault *fault)
{
    struct tr_ctx *ctx = c->ctx;
    struct tri_cell *cell = c->cell;
    tr_err err = fault->sig ? TR_EFAULT : TR_ELOOP;
    char text[sizeof ctx->fail_text];
    tri_fault_describe(fault, text, sizeof text);
    snprintf(ctx->fail_text, sizeof ctx->fail_text, "%.210s, in %s", text, kind_name(c->kind));
    ctx->fail_code = err;
    ctx->unhandled = false;
    cell->flags &= (uint16_t)~TRI_CELL_INITED;
    if (cell->cold)
        tri_arena_reset(&cell->cold->arena, &ctx->sys->limit);
    if (c->kind >= TRI_CALL_STOP && c->kind != TRI_CALL_RESTARTED)
        tri_log(ctx->sys, TR_LOG_WARN, "actor %s (%" PRIx64 ") faulted on its way out: %s",
                cell->actor->name ? cell->actor->name : "?", tri_cell_pid(cell).bits,
                ctx->fail_text);
    return err;
}

tr_err tri_contained_call(struct tr_ctx *ctx, struct tri_cell *cell, enum tri_call_kind kind,
                          const void *what, tr_err why)
{
    struct call c = {.ctx = ctx, .cell = cell, .kind = kind, .what = what, .why = why};
    struct tri_fault fault;
    /* Once per thread; without it the call goes through, and faults are the process's. */
    (void)tri_fault_prepare();
    return tri_fault_run(do_call, &c, &fault) ? c.result : abandoned(&c, &fault);
}

void tri_contain_spawned(struct tr_ctx *ctx)
{
    const char *why = tri_fault_off();
    /* Relaxed: it only keeps the log short. */
    if (why && !tri_xchg(&ctx->sys->contain_told, true, TRI_RELAXED))
        tri_log(ctx->sys, TR_LOG_WARN, "contained actors run like others: %s", why);
}
