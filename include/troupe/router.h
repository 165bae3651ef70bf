/*
 * troupe/router.h - one PID in front of many actors.
 *
 * A router is an actor. What is sent to it reaches one of its routees (all, with
 * TR_ROUTE_BROADCAST) as if it had been sent there: tr_sender() and tr_reply() work as usual.
 *
 * Pool: tr_spawn(ctx, &worker, .pool = 8, .route = …) makes a router and its routees, which are
 * its children. `supervise`, `arg`, `mailbox_max` and `middleware` hold for each of them;
 * `supervise` for the router, too, and `name` for the router only. A routee that ends is
 * replaced, with the same share of the keys. Ends by failures (its budget is used up, or the
 * directive was to stop) count against the same policy once more: beyond that the router itself
 * fails with TR_ERESTARTS, and its supervisor decides. What waited in the mailbox of a routee
 * that ended becomes dead letters; a restart keeps it. Restarting a router replaces all routees,
 * stopping it (tr_poison() too, which waits only for the router's own mailbox) stops them.
 *
 * Group: tr_spawn_group(ctx, pids, count, .route = …) routes to actors that are there already;
 * one that ends is taken off the list. Without routees messages become dead letters.
 */
#ifndef TROUPE_ROUTER_H
#define TROUPE_ROUTER_H

#include "troupe/message.h"

TR_BEGIN_DECLS

enum tr_route {
    TR_ROUTE_NONE, /* of routers: TR_ROUTE_ROUND_ROBIN */
    TR_ROUTE_ROUND_ROBIN,
    TR_ROUTE_RANDOM, /* from the system's random port */
    /* The shortest mailbox, one that is idle before one that is busy. Exact for pools and for
     * actors with mailbox_max; others count as 0 (idle) or 1 (busy). */
    TR_ROUTE_LEAST_LOADED,
    /* Each message to all, its body shared. A request gets the first answer; the others are
     * dead letters (late). */
    TR_ROUTE_BROADCAST,
    /* By route_key: consistent hashing. Equal keys reach the same routee; when one of n joins
     * or leaves, about one key in n moves. */
    TR_ROUTE_HASH,
    /* Work pulling: a routee gets one message at a time and the next when its handler has
     * returned. What waits is kept by the router in the order in which it came and counts as
     * queued: at most mailbox_max messages (0: TR_PULL_MAX), beyond that they are refused. */
    TR_ROUTE_PULL
};

/* Chooses the key of a message for TR_ROUTE_HASH. A pure function. */
typedef uint64_t (*tr_route_key_fn)(const tr_msg *msg);

/* Most routees of one router. */
#define TR_ROUTEES_MAX 1024u
/* Largest bound of the messages that a router with TR_ROUTE_PULL keeps. */
#define TR_PULL_MAX 1048576u

/*
 * Makes the pool larger or smaller. Routees too many, the newest first, still handle what is in
 * their mailboxes and then end. Takes effect in order with the messages of the same sender.
 * TR_EINVAL: count is not in 1 … TR_ROUTEES_MAX. A router of a group, or no router, does not
 * handle it: it becomes a dead letter (unhandled).
 */
TR_API TR_MUST_USE tr_err tr_pool_resize(tr_ctx *ctx, tr_pid router, unsigned count);

/*
 * Adds a routee to a group or takes it out; adding twice is adding once, beyond TR_ROUTEES_MAX
 * nothing is added and the router logs it. Takes effect in order with the messages of the same
 * sender. TR_EINVAL: `routee` is nobody.
 */
TR_API TR_MUST_USE tr_err tr_group_add(tr_ctx *ctx, tr_pid router, tr_pid routee);
TR_API TR_MUST_USE tr_err tr_group_remove(tr_ctx *ctx, tr_pid router, tr_pid routee);

/* Ask a router for this, and it answers with a tr_router_status itself. */
struct tr_router_get {
    char none;
};
TR_API extern const struct tr_type tr_router_get_type;

struct tr_router_status {
    uint32_t routees;
    uint32_t busy;     /* TR_ROUTE_PULL: routees at work */
    uint64_t waiting;  /* TR_ROUTE_PULL: messages kept */
    uint64_t routed;   /* messages passed on since the router's start or restart */
    uint64_t replaced; /* routees of a pool */
};
TR_API extern const struct tr_type tr_router_status_type;

TR_END_DECLS

#endif
