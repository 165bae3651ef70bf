/*
 * troupe/event.h - the event stream, dead letters, and the message accounts.
 */
#ifndef TROUPE_EVENT_H
#define TROUPE_EVENT_H

#include "troupe/message.h"

TR_BEGIN_DECLS

/* ---- Event stream -------------------------------------------------------- */

/* From now on this actor gets every published message of `type`. Idempotent; ends with
 * the actor. TR_EFULL above TR_SUBSCRIBERS_MAX. Actors only. */
#define tr_subscribe(ctx, T) tr_subscribe_((ctx), &T##_type)
TR_API TR_MUST_USE tr_err tr_subscribe_(tr_ctx *ctx, const struct tr_type *type);
#define tr_unsubscribe(ctx, T) tr_unsubscribe_((ctx), &T##_type)
TR_API void tr_unsubscribe_(tr_ctx *ctx, const struct tr_type *type);

/* Sends to every subscriber of the type; the body is shared. */
#define tr_publish(ctx, ...) tr_publish_((ctx), TR_VALUE_(__VA_ARGS__))
#define tr_publish_value(ctx, T, ptr) tr_publish_((ctx), TR_VALUE_AT_(T, ptr))
TR_API void tr_publish_(tr_ctx *ctx, const struct tr_type *type, const void *body, size_t size);

#define TR_SUBSCRIBERS_MAX 65536u

/* ---- Dead letters -------------------------------------------------------- */

/* Why a message was not processed. */
#define TR_DEAD_REASONS(X)                                                   \
    X(TR_DEAD_NO_ACTOR, "no-actor", "the PID names no living actor")         \
    X(TR_DEAD_STOPPED, "stopped", "the actor ended before its turn came")    \
    X(TR_DEAD_UNHANDLED, "unhandled", "the actor has no handler for it")     \
    X(TR_DEAD_MEMORY, "memory", "the system's message memory is at its cap") \
    X(TR_DEAD_LATE, "late", "an answer to a call that is over")              \
    X(TR_DEAD_CLOSING, "closing", "the system is shutting down")             \
    X(TR_DEAD_REFUSED, "refused", "the receiver's mailbox refused it")       \
    X(TR_DEAD_LINK, "link", "the link to its node is down")                  \
    X(TR_DEAD_LOST, "lost", "a simulated fault lost it")                     \
    X(TR_DEAD_ENCODING, "encoding", "it has no form on the wire")

enum tr_dead_reason {
#define X(code, name, text) code,
    TR_DEAD_REASONS(X)
#undef X
        TR_DEAD_REASON_COUNT
};

/* The short name of a reason, as in metrics; static. */
TR_API const char *tr_dead_reason_name(enum tr_dead_reason reason);

/* Published (tr_subscribe) for every dead letter that is not one itself. */
struct tr_dead_letter {
    tr_pid to;
    tr_pid from;
    const struct tr_type *type;
    enum tr_dead_reason reason;
};
TR_API extern const struct tr_type tr_dead_letter_type;

/* Published when an actor fails, with what its supervisor decided. */
struct tr_actor_failed {
    tr_pid who;
    const struct tr_actor *actor;
    tr_err code;
    int directive;     /* enum tr_directive */
    unsigned restarts; /* within the window, this one included */
    char text[256];
};
TR_API extern const struct tr_type tr_actor_failed_type;

/* ---- Accounts ------------------------------------------------------------ */

/*
 * Where all messages went. At rest
 *     accepted = processed + dropped + dead (all reasons) + queued
 * for the system and for each actor; while messages flow the parts are read one after
 * the other and may be off by what moved meanwhile.
 */
struct tr_accounts {
    uint64_t accepted;  /* taken over from senders, dead letters included */
    uint64_t processed; /* handled, whether or not the handler failed */
    uint64_t dropped;   /* by middleware or an overflow policy: the next two */
    uint64_t dropped_newest;
    uint64_t dropped_oldest;
    uint64_t dead[TR_DEAD_REASON_COUNT];
    uint64_t queued;  /* waiting in mailboxes now */
    uint64_t unknown; /* written to a link that broke: fate not known */
};

/* True if the equation above holds (unknown counts on the right side). */
TR_API bool tr_accounts_balance(const struct tr_accounts *accounts);

/* Any thread. Exact at rest (tr_system_run()). */
TR_API void tr_system_accounts(tr_system *sys, struct tr_accounts *ret_accounts);

/* The accounts of one actor; TR_ENOACTOR when it is gone. */
TR_API TR_MUST_USE tr_err tr_actor_accounts(tr_ctx *ctx, tr_pid pid,
                                            struct tr_accounts *ret_accounts);

TR_END_DECLS

#endif
