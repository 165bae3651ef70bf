#include "core/family.h"

bool tri_family_any(struct tri_cell *cell)
{
    /* Only the actor itself spawns its children, so without that flag there is none to race
     * with; the guardian's come from outside threads. */
    if (!(cell->flags & (TRI_CELL_SPAWNED | TRI_CELL_GUARDIAN)))
        return false;
    tri_spin_lock(&cell->lock);
    bool has = cell->child_first != 0;
    tri_spin_unlock(&cell->lock);
    return has;
}

/* Under the parent's lock, which has children: a linked one has not ended. */
static void stop_newest(struct tr_ctx *ctx, struct tri_cell *parent)
{
    struct tri_cell *child = tri_family_cell(ctx->sys, parent->child_first);
    uint32_t gen = tri_load(&child->gen, TRI_RELAXED);
    tri_sys_push(ctx, child, tri_sys_new(ctx, gen, TRI_SYS_STOP, TR_NOBODY, TR_OK));
}

void tri_family_one_less(struct tr_ctx *ctx, struct tri_cell *parent)
{
    if (parent->wants_gone == TRI_GONE_IN_ORDER && parent->child_first)
        stop_newest(ctx, parent);
    if (parent->child_first == 0)
        /* Under the lock the parent is still there; if it is not when this arrives, the
         * generation tells. */
        tri_sys_push(ctx, parent,
                     tri_sys_new(ctx, (uint32_t)(tri_cell_pid(parent).bits >> 32),
                                 TRI_SYS_CHILDREN_GONE, TR_NOBODY, 0));
}

void tri_family_tell(struct tr_ctx *ctx, struct tri_cell *cell, enum tri_sys_kind kind,
                     uint64_t arg, uint32_t last)
{
    tri_spin_lock(&cell->lock);
    for (uint32_t slot = cell->child_first; slot != 0;) {
        struct tri_cell *child = tri_family_cell(ctx->sys, slot);
        /* Linked, so it has not ended: its generation is its own. */
        uint32_t gen = tri_load(&child->gen, TRI_RELAXED);
        tri_sys_push(ctx, child, tri_sys_new(ctx, gen, kind, TR_NOBODY, arg));
        if (slot == last)
            break;
        slot = child->sib_next;
    }
    tri_spin_unlock(&cell->lock);
}

void tri_family_stop(struct tr_ctx *ctx, struct tri_cell *cell)
{
    tri_spin_lock(&cell->lock);
    bool in_order = cell->actor->flags & TR_ACTOR_ENDS_IN_ORDER;
    cell->wants_gone = in_order ? TRI_GONE_IN_ORDER : TRI_GONE_AT_ONCE;
    if (in_order && cell->child_first)
        stop_newest(ctx, cell);
    tri_spin_unlock(&cell->lock);
    if (!in_order)
        tri_family_tell(ctx, cell, TRI_SYS_STOP, TR_OK, 0);
}
