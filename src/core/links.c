#include "core/links.h"

#include "base/assert.h"
#include "core/cold.h"
#include "core/life.h"
#include "core/log.h"
#include "core/send.h"

#include <stdio.h>

tr_err tr_link(tr_ctx *ctx, tr_pid pid)
{
    TRI_ASSERT(ctx->cell != NULL);
    tr_pid self = tri_ctx_self(ctx);
    if (tr_pid_is_nobody(pid))
        return tr_fail(ctx, TR_ENOACTOR, "cannot link to nobody: %s", tr_strerror(tr_pid_err(pid)));
    if (tr_pid_equal(pid, self))
        return tr_fail(ctx, TR_EINVAL, "%" PRIx64 " cannot be linked to itself", pid.bits);
    struct tri_cold *cold = tri_cold(ctx->cell);
    if (!cold || !tri_pids_add(&cold->links, pid))
        return TR_ENOMEM;
    tri_sys_send(ctx, pid, TRI_SYS_LINK, self, 0);
    return TR_OK;
}

void tr_unlink(tr_ctx *ctx, tr_pid pid)
{
    TRI_ASSERT(ctx->cell != NULL);
    if (ctx->cell->cold && tri_pids_remove(&ctx->cell->cold->links, pid))
        tri_sys_send(ctx, pid, TRI_SYS_UNLINK, tri_ctx_self(ctx), 0);
}

void tri_links_handle(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    if (block->flags == TRI_SYS_UNLINK) {
        if (cell->cold)
            (void)tri_pids_remove(&cell->cold->links, block->from);
        return;
    }
    struct tri_cold *cold = tri_cold(cell);
    if (cold && tri_pids_add(&cold->links, block->from))
        return;
    /* A link that holds on one side only would be worse than none. */
    tri_log(ctx->sys, TR_LOG_ERROR, "out of memory: %" PRIx64 " cannot be linked to %" PRIx64,
            tri_cell_pid(cell).bits, block->from.bits);
    tri_sys_send(ctx, block->from, TRI_SYS_LINK_FAILED, tri_cell_pid(cell), TR_ENOMEM);
}

static void fail_of_link(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid who, tr_err err)
{
    ctx->fail_code = TR_ELINK;
    snprintf(ctx->fail_text, sizeof ctx->fail_text, "%" PRIx64 " failed: %s", who.bits,
             tr_strerror(err));
    tri_life_failed(ctx, cell, TR_ELINK);
}

void tri_links_failed(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid who, tr_err err)
{
    struct tri_cold *cold = cell->cold;
    if (!cold || !tri_pids_remove(&cold->links, who))
        return; /* Unlinked meanwhile, or told already. */
    /* The other side forgot us when it told us. If tr_unlink() and tr_link() have crossed that on
     * its way, it knows us again: then all that comes of it is a message that is ignored. */
    if (cell->state == TRI_SUSPENDED) {
        cold->link_failed = who;
        cold->link_reason = err;
    } else {
        fail_of_link(ctx, cell, who, err);
    }
}

void tri_links_resumed(struct tr_ctx *ctx, struct tri_cell *cell)
{
    struct tri_cold *cold = cell->cold;
    tr_pid who = cold->link_failed;
    cold->link_failed = TR_NOBODY;
    if (!tr_pid_is_nobody(who))
        fail_of_link(ctx, cell, who, cold->link_reason);
}

void tri_links_tell(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid self, tr_err reason)
{
    struct tri_cold *cold = cell->cold;
    tr_pid other;
    cold->link_failed = TR_NOBODY;
    for (uint32_t at = 0; tri_pids_next(&cold->links, &at, &other);)
        tri_sys_send(ctx, other, reason ? TRI_SYS_LINK_FAILED : TRI_SYS_UNLINK, self,
                     (uint64_t)reason);
    tri_pids_fini(&cold->links);
}
