/*
 * core/family.h - parents and children.
 *
 * A parent lists the PIDs of its children, oldest first; only its owner touches the list, and of
 * the guardian, whose children come from outside threads, who holds its lock. A child that ends
 * does not touch the list: it unlinks itself by clearing its `parent`, and the parent strikes it
 * off when the list is full or when it waits for its children. So a short life costs no lock.
 *
 * Who waits sets TRI_WANTS_GONE, then looks which children are linked; a child unlinks itself,
 * then looks whether it is waited for. Between the two steps each has a sequentially consistent
 * fence, so one of them sees the other: a parent never misses the end of its last child.
 *
 * A child that is linked has not freed anything yet. One that has a cold part unlinks itself under
 * its parent's lock, so that the parent may read there under that lock what it is linked for.
 */
#ifndef TROUPE_CORE_FAMILY_H
#define TROUPE_CORE_FAMILY_H

#include "core/send.h"

struct tri_children {
    uint32_t count;
    uint32_t capacity;
    uint32_t told; /* of those that end one by one: how long the list was when the last was told */
    tr_pid list[]; /* oldest first; some may have ended */
};

/* Slots of relatives come from cells, so they are in the table. */
static inline struct tri_cell *tri_family_cell(const struct tr_system *sys, uint32_t slot)
{
    return &sys->slots.cells[slot];
}

static inline struct tri_cell *tri_family_parent(const struct tr_ctx *ctx,
                                                 const struct tri_cell *cell)
{
    /* Relaxed: only the cell's owner clears it, who calls this. */
    return tri_family_cell(ctx->sys, tri_load(&cell->parent, TRI_RELAXED));
}

/* Of a cell that waits for its children: whether one is left. Tells the next to end if they end
 * one by one. */
bool tri_family_any(struct tr_ctx *ctx, struct tri_cell *cell);

/* Sends a system message to the children from the newest to the one in slot `last` (0: to all). */
void tri_family_tell(struct tr_ctx *ctx, struct tri_cell *cell, enum tri_sys_kind kind,
                     uint64_t arg, uint32_t last);
/* Stops all children, and takes no more. */
void tri_family_stop(struct tr_ctx *ctx, struct tri_cell *cell);
/* Takes children again. */
void tri_family_reopen(struct tri_cell *cell);
/* At the end of an actor. */
void tri_family_free(struct tri_cell *cell);

/* Makes room in the list of a parent: strikes off who has ended, or grows. Owner only. */
bool tri_family_make_room(struct tr_ctx *ctx, struct tri_cell *parent);
/* Links a child of the guardian. */
tr_err tri_family_join_guardian(struct tr_ctx *ctx, struct tri_cell *child);

/* Links a child to the actor that runs. TR_ECLOSING: it takes no more; TR_ENOMEM. */
static inline tr_err tri_family_join(struct tr_ctx *ctx, struct tri_cell *parent,
                                     struct tri_cell *child)
{
    struct tri_children *children = parent->children;
    /* Relaxed: only the owner changes that bit. */
    if (TRI_UNLIKELY(tri_load(&parent->wants_gone, TRI_RELAXED) != TRI_GONE_NO))
        return TR_ECLOSING;
    uint32_t count = children ? children->count : 0;
    if (count > 0 && (uint32_t)children->list[count - 1].bits == child->slot) {
        count--; /* A slot that comes straight back: its tenant before has ended. */
    } else if (TRI_UNLIKELY(!children || count == children->capacity)) {
        if (!tri_family_make_room(ctx, parent))
            return TR_ENOMEM;
        children = parent->children;
        count = children->count;
    }
    /* Relaxed: read by the parent, here, and by the child, which is published later. */
    tri_store(&child->parent, parent->slot, TRI_RELAXED);
    children->list[count] = tri_cell_pid(child);
    children->count = count + 1;
    return TR_OK;
}

/* The slot of who may wait for a child's end: to be kept beyond it. 0: nobody. */
static inline uint32_t tri_family_whose(const struct tri_cell *child)
{
    return tri_load(&child->parent, TRI_RELAXED); /* Ours. */
}

/* Unlinks a child that has no cold part; tri_family_left() follows after an exchange or a
 * compare-and-swap that is sequentially consistent. */
static inline void tri_family_leave(struct tri_cell *child)
{
    /* Release: whoever sees it sees that all is done that comes before. */
    tri_store(&child->parent, 0u, TRI_RELEASE);
}
/* The same for any child. */
void tri_family_leave_locked(struct tr_ctx *ctx, struct tri_cell *child);

/* The slow half of tri_family_left(). */
void tri_family_tell_gone(struct tr_ctx *ctx, struct tri_cell *parent);

/* After a child has let go of its cell: tells the parent in `slot` if it waits. If that has ended
 * already and the slot has another tenant that waits, this one looks once more than it need. */
static inline void tri_family_left(struct tr_ctx *ctx, uint32_t slot)
{
    struct tri_cell *parent = tri_family_cell(ctx->sys, slot);
    tri_fence_after_rmw();
    /* Relaxed: ordered by the fence. */
    if (TRI_UNLIKELY(tri_load(&parent->wants_gone, TRI_RELAXED) != TRI_GONE_NO))
        tri_family_tell_gone(ctx, parent);
}

#endif
