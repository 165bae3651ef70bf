/*
 * troupe/actor.h - actors: what they are, how they start, fail and end.
 *
 * An actor owns its state; everything else reaches it by message. Its handlers run
 * one at a time, so state needs no locks. Handlers never block.
 */
#ifndef TROUPE_ACTOR_H
#define TROUPE_ACTOR_H

#include "troupe/message.h"
#include "troupe/router.h"

TR_BEGIN_DECLS

/* Several messages of one type, handed over together (see tr_actor.receive_batch). */
struct tr_batch {
    const struct tr_type *type;
    size_t count;              /* 1 … batch_max */
    const void *const *bodies; /* borrowed until the handler returns */
};

/*
 * An actor's kind: a constant table that outlives the system, usually static. All functions run
 * on a worker, one at a time per actor. Only `receive` is required.
 */
struct tr_actor {
    const char *name;
    size_t state_size; /* bytes; zeroed before init */
    size_t arg_size;   /* bytes of the spawn argument; copied at spawn, kept for restarts */

    /* Before the first message and again after each restart. An error is a failure. */
    tr_err (*init)(tr_ctx *ctx, void *state, const void *arg);
    /* Handles one message. An error is a failure: the supervisor decides. */
    tr_err (*receive)(tr_ctx *ctx, void *state, const tr_msg *msg);
    /* After the last message and after all children ended. Also before a restart
     * unless `restarting` is given. Not if init has never succeeded. */
    void (*stop)(tr_ctx *ctx, void *state);
    const struct tr_type *const *accepts; /* NULL-terminated; may be NULL */

    /* Takes up to batch_max queued messages of batch_type at once; see TR_BATCH. */
    tr_err (*receive_batch)(tr_ctx *ctx, void *state, const struct tr_batch *batch);
    const struct tr_type *batch_type;
    uint32_t batch_max; /* 1 … TR_BATCH_MAX; 0: no batches */

    uint32_t flags;     /* TR_ACTOR_… */
    uint32_t stash_max; /* messages put aside at most (tr_stash); 0: TR_STASH_MAX_DEFAULT */

    /* Lifecycle hooks, all optional. `restarting` runs on the old state when the
     * supervisor chose a restart and the children have ended; `restarted` after init,
     * before the next message; `stopping` before the children are stopped. `why` is the
     * error of whoever failed: this actor, or a sibling that takes it along. In hooks and in
     * init there is no message: tr_sender() is nobody, tr_stash() returns TR_EINVAL. */
    void (*restarting)(tr_ctx *ctx, void *state, tr_err why);
    void (*restarted)(tr_ctx *ctx, void *state, tr_err why);
    void (*stopping)(tr_ctx *ctx, void *state);
};

/*
 * Flag: the actor's children end one after the other, the newest first, each when the one before
 * is gone; for children that need those that were there before them. Without it all are told at
 * once, the newest first, and end on whatever workers are free.
 */
#define TR_ACTOR_ENDS_IN_ORDER (1u << 8)

/*
 * Flag of a contained actor: what goes wrong in its functions is its failure, not the process's
 * end. SIGSEGV, SIGBUS, SIGFPE, SIGILL, stack overflow, a failed assert() and abort() fail it
 * with TR_EFAULT and a text that names signal and address; a function that runs longer than
 * tr_config.watchdog_ms fails it with TR_ELOOP. The function is abandoned where it is, the arena
 * (troupe/arena.h) is emptied, no hook sees the state again, and the supervisor decides; a resume
 * ends it, since there is no state to resume with.
 *
 * Promised to code that touches its own state, arena, stack and messages, and calls this
 * library with pointers that are good (bodies of messages and texts may be bad). Not promised,
 * because nobody can: a wild write that hits memory in use, another actor's or the heap's, is
 * not noticed; locks, files and heap memory that the function held stay as they are. See
 * docs/guide/containment.md. Costs about 50 ns a message.
 */
#define TR_ACTOR_CONTAINED 1u

/* Most messages in one batch. */
#define TR_BATCH_MAX 8192u

/* ---- Supervision --------------------------------------------------------- */

/* What becomes of an actor that has failed. The message that it failed at is consumed in any
 * case, never tried again. */
