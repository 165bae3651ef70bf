/*
 * core/slots.h - the PID table.
 *
 * A PID's generation has four low bits with a meaning: TRI_GEN_ALIVE is set in all PIDs and
 * clear in a free slot, TRI_GEN_BOUNDED says that the mailbox has a bound, TRI_GEN_SHOWN that the
 * system's middleware wants to see what is sent, TRI_GEN_REMOTE that the actor is another node's,
 * so that a sender learns it without touching the cell.
 *
 * Chunks of cells that all are free lose their memory when the system is idle; they read as
 * zeroes then, which no PID's generation matches. Nobody may be between reading a generation
 * and using its cell at that time. Workers are not while they are parked. Outside threads say
 * so in ctx->busy; to spare workers that, outside threads see an empty table, so that all of
 * their sends take the slow path, which knows.
 */
#ifndef TROUPE_CORE_SLOTS_H
#define TROUPE_CORE_SLOTS_H

#include "base/assert.h"
#include "core/ctx.h"

#define TRI_GEN_BOUNDED 1u
#define TRI_GEN_ALIVE 2u
#define TRI_GEN_SHOWN 4u
#define TRI_GEN_REMOTE 8u
/* Not for the short path of sending. */
#define TRI_GEN_ODD (TRI_GEN_BOUNDED | TRI_GEN_SHOWN | TRI_GEN_REMOTE)
#define TRI_GEN_STEP 16u

/* Of a slot whose tenants had a bounded mailbox (core/bound.h); as stable as the cells are. */
struct tri_bound;

bool tri_slots_init(struct tri_slots *slots, uint32_t slots_max);
void tri_slots_fini(struct tri_slots *slots);

/* Two loads, neither waiting for the other. NULL for a slot that never was. */
TRI_HOT_INLINE struct tri_cell *tri_slot_cell(const struct tri_slots *slots, uint32_t slot)
{
    /* Acquire pairs with the release in add_chunk(): the cells are initialised. */
    if (TRI_UNLIKELY(slot >= tri_load(&slots->count, TRI_ACQUIRE)))
        return NULL;
    return &slots->cells[slot];
}

static inline struct tri_bound *tri_cell_bound(const struct tri_slots *slots,
                                               const struct tri_cell *cell)
{
    /* Acquire pairs with the release in tri_bound_open(). */
    return tri_load(&slots->bounds[cell->slot], TRI_ACQUIRE);
}

/* The cell of a PID that is alive now; NULL otherwise. */
static inline struct tri_cell *tri_pid_cell(const struct tri_slots *slots, tr_pid pid)
{
    struct tri_cell *cell = tri_slot_cell(slots, (uint32_t)pid.bits);
    uint32_t gen = (uint32_t)(pid.bits >> 32);
    if (!cell || !(gen & TRI_GEN_ALIVE) || tri_load(&cell->gen, TRI_ACQUIRE) != gen)
        return NULL;
    return cell;
}

/* Whether messages to `pid` go to another node. */
static inline bool tri_pid_remote(tr_pid pid)
{
    return (pid.bits >> 32 & (TRI_GEN_ALIVE | TRI_GEN_REMOTE)) ==
               (TRI_GEN_ALIVE | TRI_GEN_REMOTE) &&
           !tr_pid_is_nobody(pid);
}

/* A free cell, claimed: the caller owns it and its stub is queued. NULL: the table is full. */
struct tri_cell *tri_slot_take(struct tr_ctx *ctx);
/* Makes room in the context's own list of free slots. */
void tri_slots_give_half(struct tr_ctx *ctx);
/* Gives back the slot of a cell that is idle and has no tenant. */
static inline void tri_slot_give(struct tr_ctx *ctx, uint32_t slot)
{
    if (TRI_UNLIKELY(ctx->slot_count == TRI_SLOT_CACHE))
        tri_slots_give_half(ctx);
    ctx->slots[ctx->slot_count++] = slot;
}
/* Gives back all slots that the context keeps. */
void tri_slots_flush(struct tr_ctx *ctx);

/* Gives back the memory of free chunks, if no other thread can be using a cell of theirs. Of a
 * worker that has been idle for a while. */
void tri_slots_trim(struct tri_worker *worker);

/*
 * Around everything an outside thread does with a cell. Sequentially consistent: the trimmer
 * has seen the generations dead, then looks at `busy`; we set `busy`, then look at generations.
 * One of the two sees the other. Calls nest.
 */
static inline void tri_outside_enter(struct tr_ctx *ctx)
{
    if (!ctx->worker)
        tri_fetch_add(&ctx->busy, 1u, TRI_SEQ_CST);
}

static inline void tri_outside_leave(struct tr_ctx *ctx)
{
    if (!ctx->worker)
        tri_fetch_sub(&ctx->busy, 1u, TRI_RELEASE);
}

#endif
