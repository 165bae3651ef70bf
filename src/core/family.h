/*
 * core/family.h - parents and children.
 *
 * A parent's lock guards the list of its children, newest first. A child that is linked has not
 * ended: it unlinks itself before it frees anything.
 */
#ifndef TROUPE_CORE_FAMILY_H
#define TROUPE_CORE_FAMILY_H

#include "core/send.h"

/* Slots of relatives come from cells, so they are in the table. */
static inline struct tri_cell *tri_family_cell(const struct tr_system *sys, uint32_t slot)
{
    return &sys->slots.cells[slot];
}

static inline struct tri_cell *tri_family_parent(const struct tr_ctx *ctx,
                                                 const struct tri_cell *cell)
{
    return tri_family_cell(ctx->sys, cell->parent);
}

bool tri_family_any(struct tri_cell *cell);

/* Sends a system message to the children from the newest to the one in slot `last` (0: to all). */
void tri_family_tell(struct tr_ctx *ctx, struct tri_cell *cell, enum tri_sys_kind kind,
                     uint64_t arg, uint32_t last);
/* Stops all children, and takes no more. */
void tri_family_stop(struct tr_ctx *ctx, struct tri_cell *cell);
/* The slow half of tri_family_leave(), under the lock of a parent that waits for its children. */
void tri_family_one_less(struct tr_ctx *ctx, struct tri_cell *parent);

/* Links a child; false: the parent takes no more children. */
static inline bool tri_family_join(struct tr_ctx *ctx, struct tri_cell *parent,
                                   struct tri_cell *child)
{
    tri_spin_lock(&parent->lock);
    bool takes = !parent->wants_gone;
    if (takes) {
        uint32_t sibling = parent->child_first;
        child->parent = parent->slot;
        child->sib_prev = 0;
        child->sib_next = sibling;
        if (sibling)
            tri_family_cell(ctx->sys, sibling)->sib_prev = child->slot;
        parent->child_first = child->slot;
    }
    tri_spin_unlock(&parent->lock);
    return takes;
}

static inline void tri_family_leave(struct tr_ctx *ctx, struct tri_cell *child)
{
    if (child->parent == 0)
        return; /* The guardian and proxies. */
    struct tri_cell *parent = tri_family_parent(ctx, child);
    tri_spin_lock(&parent->lock);
    if (child->sib_prev)
        tri_family_cell(ctx->sys, child->sib_prev)->sib_next = child->sib_next;
    else
        parent->child_first = child->sib_next;
    if (child->sib_next)
        tri_family_cell(ctx->sys, child->sib_next)->sib_prev = child->sib_prev;
    if (TRI_UNLIKELY(parent->wants_gone != TRI_GONE_NO))
        tri_family_one_less(ctx, parent);
    tri_spin_unlock(&parent->lock);
}

#endif
