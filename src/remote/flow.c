/* What waits for a link whose queue is full: remote/flow.h. */
#include "remote/flow.h"

#include "core/bound.h"

#define NO_BOUND UINT32_MAX

struct tr_spawn_args tri_flow_mailbox(const struct tr_remote *remote)
{
    bool delay = remote->config.overflow == TR_DELAY;
    return (struct tr_spawn_args){.mailbox_max = delay ? remote->config.queue_messages : NO_BOUND,
                                  .overflow = remote->config.overflow};
}

/* These two are never true at the same time. */
static bool is_full(const struct tri_link *link)
{
    const struct tr_remote *remote = link->remote;
    return tri_link_bytes(link) >= remote->config.queue_bytes ||
           tri_load(&remote->queued_bytes, TRI_RELAXED) >= remote->config.queue_bytes_total;
}

bool tri_flow_eased(const struct tri_link *link)
{
    const struct tr_remote *remote = link->remote;
    return link->held && tri_link_bytes(link) <= remote->config.queue_bytes / 2 &&
           tri_load(&remote->queued_bytes, TRI_RELAXED) < remote->config.queue_bytes_total;
}

void tri_flow_deliver(struct tri_proxy *proxy, struct tr_ctx *ctx, struct tri_block *block)
{
    struct tri_far *far = TRI_CONTAINER_OF(proxy, struct tri_far, proxy);
    struct tri_link *link = far->link;
    tri_far_proxy.deliver(proxy, ctx, block);
    tri_spin_lock(&link->lock);
    /* Who takes bytes out looks under the same lock afterwards, so that none waits in vain. */
    bool hold = !link->shut && !far->held && is_full(link);
    if (hold) {
        far->held = true;
        far->held_next = link->held;
        link->held = far;
    }
    tri_spin_unlock(&link->lock);
    if (!hold)
        return;
    ctx->cell->flags |= TRI_CELL_DELAYED;
    if (link->remote->config.overflow == TR_DROP_OLDEST)
        tri_bound_limit(ctx, ctx->cell, link->remote->config.queue_messages);
}

void tri_flow_go_on(struct tri_far *far, struct tr_ctx *ctx)
{
    ctx->cell->flags &= (uint16_t)~TRI_CELL_DELAYED;
    if (far->link->remote->config.overflow == TR_DROP_OLDEST)
        tri_bound_limit(ctx, ctx->cell, NO_BOUND);
}

void tri_flow_forget(struct tri_far *far)
{
    struct tri_link *link = far->link;
    tri_spin_lock(&link->lock);
    for (struct tri_far **at = &link->held; far->held; at = &(*at)->held_next) {
        if (*at != far)
            continue;
        *at = far->held_next;
        far->held = false;
    }
    tri_spin_unlock(&link->lock);
}

void tri_flow_release(struct tri_link *link)
{
    for (;;) {
        tri_spin_lock(&link->lock);
        struct tri_far *far = link->held;
        tr_pid pid = TR_NOBODY;
        if (far) {
            pid = far->pid;
            link->held = far->held_next;
            far->held = false;
        }
        tri_spin_unlock(&link->lock);
        if (!far)
            return;
        tri_sys_send(link->io->ctx, pid, TRI_SYS_UNDELAY, TR_NOBODY, 0);
    }
}

void tri_flow_look(struct tri_link *link)
{
    tri_spin_lock(&link->lock);
    bool eased = tri_flow_eased(link);
    tri_spin_unlock(&link->lock);
    if (eased)
        tri_flow_release(link);
}

bool tri_flow_full(struct tr_remote *remote, tr_pid to)
{
    struct tri_link *link = remote->config.overflow == TR_DELAY ? tri_far_link(remote, to) : NULL;
    if (!link)
        return false;
    tri_spin_lock(&link->lock);
    bool full = !link->shut && is_full(link);
    tri_spin_unlock(&link->lock);
    return full;
}
