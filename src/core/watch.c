#include "core/watch.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/cold.h"
#include "core/log.h"
#include "core/send.h"

const struct tr_type tr_down_type = {"tr_down", sizeof(struct tr_down), NULL, TR_TYPE_CONTROL};

/* ---- Lists of PIDs ------------------------------------------------------- */

bool tri_pids_add(struct tri_pids *pids, tr_pid pid)
{
    for (uint32_t i = 0; i < pids->count; i++) {
        if (tr_pid_equal(pids->items[i], pid))
            return true;
    }
    if (pids->count == pids->capacity) {
        uint32_t capacity = pids->capacity ? pids->capacity * 2 : 4;
        tr_pid *items = tri_realloc(pids->items, capacity * sizeof *items);
        if (!items)
            return false;
        pids->items = items;
        pids->capacity = capacity;
    }
    pids->items[pids->count++] = pid;
    return true;
}

bool tri_pids_remove(struct tri_pids *pids, tr_pid pid)
{
    for (uint32_t i = 0; i < pids->count; i++) {
        if (tr_pid_equal(pids->items[i], pid)) {
            pids->items[i] = pids->items[--pids->count];
            return true;
        }
    }
    return false;
}

void tri_pids_fini(struct tri_pids *pids)
{
    tri_free(pids->items);
    *pids = (struct tri_pids){0};
}

/* ---- Watching ------------------------------------------------------------ */

void tri_watch_tell(struct tr_ctx *ctx, tr_pid watcher, tr_pid who, tr_err reason)
{
    struct tr_down down = {.who = who, .reason = reason};
    if (tri_pid_cell(&ctx->sys->slots, watcher))
        tri_send_reserved(ctx, watcher, &tr_down_type, &down, 0, 0);
}

void tri_watch_handle(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    struct tri_cold *cold = cell->cold;
    if (block->flags == TRI_SYS_UNWATCH) {
        if (cold) {
            (void)tri_pids_remove(&cold->watchers, block->from);
            (void)tri_pids_remove(&cold->probers, block->from);
        }
        return;
    }
    bool probe = block->flags == TRI_SYS_PROBE;
    cold = tri_cold(cell);
    if (cold && tri_pids_add(probe ? &cold->probers : &cold->watchers, block->from))
        return;
    tri_log(ctx->sys, TR_LOG_ERROR, "out of memory: %" PRIx64 " cannot watch %" PRIx64,
            block->from.bits, tri_cell_pid(cell).bits);
}

void tr_watch(tr_ctx *ctx, tr_pid pid)
{
    TRI_ASSERT(ctx->cell != NULL);
    struct tri_cold *cold = tri_cold(ctx->cell);
    if (cold)
        (void)tri_pids_add(&cold->watching, pid);
    tri_sys_send(ctx, pid, TRI_SYS_WATCH, tri_ctx_self(ctx), 0);
}

void tr_unwatch(tr_ctx *ctx, tr_pid pid)
{
    TRI_ASSERT(ctx->cell != NULL);
    if (ctx->cell->cold)
        (void)tri_pids_remove(&ctx->cell->cold->watching, pid);
    tri_sys_send(ctx, pid, TRI_SYS_UNWATCH, tri_ctx_self(ctx), 0);
}
