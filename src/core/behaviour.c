/* Actors that change what they do. */
#include "troupe/behaviour.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/behaviour.h"
#include "core/cold.h"
#include "core/kind.h"

static const struct tr_behaviour *current(const struct tri_cell *cell)
{
    const struct tri_kind *kind = tri_kind_of(cell);
    return kind ? kind->behaviour : NULL;
}

/* The short path holds on to the receive function of its turn: it must leave it. */
static tr_err set(struct tr_ctx *ctx, struct tri_cell *cell, const struct tr_behaviour *behaviour)
{
    const struct tri_kind *kind = tri_kind_of(cell);
    if (!tri_kind_set(ctx, cell, tri_kind_base(cell), behaviour, kind ? kind->chain : NULL))
        return TR_ENOMEM;
    cell->flags |= TRI_CELL_AGAIN;
    ctx->attention = true;
    return TR_OK;
}

static tr_err check(const struct tr_ctx *ctx, const struct tr_behaviour *behaviour)
{
    TRI_ASSERT(ctx->cell != NULL);
    return behaviour && behaviour->receive ? TR_OK : TR_EINVAL;
}

tr_err tr_become(tr_ctx *ctx, const struct tr_behaviour *behaviour)
{
    tr_err err = check(ctx, behaviour);
    return err ? err : set(ctx, ctx->cell, behaviour);
}

tr_err tr_become_stacked(tr_ctx *ctx, const struct tr_behaviour *behaviour)
{
    tr_err err = check(ctx, behaviour);
    if (err)
        return err;
    struct tri_cold *cold = tri_cold(ctx->cell);
    if (!cold)
        return TR_ENOMEM;
    if (!cold->below)
        cold->below = tri_calloc(TR_BEHAVIOURS_MAX, sizeof *cold->below);
    if (!cold->below)
        return TR_ENOMEM;
    if (cold->below_count == TR_BEHAVIOURS_MAX)
        return tr_fail(ctx, TR_EFULL, "%u behaviours are stacked already, tr_unbecome() first",
                       TR_BEHAVIOURS_MAX);
    const struct tr_behaviour *now = current(ctx->cell);
    err = set(ctx, ctx->cell, behaviour);
    if (!err)
        cold->below[cold->below_count++] = now;
    return err;
}

tr_err tr_unbecome(tr_ctx *ctx)
{
    TRI_ASSERT(ctx->cell != NULL);
    struct tri_cold *cold = ctx->cell->cold;
    bool none = !cold || cold->below_count == 0;
    if (none && !current(ctx->cell))
        return TR_OK;
    tr_err err = set(ctx, ctx->cell, none ? NULL : cold->below[cold->below_count - 1]);
    if (!err && !none)
        cold->below_count--;
    return err;
}

const char *tr_behaviour_name(const tr_ctx *ctx)
{
    TRI_ASSERT(ctx->cell != NULL);
    const struct tr_behaviour *behaviour = current(ctx->cell);
    return behaviour ? behaviour->name : NULL;
}

void tri_behaviour_reset(struct tr_ctx *ctx, struct tri_cell *cell)
{
    if (cell->cold)
        cell->cold->below_count = 0;
    /* Cannot fail: the kind without a behaviour was there when the actor started. */
    if (current(cell)) {
        bool done = tri_kind_set(ctx, cell, tri_kind_base(cell), NULL, tri_kind_of(cell)->chain);
        TRI_ASSERT(done);
    }
}