enum tr_directive {
    TR_RESTART,  /* fresh state, same PID, mailbox and watchers; children are stopped first */
    TR_STOP,     /* the actor ends; its watchers get the error */
    TR_ESCALATE, /* the parent fails with the same error; from the root's children: the end of
                  * the system, with a report (tr_system_failure) */
    TR_RESUME    /* carry on with the state as it is; after a failed init it means TR_STOP */
};

enum tr_strategy {
    TR_ONE_FOR_ONE, /* the directive is carried out on the failed child */
    TR_ALL_FOR_ONE, /* … on all children of the same parent */
    TR_REST_FOR_ONE /* … on the failed child and those spawned after it */
};

/*
 * What the parent does when this child fails. Zeroes mean the default: restart, at
 * most 10 times within 10 s, at once. A pointer given at spawn must stay valid as long as
 * the actor lives (usually static). Only restarts use up the budget, and each child has its
 * own. During a back-off the mailbox is kept and the children have ended already; siblings that
 * the strategy restarts wait for the same delay. A policy out of its bounds: tr_spawn() fails
 * with TR_EINVAL.
 */
struct tr_supervision {
    enum tr_directive on_failure;
    /* Within within_ms; one more and over_budget is carried out. <= 63 unless within_ms is 0. */
    unsigned restarts_max;
    unsigned within_ms; /* the sliding window; 0 with restarts_max > 0: for ever */
    enum tr_strategy strategy;
    enum tr_directive over_budget; /* TR_STOP or TR_ESCALATE; anything else means TR_STOP */
    /* Chooses the directive per failure instead of on_failure; a pure function, called on the
     * parent's worker. What is no directive means TR_STOP. */
    enum tr_directive (*decide)(tr_err code);
    unsigned backoff_ms_min;          /* first delay before a restart; 0: none */
    unsigned backoff_ms_max;          /* doubles up to this; 0: 64 × backoff_ms_min */
    unsigned backoff_jitter_permille; /* each delay is stretched by up to this; <= 1000 */
    unsigned quiet_ms;                /* so long without failure resets the delay; 0: within_ms */
};

/* ---- Bounded mailboxes --------------------------------------------------- */

/*
 * What happens to an ordinary message that finds mailbox_max others waiting. Control messages
 * (TR_TYPE_CONTROL), answers to requests and system messages always find room and are not
 * counted against the bound. Durable types (TR_TYPE_DURABLE) may not be given a drop policy.
 * Whoever waits for an answer to a message that is dropped or refused gets a
 * tr_request_failed with TR_EFULL at once.
 */
enum tr_overflow {
    TR_REFUSE,      /* it becomes a dead letter, TR_DEAD_REFUSED */
    TR_DROP_NEWEST, /* it is dropped, silently but counted */
    TR_DROP_OLDEST, /* the oldest waiting message with this policy is dropped, it is queued */
    /*
     * It is queued, and the actor that sent it is not run again until it has been taken, or
     * half of the mailbox is free; then it goes on where it was. The bound is exceeded by no
     * more than one handler sends per sender. Actors never wait for each other in a circle
     * and never for themselves: who would close a circle is not delayed (docs/adr/0005), nor
     * is who finds no memory for it, nor are outside threads, which use tr_try_send() to be told.
     */
    TR_DELAY,
    TR_QUEUE /* it is queued: only the system's memory cap holds */
};

/* The policy of one message type; a table of them ends with type NULL. */
struct tr_overflow_rule {
    const struct tr_type *type;
    enum tr_overflow policy;
};

/* ---- Spawning ------------------------------------------------------------ */

struct tr_middleware;

struct tr_spawn_args {
    const struct tr_actor *actor;
    const char *name; /* optional: enter it in the registry; copied; <= TR_NAME_SIZE_MAX */
    const void *arg;  /* optional: actor->arg_size bytes, copied; zeroes if NULL */
    const struct tr_supervision *supervise; /* optional; borrowed for the actor's life */
    unsigned mailbox_max;      /* ordinary messages waiting; 0: no bound but the memory cap */
    enum tr_overflow overflow; /* beyond mailbox_max; default TR_REFUSE */
    const struct tr_overflow_rule *overflow_rules; /* optional: per type; borrowed for life */
    struct tr_error *error; /* optional: why nobody was spawned, in a sentence */

