#include "core/watch.h"

#include "base/assert.h"
#include "core/cold.h"
#include "core/log.h"
#include "core/send.h"

const struct tr_type tr_down_type = {"tr_down", sizeof(struct tr_down), NULL, TR_TYPE_CONTROL};

/* Askers that have ended say nothing: forget them before the set grows, so that it is never
 * more than twice as large as the living. */
static void forget_dead(struct tr_ctx *ctx, struct tri_pids *pids)
{
    struct tri_pids alive = {0};
    tr_pid pid;
    for (uint32_t at = 0; tri_pids_next(pids, &at, &pid);) {
        if (tri_pid_cell(&ctx->sys->slots, pid) && !tri_pids_add(&alive, pid)) {
            tri_pids_fini(&alive);
            return; /* Out of memory: it stays as it was. */
        }
    }
    tri_pids_fini(pids);
    *pids = alive;
}

void tri_watch_handle(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    struct tri_cold *cold = cell->cold;
    if (block->flags == TRI_SYS_UNWATCH) {
        if (cold)
            (void)tri_pids_remove(&cold->watchers, block->from);
        return;
    }
    bool probe = block->flags == TRI_SYS_PROBE;
    cold = tri_cold(cell);
    if (cold && probe && tri_pids_full(&cold->probers))
        forget_dead(ctx, &cold->probers);
    if (cold && tri_pids_add(probe ? &cold->probers : &cold->watchers, block->from))
        return;
    if (probe) /* The call has its timeout. */
        tri_log(ctx->sys, TR_LOG_ERROR,
                "out of memory: %" PRIx64 " will not hear at once if %" PRIx64 " ends",
                block->from.bits, tri_cell_pid(cell).bits);
    else
        tri_sys_send(ctx, block->from, TRI_SYS_DOWN, tri_cell_pid(cell), TR_ENOMEM);
}

void tri_watch_down(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid who, tr_err reason)
{
    struct tr_down down = {.who = who, .reason = reason};
    if (cell->cold && tri_pids_remove(&cell->cold->watching, who))
        tri_send_reserved(ctx, tri_ctx_self(ctx), &tr_down_type, &down, 0, 0);
}

void tr_watch(tr_ctx *ctx, tr_pid pid)
{
    TRI_ASSERT(ctx->cell != NULL);
    bool nobody = tr_pid_is_nobody(pid);
    struct tri_cold *cold = nobody ? NULL : tri_cold(ctx->cell);
    if (cold && tri_pids_add(&cold->watching, pid)) {
        tri_sys_send(ctx, pid, TRI_SYS_WATCH, tri_ctx_self(ctx), 0);
        return;
    }
    /* Whoever waits for a tr_down must not wait for ever. */
    struct tr_down down = {.who = pid, .reason = nobody ? TR_ENOACTOR : TR_ENOMEM};
    tri_send_reserved(ctx, tri_ctx_self(ctx), &tr_down_type, &down, 0, 0);
}

void tr_unwatch(tr_ctx *ctx, tr_pid pid)
{
    TRI_ASSERT(ctx->cell != NULL);
    if (ctx->cell->cold && tri_pids_remove(&ctx->cell->cold->watching, pid))
        tri_sys_send(ctx, pid, TRI_SYS_UNWATCH, tri_ctx_self(ctx), 0);
}
