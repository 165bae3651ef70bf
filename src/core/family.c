#include "core/family.h"

#include "base/alloc.h"

#define CAPACITY_MIN 14u /* 128 bytes */
#define SAMPLES 16u

/* ---- The list ------------------------------------------------------------ */

/* Of the guardian: against outside threads. Nobody else touches another actor's list. */
static void lock_list(struct tri_cell *parent)
{
    if (parent->flags & TRI_CELL_GUARDIAN)
        tri_spin_lock(&parent->lock);
}

static void unlock_list(struct tri_cell *parent)
{
    if (parent->flags & TRI_CELL_GUARDIAN)
        tri_spin_unlock(&parent->lock);
}

/* Whether a child of the list has not unlinked itself. */
static bool linked(const struct tr_ctx *ctx, const struct tri_cell *parent, tr_pid pid)
{
    const struct tri_cell *child = tri_family_cell(ctx->sys, (uint32_t)pid.bits);
    /* Acquire pairs with the release in tri_family_leave(). */
    if (tri_load(&child->parent, TRI_ACQUIRE) != parent->slot)
        return false;
    /* Ours, but perhaps a later one in the same slot. A dead generation is that of a tenant on its
     * way out. Relaxed: only we spawn our children, so it cannot become another one meanwhile. */
    uint32_t gen = tri_load(&child->gen, TRI_RELAXED);
    return !(gen & TRI_GEN_ALIVE) || gen == (uint32_t)(pid.bits >> 32);
}

static void strike_off_ended(const struct tr_ctx *ctx, const struct tri_cell *parent,
                             struct tri_children *children)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < children->count; i++) {
        if (linked(ctx, parent, children->list[i]))
            children->list[kept++] = children->list[i];
    }
    children->count = kept;
}

/* Whether it seems that half of the list has ended, by a look at some. */
static bool worth_striking(const struct tr_ctx *ctx, const struct tri_cell *parent,
                           const struct tri_children *children)
{
    if (children->count <= SAMPLES)
        return true;
    uint32_t step = children->count / SAMPLES + 1;
    uint32_t looked = 0;
    uint32_t ended = 0;
    for (uint32_t i = 0; i < children->count; i += step) {
        ended += !linked(ctx, parent, children->list[i]);
        looked++;
    }
    return 2 * ended >= looked;
}

bool tri_family_make_room(struct tr_ctx *ctx, struct tri_cell *parent)
{
    struct tri_children *children = parent->children;
    uint32_t count = 0;
    uint32_t capacity = CAPACITY_MIN;
    if (children) {
        if (worth_striking(ctx, parent, children))
            strike_off_ended(ctx, parent, children);
        count = children->count;
        capacity = children->capacity;
        if (count <= capacity / 2) /* So the next look is far away. */
            return true;
        capacity = capacity < UINT32_MAX / 2 ? 2 * capacity + 2 : UINT32_MAX;
    }
    children = tri_realloc(children, sizeof *children + capacity * sizeof(tr_pid));
    if (!children)
        return parent->children && count < parent->children->capacity;
    children->count = count;
    children->capacity = capacity;
    children->told = 0;
    parent->children = children;
    return true;
}

void tri_family_reopen(struct tri_cell *cell)
{
    tri_store(&cell->wants_gone, TRI_GONE_NO, TRI_RELAXED); /* No child is left to see it. */
}

void tri_family_free(struct tri_cell *cell)
{
    tri_free(cell->children);
    cell->children = NULL;
    tri_family_reopen(cell); /* For the slot's next tenant. */
}

tr_err tri_family_join_guardian(struct tr_ctx *ctx, struct tri_cell *child)
{
    struct tri_cell *guardian = ctx->sys->guardian;
    tri_spin_lock(&guardian->lock);
    tr_err err = tri_family_join(ctx, guardian, child);
    tri_spin_unlock(&guardian->lock);
    return err;
}

