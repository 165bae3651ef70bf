#include "core/middleware.h"

#include "core/kind.h"
#include "core/request.h"
#include "core/send.h"
#include "core/spawn.h"

typedef const struct tr_middleware *const *chain_t;

struct tr_next {
    chain_t at;    /* what is left of the chain being walked; NULL: nothing */
    chain_t after; /* the chain to walk then; NULL: none */
    /* receive */
    const struct tri_kind *kind;
    void *state;
    /* send */
    struct tri_block **block; /* NULL once it is on its way */
};

uint32_t tri_middleware_count(chain_t chain)
{
    uint32_t count = 0;
    while (chain && chain[count] && count <= TR_MIDDLEWARE_MAX)
        count++;
    return count;
}

uint32_t tri_middleware_shown(chain_t chain)
{
    uint32_t shown = 0;
    for (; chain && *chain; chain++) {
        shown |= (*chain)->receive || (*chain)->receive_batch ? TRI_SHOW_RECEIVE : 0;
        shown |= (*chain)->send ? TRI_SHOW_SEND : 0;
        shown |= (*chain)->spawn ? TRI_SHOW_SPAWN : 0;
    }
    return shown;
}

/* The next element, and what is left behind it; NULL: the end. */
static const struct tr_middleware *step(struct tr_next *next)
{
    for (;;) {
        if (next->at && *next->at)
            return *next->at++;
        if (!next->after)
            return NULL;
        next->at = next->after;
        next->after = NULL;
    }
}

/* ---- Receive ------------------------------------------------------------- */

tr_err tr_next_receive(const struct tr_next *next, tr_ctx *ctx, const tr_msg *msg)
{
    struct tr_next rest = *next;
    const struct tr_middleware *m;
    while ((m = step(&rest))) {
        if (m->receive)
            return m->receive(m->user, ctx, msg, &rest);
    }
    const struct tri_kind *kind = rest.kind;
    return kind->behaviour ? kind->behaviour->receive(ctx, rest.state, msg)
                           : kind->base->receive(ctx, rest.state, msg);
}

tr_err tr_next_receive_batch(const struct tr_next *next, tr_ctx *ctx, const struct tr_batch *batch)
{
    struct tr_next rest = *next;
    const struct tr_middleware *m;
    while ((m = step(&rest))) {
        if (m->receive_batch)
            return m->receive_batch(m->user, ctx, batch, &rest);
    }
    return rest.kind->base->receive_batch(ctx, rest.state, batch);
}

static struct tr_next start(struct tr_ctx *ctx, void *state)
{
    const struct tri_kind *kind = tri_kind_of(ctx->cell);
    return (struct tr_next){
        .at = ctx->sys->config.middleware, .after = kind->chain, .kind = kind, .state = state};
}

tr_err tri_middleware_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct tr_next next = start(ctx, state);
    return tr_next_receive(&next, ctx, msg);
}

tr_err tri_middleware_receive_batch(tr_ctx *ctx, void *state, const struct tr_batch *batch)
{
    struct tr_next next = start(ctx, state);
    return tr_next_receive_batch(&next, ctx, batch);
}

/* ---- Send ---------------------------------------------------------------- */

static void pass_send(const struct tr_next *next, struct tr_ctx *ctx, tr_pid to)
{
    struct tr_next rest = *next;
    const struct tr_middleware *m;
    while (*rest.block && (m = step(&rest))) {
        if (m->send) {
            m->send(m->user, ctx, to, tri_block_msg(tri_block_payload(*rest.block)), &rest);
            return;
        }
    }
    struct tri_block *block = *rest.block;
    *rest.block = NULL;
    if (block)
        tri_deliver_shown(ctx, to, block);
}

void tr_next_send(const struct tr_next *next, tr_ctx *ctx, tr_pid to)
{
    pass_send(next, ctx, to);
}

void tri_middleware_send(struct tr_ctx *ctx, tr_pid to, struct tri_block *block)
{
    struct tr_next next = {.at = ctx->sys->config.middleware, .block = &block};
    ctx->showing = true;
    pass_send(&next, ctx, to);
    ctx->showing = false;
    if (!block)
        return;
    tri_count(&ctx->counts.dropped, 1);
    if (block->flags & TRI_BLOCK_REQUEST)
        tri_request_fail(ctx, block, to, TR_EDENIED);
    tri_block_free(ctx, block);
}

/* ---- Spawn --------------------------------------------------------------- */

tr_pid tr_next_spawn(const struct tr_next *next, tr_ctx *ctx, const struct tr_spawn_args *args)
{
    struct tr_next rest = *next;
    const struct tr_middleware *m;
    while ((m = step(&rest))) {
        if (m->spawn)
            return m->spawn(m->user, ctx, args, &rest);
    }
    return tri_spawn(ctx, args);
}

tr_pid tri_middleware_spawn(struct tr_ctx *ctx, const struct tr_spawn_args *args)
{
    struct tr_next next = {.at = ctx->sys->config.middleware};
    bool showing = ctx->showing;
    ctx->showing = true;
    tr_pid pid = tr_next_spawn(&next, ctx, args);
    ctx->showing = showing;
    return pid;
}
