/*
 * remote/flow.h - what waits for a link whose queue is full (TR_DELAY, TR_DROP_OLDEST).
 *
 * With these policies proxies have a bounded mailbox, and while the link's queue is full they take
 * nothing out of it. So the core does the rest: it holds senders back, without deadlock, or drops
 * the oldest message that may be dropped; the latter only then, not because a proxy has not had its
 * turn yet. A proxy waits for nobody but its link, which empties its
 * queue sooner or later: to its peer, or into dead letters.
 */
#ifndef TROUPE_REMOTE_FLOW_H
#define TROUPE_REMOTE_FLOW_H

#include "remote/far.h"

static inline bool tri_flow_holds(const struct tr_remote *remote)
{
    return remote->config.overflow == TR_DELAY || remote->config.overflow == TR_DROP_OLDEST;
}

/* The mailbox of a proxy. */
struct tr_spawn_args tri_flow_mailbox(const struct tr_remote *remote);
/* tri_far_proxy.deliver, after which the proxy waits if the queue is full. */
void tri_flow_deliver(struct tri_proxy *proxy, struct tr_ctx *ctx, struct tri_block *block);
/* TRI_SYS_UNDELAY: there is room again. The proxy's turn, as the one before. */
void tri_flow_go_on(struct tri_far *far, struct tr_ctx *ctx);
/* The proxy has ended. */
void tri_flow_forget(struct tri_far *far);

/* Under the link's lock: somebody waits, and there is room again. */
bool tri_flow_eased(const struct tri_link *link);
/* The I/O thread: who waits goes on. */
void tri_flow_release(struct tri_link *link);
/* The same if there is room; once a second, since other links may have made it. */
void tri_flow_look(struct tri_link *link);
/* With TR_DELAY: the queue to that actor is full. Any thread. */
bool tri_flow_full(struct tr_remote *remote, tr_pid to);

#endif