    /* Routers: see troupe/router.h. */
    unsigned pool;             /* n: a router in front of n such actors; <= TR_ROUTEES_MAX */
    enum tr_route route;       /* how the router chooses */
    tr_route_key_fn route_key; /* with TR_ROUTE_HASH */
    const tr_pid *group; /* with group_size and no actor: a router in front of these; copied */
    unsigned group_size; /* <= TR_ROUTEES_MAX */

    /* Optional: around each message of this actor; borrowed for the life of the system. */
    const struct tr_middleware *const *middleware;
};

#define TR_NAME_SIZE_MAX 255u

/*
 * tr_spawn(ctx, &actor, .name = "x", …): starts an actor as a child of the current
 * one (of the system's root from outside). Returns at once; init runs on a worker
 * before the first message. On failure the result is nobody and tr_pid_err() says
 * why: TR_EEXIST (the name is taken), TR_EFULL (the table is), TR_ENOMEM, TR_EINVAL,
 * TR_ECLOSING.
 */
#define tr_spawn(ctx, ...)                                                                 \
    TR_PICK_(__VA_ARGS__, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, \
             TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, \
             TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, \
             TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, \
             TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_N_, \
             TR_SPAWN_N_, TR_SPAWN_N_, TR_SPAWN_1_, 0)                                     \
    (ctx, __VA_ARGS__)
/* An actor alone: no structure is filled for it. */
#define TR_SPAWN_1_(ctx, actor) tr_spawn_actor_((ctx), (actor))
#define TR_SPAWN_N_(ctx, ...) tr_spawn_((ctx), TR_BODY_(tr_spawn_args, .actor = __VA_ARGS__))
TR_API tr_pid tr_spawn_(tr_ctx *ctx, const struct tr_spawn_args *args) TR_MUST_USE;
TR_API tr_pid tr_spawn_actor_(tr_ctx *ctx, const struct tr_actor *actor) TR_MUST_USE;

/* tr_spawn_group(ctx, pids, count, .route = TR_ROUTE_RANDOM, …): a router in front of actors that
 * are there already; at least the route is given. A group may be empty at first. */
#define tr_spawn_group(ctx, pids, count, ...) \
    tr_spawn_((ctx), TR_BODY_(tr_spawn_args, .group = (pids), .group_size = (count), __VA_ARGS__))

/* The actor this context runs; nobody outside of actors. */
TR_API tr_pid tr_self(const tr_ctx *ctx);
TR_API tr_pid tr_parent(const tr_ctx *ctx);

/* The sender of the message being handled; nobody if it came from outside. */
TR_API tr_pid tr_sender(const tr_ctx *ctx);

/* The actor registered under `name`, or nobody. O(1); takes a short lock. */
TR_API tr_pid tr_lookup(tr_ctx *ctx, const char *name);

/* True while the actor exists (it may end the next instant). */
TR_API bool tr_alive(tr_ctx *ctx, tr_pid pid);

/* Ends the actor after the message it is handling; what is queued dead-letters. */
TR_API void tr_stop(tr_ctx *ctx, tr_pid pid);

/* Ends the actor after everything queued so far. */
TR_API void tr_poison(tr_ctx *ctx, tr_pid pid);

/* ---- Watching ------------------------------------------------------------ */

/*
 * Sent once to every watcher when the watched actor ends. TR_OK: it stopped;
 * TR_ENOACTOR: it was gone already; else the error that it failed with. TR_ENOMEM, before that:
 * there was no memory to watch it, so it may live; nothing more will be heard of it.
 */
struct tr_down {
    tr_pid who;
    tr_err reason;
};
TR_API extern const struct tr_type tr_down_type;

/* Exactly one tr_down comes of it, whatever happens. Idempotent. Actors only. */
TR_API void tr_watch(tr_ctx *ctx, tr_pid pid);
/* A tr_down that is in the mailbox already still arrives. */
TR_API void tr_unwatch(tr_ctx *ctx, tr_pid pid);

/* ---- Links --------------------------------------------------------------- */

