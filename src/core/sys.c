/* System messages on their way. */
#include "base/assert.h"
#include "core/send.h"

static const struct tr_type sys_type = {"system", 0, NULL, TR_TYPE_CONTROL};

struct tri_block *tri_sys_new(struct tr_ctx *ctx, uint32_t gen, enum tri_sys_kind kind, tr_pid from,
                              uint64_t arg)
{
    struct tri_block *block = tri_block_new(ctx, &sys_type, 0, true);
    /* Not held up by the cap, so this is the machine's memory, not ours, that has run out; the
     * runtime cannot keep its promises without these messages. */
    TRI_ASSERT(block != NULL);
    tri_store(&block->gen, gen, TRI_RELAXED);
    block->flags = (uint8_t)kind;
    block->from = from;
    block->call = arg;
    return block;
}

void tri_sys_push(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    struct tri_block *seen = tri_load(&cell->sys, TRI_RELAXED);
    do {
        tri_store(&block->next, seen, TRI_RELAXED);
        /* Release publishes the message; sequentially consistent for the look at head and
         * held that follows (see tri_turn_recheck()). */
    } while (!tri_cas_weak(&cell->sys, &seen, block, TRI_SEQ_CST, TRI_RELAXED));
    if (tri_mailbox_claim(cell)) {
        tri_schedule(ctx, cell);
        return;
    }
    uint32_t held = 1;
    if (tri_load(&cell->held, TRI_SEQ_CST) == 1 &&
        tri_cas_strong(&cell->held, &held, 0u, TRI_SEQ_CST, TRI_RELAXED))
        tri_schedule(ctx, cell);
}

void tri_sys_stale(struct tr_ctx *ctx, tr_pid to, struct tri_block *block)
{
    if (block->flags == TRI_SYS_WATCH)
        tri_sys_send(ctx, block->from, TRI_SYS_DOWN, to, TR_ENOACTOR);
    else if (block->flags == TRI_SYS_PROBE)
        tri_sys_send(ctx, block->from, TRI_SYS_GONE, to, TR_ENOACTOR);
    else if (block->flags == TRI_SYS_LINK)
        tri_sys_send(ctx, block->from, TRI_SYS_LINK_FAILED, to, TR_ENOACTOR);
    block->flags = 0;
    tri_block_free(ctx, block);
}

void tri_sys_send(struct tr_ctx *ctx, tr_pid to, enum tri_sys_kind kind, tr_pid from, uint64_t arg)
{
    uint32_t gen = (uint32_t)(to.bits >> 32);
    struct tri_block *block = tri_sys_new(ctx, gen, kind, from, arg);
    tri_outside_enter(ctx);
    struct tri_cell *cell = tri_pid_cell(&ctx->sys->slots, to);
    if (cell)
        tri_sys_push(ctx, cell, block);
    else
        tri_sys_stale(ctx, to, block);
    tri_outside_leave(ctx);
}
