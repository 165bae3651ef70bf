/*
 * troupe/message.h - message types, PIDs, and sending.
 *
 * A message is a flat C struct. Sending copies it once, into a pooled block; the
 * receiver borrows that block until its handler returns.
 */
#ifndef TROUPE_MESSAGE_H
#define TROUPE_MESSAGE_H

#include "troupe/api.h"
#include "troupe/error.h"

TR_BEGIN_DECLS

/* ---- PIDs ---------------------------------------------------------------- */

/*
 * The name of an actor: a value, not a pointer. Copy it, compare it, store it, put
 * it into messages. It never dangles: what is sent to an actor that has ended
 * becomes a dead letter, also when its place in the table has a new tenant.
 */
typedef struct tr_pid {
    uint64_t bits; /* generation:32 | slot:32; 0 is nobody */
} tr_pid;

#ifdef __cplusplus
#define TR_NOBODY (tr_pid{0})
#else
#define TR_NOBODY ((tr_pid){0})
#endif

static inline bool tr_pid_equal(tr_pid a, tr_pid b)
{
    return a.bits == b.bits;
}

/* True for TR_NOBODY and for the result of a tr_spawn() that failed. */
static inline bool tr_pid_is_nobody(tr_pid pid)
{
    return (uint32_t)pid.bits == 0;
}

/* TR_OK for an actor's PID (alive or not); otherwise why this PID is nobody. */
static inline tr_err tr_pid_err(tr_pid pid)
{
    if (!tr_pid_is_nobody(pid))
        return TR_OK;
    return pid.bits == 0 ? TR_ENOACTOR : (tr_err)(pid.bits >> 32);
}

/* ---- Types --------------------------------------------------------------- */

struct tr_codec;

/* The message never gets dropped by an overflow policy. */
#define TR_TYPE_CONTROL 1u
/* What it carries was promised to someone: drop policies are refused for it. */
#define TR_TYPE_DURABLE 2u

/* Describes a message type. Its address is its identity. */
struct tr_type {
    const char *name;             /* the full name on the wire */
    size_t size;                  /* bytes of the struct, at most TR_MESSAGE_SIZE_MAX */
    const struct tr_codec *codec; /* NULL: the message never leaves the process */
    uint32_t flags;               /* TR_TYPE_… */
};

/* Largest body of one message, in bytes; larger ones are refused with TR_EFULL. */
#define TR_MESSAGE_SIZE_MAX ((size_t)64 << 20)

/*
 * Declares the plain struct `T` as a message type. Weak, so that every file that
 * includes the declaration shares one descriptor.
 */
#define TR_TYPE(T) TR_TYPE_FLAGS(T, 0)
#define TR_TYPE_FLAGS(T, FLAGS)                   \
    extern TR_WEAK const struct tr_type T##_type; \
    const struct tr_type T##_type = {#T, sizeof(struct T), NULL, (FLAGS)}

/*
 * A received message. Borrowed: valid until the handler returns. It lies in the block that the
 * sender filled, so it is never copied; only its type is for reading here.
 */
typedef struct tr_msg {
    const struct tr_type *type;
    uint64_t private_[3]; /* the body follows */
} tr_msg;

/* The bytes of the body, aligned to 8. */
static inline const void *tr_msg_body(const tr_msg *msg)
{
    return msg + 1;
}

/* The message whose body a typed handler was given. */
static inline const tr_msg *tr_msg_of(const void *body)
{
    return (const tr_msg *)body - 1;
}

/* Bytes of the body: type->size unless it was sent with tr_send_take(). */
TR_API size_t tr_msg_size(const tr_msg *msg);

/* The body if `msg` is of `type`, else NULL. */
static inline const void *tr_body(const tr_msg *msg, const struct tr_type *type)
{
    return msg->type == type ? tr_msg_body(msg) : NULL;
}

/* tr_as(msg, order_place): a const struct order_place *, or NULL. */
#define tr_as(msg, T) ((const struct T *)tr_body((msg), &T##_type))

