/*
 * troupe/behaviour.h - actors that change what they do: become, and the stash.
 *
 * An order that waits for a payment takes other messages than one that is paid. A behaviour
 * says which; the actor's state stays. What cannot be handled now can be put aside in the
 * stash and taken up again later, in the order in which it came.
 */
#ifndef TROUPE_BEHAVIOUR_H
#define TROUPE_BEHAVIOUR_H

#include "troupe/message.h"

TR_BEGIN_DECLS

/* ---- Become -------------------------------------------------------------- */

/* What an actor does with its messages: a constant table, static. Messages come one at a time,
 * also those of the actor's batch type. */
struct tr_behaviour {
    const char *name;
    /* Like tr_actor.receive, with the state of the actor. */
    tr_err (*receive)(tr_ctx *ctx, void *state, const tr_msg *msg);
    const struct tr_type *const *accepts; /* NULL-terminated; may be NULL */
};

/*
 * TR_BEHAVIOUR(paying, order, PAYING_HANDLERS) writes `paying`, a static behaviour for actors
 * with the state `struct order`, from a list of (message type, handler) pairs as TR_DISPATCH()
 * takes it. Needs troupe/actor.h.
 */
#define TR_BEHAVIOUR(NAME, STATE, HANDLERS)                                             \
    static tr_err NAME##_receive(tr_ctx *ctx, void *state, const tr_msg *msg)           \
    {                                                                                   \
        struct STATE *self = (struct STATE *)state;                                     \
        (void)self;                                                                     \
        HANDLERS(TR_ON_CALL_)                                                           \
        return tr_unhandled(ctx);                                                       \
    }                                                                                   \
    static const struct tr_type *const NAME##_accepts[] = {HANDLERS(TR_ON_TYPE_) NULL}; \
    static const struct tr_behaviour NAME = {#NAME, NAME##_receive, NAME##_accepts}

/*
 * From the next message on the actor behaves like `behaviour` (borrowed for the life of the
 * system), instead of as it does now. A restart brings back the behaviour of its tr_actor; a
 * resume keeps what was set. The table of its kind (init, hooks, supervision) is not changed.
 * Actors only, in a handler or in init.
 * TR_EINVAL (no behaviour, or one without receive), TR_ENOMEM (or the system has seen more than
 * 16384 different ones); then nothing has changed. O(1); takes a short lock.
 */
TR_API TR_MUST_USE tr_err tr_become(tr_ctx *ctx, const struct tr_behaviour *behaviour);

/*
 * The same, but what it does now is kept below, for tr_unbecome().
 * TR_EFULL when TR_BEHAVIOURS_MAX are kept already.
 */
TR_API TR_MUST_USE tr_err tr_become_stacked(tr_ctx *ctx, const struct tr_behaviour *behaviour);

/*
 * Back to the behaviour below, or to that of the tr_actor when none is below; there it does
 * nothing. TR_ENOMEM; then nothing has changed.
 */
TR_API TR_MUST_USE tr_err tr_unbecome(tr_ctx *ctx);

/* The name of what it does now; NULL: what its tr_actor says. */
TR_API const char *tr_behaviour_name(const tr_ctx *ctx);

/* Most behaviours kept below one actor's current one. */
#define TR_BEHAVIOURS_MAX 64u

/* ---- Stash ---------------------------------------------------------------
 *
 * All calls: actors only, with the context of the handler that runs.
 */

/* Messages that one actor can put aside, unless its tr_actor.stash_max says otherwise. */
#define TR_STASH_MAX_DEFAULT 1024u

/*
 * Puts the message being handled aside: it counts as queued, not as processed, and its body is
 * kept, not copied. Usually the handler's last line: `return tr_stash(ctx);`. A handler that
 * fails has consumed its message all the same, and one that says tr_unhandled() too.
 * TR_EFULL: the stash has reached its bound, or the system's memory its cap. TR_EINVAL: there is
 * no message, it is put aside already, or it is one of a batch. Then nothing was put aside.
 */
TR_API TR_MUST_USE tr_err tr_stash(tr_ctx *ctx);

/*
 * Takes up to `max` messages (SIZE_MAX: all) out of the stash, oldest first; returns how many.
 * They are handled after the message being handled now and before all that waits in the
 * mailbox, in the order in which they first came. One that is put aside again keeps its place
 * in that order.
 * A restart takes all messages out; when the actor ends they become dead letters.
 */
TR_API size_t tr_unstash(tr_ctx *ctx, size_t max);

/* Messages in the stash now, without those that tr_unstash() has taken out. */
TR_API size_t tr_stashed(const tr_ctx *ctx);

TR_END_DECLS

#endif
