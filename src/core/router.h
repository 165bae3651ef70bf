/*
 * core/router.h - routers: actors that pass on what they get.
 */
#ifndef TROUPE_CORE_ROUTER_H
#define TROUPE_CORE_ROUTER_H

#include "core/ctx.h"

/* What a router was spawned with; kept for its restarts. One allocation. */
struct tri_router_spec {
    struct tr_spawn_args routee; /* of a pool; its `arg` points behind the PIDs */
    enum tr_route route;
    tr_route_key_fn key;
    uint32_t keep_max; /* messages kept with TR_ROUTE_PULL */
    uint32_t count;    /* of routees at the start */
    tr_pid pids[];     /* of a group */
};

extern const struct tr_actor tri_router_actor;

/* A router in front of actors that are there already, perhaps of none yet. */
static inline bool tri_router_is_group(const struct tr_spawn_args *args)
{
    return !args->actor && (args->group || args->route != TR_ROUTE_NONE);
}

/* TR_OK or TR_EINVAL, if `args` asks for a router; the reason goes into the context. */
tr_err tri_router_check(struct tr_ctx *ctx, const struct tr_spawn_args *args);
/* A copy of what `args` asks for; NULL when out of memory. */
struct tri_router_spec *tri_router_spec(const struct tr_spawn_args *args);

bool tri_router_is_marker(const struct tri_block *block);
/* A marker behind a message for a routee has been reached: it is free again. */
void tri_router_reached(struct tr_ctx *ctx, const struct tri_block *marker);

#endif