/* ---- Sending ------------------------------------------------------------- */

/* Count 1 or 2…32 arguments: a type alone, or a type and its fields. */
#define TR_PICK_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, a16, a17, a18, \
                 a19, a20, a21, a22, a23, a24, a25, a26, a27, a28, a29, a30, a31, a32, pick, ...) \
    pick
#define TR_VALUE_(...)                                                                     \
    TR_PICK_(__VA_ARGS__, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, \
             TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, \
             TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, \
             TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, \
             TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_N_, \
             TR_VALUE_N_, TR_VALUE_N_, TR_VALUE_1_, 0)                                     \
    (__VA_ARGS__)
/* A pointer to a struct T that lives until the end of the statement. */
#ifdef __cplusplus
TR_END_DECLS
template <typename T> struct tr_held_ {
    T value;
    const T *at() const
    {
        return &value;
    }
};
TR_BEGIN_DECLS
#define TR_BODY_(T, ...) (tr_held_<struct T>{{__VA_ARGS__}}.at())
#define TR_VALUE_1_(T) &T##_type, (tr_held_<struct T>{}.at()), sizeof(struct T)
#else
#define TR_BODY_(T, ...) (&(struct T){__VA_ARGS__})
#define TR_VALUE_1_(T) &T##_type, &(struct T){0}, sizeof(struct T)
#endif
#define TR_VALUE_N_(T, ...) &T##_type, TR_BODY_(T, __VA_ARGS__), sizeof(struct T)
/* The same from a pointer to a struct T, and to nothing else. */
#ifdef __cplusplus
TR_END_DECLS
template <typename T> const T *tr_same_(const T *value)
{
    return value;
}
TR_BEGIN_DECLS
#define TR_VALUE_AT_(T, ptr) &T##_type, tr_same_<struct T>(ptr), sizeof(struct T)
#else
#define TR_VALUE_AT_(T, ptr) \
    &T##_type, _Generic((ptr), struct T * : (ptr), const struct T * : (ptr)), sizeof(struct T)
#endif

/*
 * A fresh message body of `size` bytes (uninitialised), aligned to 8. Fill it and
 * hand it over with tr_send_take() or one of its siblings, or give it back with
 * tr_msg_free(). `size` may differ from type->size: a trailing array may be longer.
 * NULL at the system's memory cap or above TR_MESSAGE_SIZE_MAX.
 */
TR_API void *tr_msg_new(tr_ctx *ctx, const struct tr_type *type, size_t size) TR_MUST_USE;

/* Gives back a body of tr_msg_new() that was not sent. NULL is fine. */
TR_API void tr_msg_free(tr_ctx *ctx, void *body);

/*
 * Sends a body of tr_msg_new() without copying it. `body` is *taken*. Never fails
 * and never blocks: what cannot be delivered becomes a dead letter with a reason.
 */
TR_API void tr_send_take(tr_ctx *ctx, tr_pid to, void *body);

/*
 * tr_send(ctx, to, counter_add, .amount = 5): builds the message where the receiver will read
 * it. Never blocks; never fails: what cannot be delivered becomes a dead letter with a reason.
 */
#define tr_send(ctx, to, ...) tr_send_((ctx), (to), TR_VALUE_(__VA_ARGS__))

/*
 * tr_send_value(ctx, to, counter_add, &add): the same with a struct that is there already, say
 * because an array in it had to be filled. `ptr` is a struct T *, not NULL; what it points to is
 * *copied*. Each call that takes a type and fields has such a sibling.
 */
#define tr_send_value(ctx, to, T, ptr) tr_send_((ctx), (to), TR_VALUE_AT_(T, ptr))

