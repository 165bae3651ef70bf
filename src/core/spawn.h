/* core/spawn.h - new tenants for cells. */
#ifndef TROUPE_CORE_SPAWN_H
#define TROUPE_CORE_SPAWN_H

#include "core/ctx.h"

struct tri_proxy;

/* tr_spawn_() without the middleware. */
tr_pid tri_spawn(struct tr_ctx *ctx, const struct tr_spawn_args *args);
/* The root of all actors; once per system. */
struct tri_cell *tri_spawn_guardian(struct tr_ctx *ctx);
/* A PID whose messages go to `proxy` until TRI_SYS_STOP; then proxy->ended() is called, after
 * which the proxy may be freed. Nobody (see tr_pid_err()) when there is no room. */
tr_pid tri_spawn_proxy(struct tr_ctx *ctx, struct tri_proxy *proxy);
/* The same for an actor of another node: its PIDs have TRI_GEN_REMOTE. Of `mailbox` count the bound,
 * 0 for none, and the policy. */
tr_pid tri_spawn_remote(struct tr_ctx *ctx, struct tri_proxy *proxy,
                        const struct tr_spawn_args *mailbox);
/* A call whose answer comes from tr_offload(). */
uint64_t tri_request_open_offload(struct tr_ctx *ctx);

#endif