/*
 * Ties this actor to another, both ways: when one of them loses its state by a failure (it is
 * restarted, or ends with an error), the other fails with TR_ELINK, once, and its own supervisor
 * decides; its failure's text names the first one and its error. The link is used up then; who
 * wants it again calls tr_link() in init. An end without an error unties it silently.
 * Idempotent. Actors only. TR_ENOACTOR (nobody), TR_EINVAL (itself), TR_ENOMEM. To an actor that
 * is gone: TR_OK, and this one fails as soon as that is known.
 */
TR_API TR_MUST_USE tr_err tr_link(tr_ctx *ctx, tr_pid pid);
/* Unties them. Whoever failed before knows nothing of it: a failure of `pid` is ignored here from
 * now on, a failure of this actor may still reach `pid` until it has heard. Actors only. */
TR_API void tr_unlink(tr_ctx *ctx, tr_pid pid);

/* ---- Failing ------------------------------------------------------------- */

/*
 * Writes why the handler fails and returns `code`:
 *     return tr_fail(ctx, TR_EINVAL, "amount is %d, want >= 0", amount);
 * The text (cut at 255 bytes) reaches the supervisor's event and the log.
 */
TR_API tr_err tr_fail(tr_ctx *ctx, tr_err code, const char *fmt, ...) TR_PRINTF(3, 4) TR_MUST_USE;

/* For the end of a hand-written receive: the message becomes a dead letter. */
TR_API tr_err tr_unhandled(tr_ctx *ctx) TR_MUST_USE;

/* ---- Dispatch ------------------------------------------------------------ */

#ifdef __cplusplus
#define TR_HANDLER_FITS_(fn, parameters, text)
#else
#define TR_HANDLER_FITS_(fn, parameters, text)                                            \
    _Static_assert(__builtin_types_compatible_p(__typeof__(&(fn)), tr_err(*) parameters), \
                   #fn " must be a tr_err " #fn text);
#endif
#define TR_ON_CALL_(T, fn)                                               \
    TR_HANDLER_FITS_(fn, (tr_ctx *, __typeof__(self), const struct T *), \
                     "(tr_ctx *, state *, const struct " #T " *)")       \
    if (msg->type == &T##_type)                                          \
        return fn(ctx, self, (const struct T *)tr_msg_body(msg));
#define TR_ON_TYPE_(T, fn) &T##_type,

/*
 * TR_DISPATCH(counter, COUNTER_HANDLERS) writes counter_receive() and
 * counter_accepts[] from one list of (message type, handler) pairs. Handlers are
 * ordinary typed functions
 *     tr_err on_add(tr_ctx *ctx, struct counter *self, const struct counter_add *msg);
 * and one whose parameter does not fit its message type does not compile.
 */
#define TR_DISPATCH(NAME, HANDLERS)                                                              \
    static tr_err NAME##_receive(tr_ctx *ctx, void *state, const tr_msg *msg)                    \
    {                                                                                            \
        struct NAME *self = (struct NAME *)state;                                                \
        (void)self;                                                                              \
        HANDLERS(TR_ON_CALL_)                                                                    \
        return tr_unhandled(ctx);                                                                \
    }                                                                                            \
    TR_MAYBE_UNUSED static const struct tr_type *const NAME##_accepts[] = {HANDLERS(TR_ON_TYPE_) \
                                                                               NULL}

/*
 * TR_BATCH(ledger, post, on_posts) writes ledger_receive_batch() around
 *     tr_err on_posts(tr_ctx *ctx, struct ledger *self,
 *                     const struct post *const *posts, size_t count);
 * Set .receive_batch, .batch_type = &post_type and .batch_max in the actor's table.
 */
#define TR_BATCH(NAME, T, fn)                                                                    \
    static tr_err NAME##_receive_batch(tr_ctx *ctx, void *state, const struct tr_batch *batch)   \
    {                                                                                            \
        TR_HANDLER_FITS_(fn, (tr_ctx *, struct NAME *, const struct T *const *, size_t),         \
                         "(tr_ctx *, struct " #NAME " *, const struct " #T " *const *, size_t)") \
        return fn(ctx, (struct NAME *)state, (const struct T *const *)batch->bodies,             \
                  batch->count);                                                                 \
    }                                                                                            \
    typedef int NAME##_batch_needs_semicolon_

TR_END_DECLS

#endif