/* Private, and part of the ABI: how a context and a small message's block begin. */
struct tr_block_ {
    struct tr_block_ *next;
    const struct tr_type *type;
    uint64_t address;
    tr_pid from;
    uint64_t call;
    uint64_t body[3];
};
struct tr_hot_ {
    tr_pid self;
    uint64_t private_[7];
    struct tr_block_ *free; /* small blocks of this context */
};
TR_API void tr_send_copy_(tr_ctx *ctx, tr_pid to, const struct tr_type *type, const void *body,
                          size_t size);
/* Sends a block that came off `free`, whose type, sender and body are there. *taken*. */
TR_API void tr_send_block_(tr_ctx *ctx, tr_pid to, struct tr_block_ *block);

/* A small block with type, sender and body; NULL when it is not that simple. */
static inline struct tr_block_ *tr_block_of_(tr_ctx *ctx, const struct tr_type *type,
                                             const void *body, size_t size)
{
    struct tr_hot_ *hot = (struct tr_hot_ *)ctx;
    struct tr_block_ *block = hot->free;
    if (!__builtin_constant_p(size) || size > sizeof block->body || TR_UNLIKELY_(!block))
        return NULL;
    hot->free = block->next;
    block->type = type;
    block->from = hot->self;
    memcpy(block->body, body, size);
    return block;
}

static inline void tr_send_(tr_ctx *ctx, tr_pid to, const struct tr_type *type, const void *body,
                            size_t size)
{
    struct tr_block_ *block = tr_block_of_(ctx, type, body, size);
    if (block)
        tr_send_block_(ctx, to, block);
    else
        tr_send_copy_(ctx, to, type, body, size);
}

/*
 * Like tr_send(), for a producer that can slow down. TR_EFULL when the receiver's
 * mailbox or the system's memory is at its limit, TR_ENOACTOR when nobody is there,
 * TR_ECLOSING during shutdown; then nothing was sent and nothing counted.
 */
#define tr_try_send(ctx, to, ...) tr_try_send_((ctx), (to), TR_VALUE_(__VA_ARGS__))
#define tr_try_send_value(ctx, to, T, ptr) tr_try_send_((ctx), (to), TR_VALUE_AT_(T, ptr))
TR_API TR_MUST_USE tr_err tr_try_send_(tr_ctx *ctx, tr_pid to, const struct tr_type *type,
                                       const void *body, size_t size);

/*
 * Sends one message to `count` actors. The body is stored once and shared; each
 * receiver sees it as its own, read-only message.
 */
#define tr_broadcast(ctx, pids, count, ...) \
    tr_broadcast_((ctx), (pids), (count), TR_VALUE_(__VA_ARGS__))
#define tr_broadcast_value(ctx, pids, count, T, ptr) \
    tr_broadcast_((ctx), (pids), (count), TR_VALUE_AT_(T, ptr))
TR_API void tr_broadcast_(tr_ctx *ctx, const tr_pid *pids, size_t count, const struct tr_type *type,
                          const void *body, size_t size);

/*
 * A received message kept beyond its handler. Read-only, shared by count; may be
 * put into the actor's state and into other messages' fields within the process
 * (the count is then the application's to keep right).
 */
typedef struct tr_ref {
    struct tri_block *block; /* private */
} tr_ref;

/* Keeps the message now being handled; one tr_msg_unref() per tr_msg_ref(). */
TR_API tr_ref tr_msg_ref(tr_ctx *ctx, const tr_msg *msg);
TR_API void tr_msg_unref(tr_ctx *ctx, tr_ref ref);

/* What `ref` holds, for as long as it is held. */
TR_API const tr_msg *tr_ref_msg(tr_ref ref);

/* Sends the kept message on, without copying its body. `ref` stays the caller's. */
TR_API void tr_send_ref(tr_ctx *ctx, tr_pid to, tr_ref ref);

/*
 * Sends the message now being handled on to another actor, without copying its
 * body; whoever waits for an answer then gets it from there.
 */
TR_API void tr_forward(tr_ctx *ctx, tr_pid to, const tr_msg *msg);

TR_END_DECLS

#endif
