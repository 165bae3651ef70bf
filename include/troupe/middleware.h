/*
 * troupe/middleware.h - functions around every spawn, receive and send.
 *
 * For what concerns all actors and belongs to none: measuring, tracing, checking, recording.
 * tr_config.middleware holds for the whole system, tr_spawn_args.middleware for one actor (of
 * these only the receive functions are used). A chain is a NULL-terminated array; its first
 * element is the outermost, and the system's chain is around the actor's. Each function passes
 * on what it is given with tr_next_…(), before, after or in between its own work, or does not.
 *
 * A system without middleware pays nothing for it. One whose chain has `receive` pays one
 * indirect call more per message, one with `send` leaves the fast path of sending.
 */
#ifndef TROUPE_MIDDLEWARE_H
#define TROUPE_MIDDLEWARE_H

#include "troupe/actor.h"

TR_BEGIN_DECLS

/* The rest of the chain; valid for the call that it was given to, on its thread. */
struct tr_next;

/* Constant tables, borrowed: for the life of the system, also those given to one actor. All
 * functions are optional, and may be called from several workers at once. */
struct tr_middleware {
    const char *name;

    /* Around the handler of one message; on the actor's worker, with its context. Not passed
     * on: the message counts as processed. An error is a failure of the actor. Answers and
     * what the runtime sends (tr_down, tr_idle …) are shown as well. */
    tr_err (*receive)(void *user, tr_ctx *ctx, const tr_msg *msg, const struct tr_next *next);
    /* The same around a batch. */
    tr_err (*receive_batch)(void *user, tr_ctx *ctx, const struct tr_batch *batch,
                            const struct tr_next *next);

    /* Around the delivery of every message, answers and the runtime's own included; on the
     * sender's thread; tr_self() is the sender. Not passed on: the message counts as dropped
     * (tr_try_send() then returns TR_OK). What it sends or spawns itself is not shown to the
     * chain. tr_next_send() may be called once; again it does nothing. */
    void (*send)(void *user, tr_ctx *ctx, tr_pid to, const tr_msg *msg, const struct tr_next *next);

    /* Around tr_spawn(); may pass on other arguments. Its result is that of tr_spawn(). Not
     * passed on: return the reason with tr_nobody(). */
    tr_pid (*spawn)(void *user, tr_ctx *ctx, const struct tr_spawn_args *args,
                    const struct tr_next *next);

    void *user;
};

/* Most elements in one chain. */
#define TR_MIDDLEWARE_MAX 64u

TR_API TR_MUST_USE tr_err tr_next_receive(const struct tr_next *next, tr_ctx *ctx,
                                          const tr_msg *msg);
TR_API TR_MUST_USE tr_err tr_next_receive_batch(const struct tr_next *next, tr_ctx *ctx,
                                                const struct tr_batch *batch);
/* `to` may be another than the one that was given. */
TR_API void tr_next_send(const struct tr_next *next, tr_ctx *ctx, tr_pid to);
TR_API TR_MUST_USE tr_pid tr_next_spawn(const struct tr_next *next, tr_ctx *ctx,
                                        const struct tr_spawn_args *args);

/* A PID that is nobody and says why (see tr_pid_err()). */
static inline tr_pid tr_nobody(tr_err why)
{
    tr_pid pid = {(uint64_t)why << 32};
    return pid;
}

TR_END_DECLS

#endif