/* ---- Telling children ---------------------------------------------------- */

void tri_family_tell(struct tr_ctx *ctx, struct tri_cell *cell, enum tri_sys_kind kind,
                     uint64_t arg, uint32_t last)
{
    lock_list(cell);
    const struct tri_children *children = cell->children;
    for (uint32_t i = children ? children->count : 0; i-- > 0;) {
        tr_pid pid = children->list[i];
        if (!linked(ctx, cell, pid))
            continue;
        tri_sys_send(ctx, pid, kind, TR_NOBODY, arg);
        if ((uint32_t)pid.bits == last)
            break;
    }
    unlock_list(cell);
}

void tri_family_stop(struct tr_ctx *ctx, struct tri_cell *cell)
{
    bool in_order = cell->actor->flags & TR_ACTOR_ENDS_IN_ORDER;
    lock_list(cell);
    /* Relaxed: the fence orders it before our looks at the children. */
    tri_store(&cell->wants_gone, in_order ? TRI_GONE_IN_ORDER : TRI_GONE_AT_ONCE, TRI_RELAXED);
    if (cell->children)
        cell->children->told = 0;
    unlock_list(cell);
    tri_fence(TRI_SEQ_CST);
    if (!in_order)
        tri_family_tell(ctx, cell, TRI_SYS_STOP, TR_OK, 0);
}

bool tri_family_any(struct tr_ctx *ctx, struct tri_cell *cell)
{
    bool any = false;
    /* Only the actor itself spawns its children, so without that flag there is none; the
     * guardian's come from outside threads. */
    if (!(cell->flags & (TRI_CELL_SPAWNED | TRI_CELL_GUARDIAN)))
        return false;
    /* Whoever unlinks itself after this look tells us again. Relaxed: the fence orders it. */
    uint8_t wants = (uint8_t)(tri_load(&cell->wants_gone, TRI_RELAXED) & ~TRI_GONE_TOLD);
    tri_store(&cell->wants_gone, wants, TRI_RELAXED);
    tri_fence(TRI_SEQ_CST);
    lock_list(cell);
    struct tri_children *children = cell->children;
    while (children && children->count > 0 && !any) {
        any = linked(ctx, cell, children->list[children->count - 1]);
        if (!any)
            children->count--;
    }
    if (any && wants == TRI_GONE_IN_ORDER && children->told != children->count) {
        children->told = children->count;
        tri_sys_send(ctx, children->list[children->count - 1], TRI_SYS_STOP, TR_NOBODY, TR_OK);
    }
    unlock_list(cell);
    return any;
}

/* ---- Children that end --------------------------------------------------- */

void tri_family_leave_locked(struct tr_ctx *ctx, struct tri_cell *child)
{
    if (tri_load(&child->parent, TRI_RELAXED) == 0)
        return; /* The guardian and proxies. */
    struct tri_cell *parent = tri_family_parent(ctx, child);
    tri_spin_lock(&parent->lock);
    tri_family_leave(child);
    tri_spin_unlock(&parent->lock);
}

void tri_family_tell_gone(struct tr_ctx *ctx, struct tri_cell *parent)
{
    uint8_t wants = tri_load(&parent->wants_gone, TRI_RELAXED);
    /* One message is enough until the parent has looked. Sequentially consistent: who finds the
     * bit set leaves it to the parent's next look, which then sees what this thread has done. */
    while (wants != TRI_GONE_NO && !(wants & TRI_GONE_TOLD)) {
        if (tri_cas_weak(&parent->wants_gone, &wants, (uint8_t)(wants | TRI_GONE_TOLD), TRI_SEQ_CST,
                         TRI_RELAXED)) {
            /* Whose bit that is, or a later tenant, who will find nothing new. */
            tri_sys_send(ctx, tri_cell_pid(parent), TRI_SYS_CHILDREN_GONE, TR_NOBODY, 0);
            return;
        }
    }
}
