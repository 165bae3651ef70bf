/*
 * core/cold.h - what few actors need, allocated when first needed.
 */
#ifndef TROUPE_CORE_COLD_H
#define TROUPE_CORE_COLD_H

#include "core/arena.h"
#include "core/calls.h"
#include "core/ctx.h"
#include "core/pids.h"
#include "core/stash.h"
#include "core/supervise.h"
#include "core/timers.h"

/* Something that takes messages in place of an actor: a waiting thread, a remote peer. */
struct tri_proxy {
    /* One message; borrowed. Runs on a worker, one at a time. */
    void (*deliver)(struct tri_proxy *proxy, struct tr_ctx *ctx, struct tri_block *block);
    /* One system message (enum tri_sys_kind), before the cell takes it; borrowed. True: that was
     * all, the cell is not to see it. NULL: the cell takes all. */
    bool (*told)(struct tri_proxy *proxy, struct tr_ctx *ctx, struct tri_block *block);
    /* The last call: the proxy's cell is gone. */
    void (*ended)(struct tri_proxy *proxy, struct tr_ctx *ctx);
};

struct tri_cold {
    char *name;
    struct tri_pids watchers; /* who gets a tr_down */
    struct tri_pids probers;  /* who gets a TRI_SYS_GONE: they wait for an answer */
    struct tri_pids watching; /* whose watcher this is */
    struct tri_pids links;    /* who fails with this one, and it with them */
    tr_pid link_failed;       /* one of them did while this one was suspended */
    tr_err link_reason;
    struct tri_stash stash;
    const struct tr_behaviour **below; /* TR_BEHAVIOURS_MAX; what tr_unbecome() goes back to */
    uint32_t below_count;
    void *owned; /* freed with the cell; of a router: its tri_router_spec */
    struct tri_actor_timers timers;
    struct tri_calls calls;
    struct tri_arena arena;
    struct tri_timer call_timer;
    struct tri_timer idle_timer;
    struct tri_timer backoff_timer;
    unsigned idle_ms;
    uint64_t active_ns;           /* when the last message came */
    struct tri_restarts restarts; /* written by the supervisor while this one is suspended */
    tr_err fail_code;
    const struct tr_actor *fail_actor; /* the user's own table */
    tr_err end_reason;
    char *fail_text;
    struct tri_proxy *proxy;
    bool subscribed;
    uint64_t dead[TR_DEAD_REASON_COUNT];
};

/* The cell's cold part, made if need be; NULL when out of memory. Owner only. */
struct tri_cold *tri_cold(struct tri_cell *cell);
void tri_cold_free(struct tri_cell *cell);

#endif
