/*
 * troupe/request.h - questions and answers.
 */
#ifndef TROUPE_REQUEST_H
#define TROUPE_REQUEST_H

#include "troupe/message.h"

TR_BEGIN_DECLS

/* Who waits for an answer; a value that lets a handler reply later or elsewhere. */
typedef struct tr_caller {
    tr_pid pid;
    uint64_t call; /* 0: nobody waits */
} tr_caller;

/*
 * Comes instead of an answer: TR_ETIMEDOUT, TR_ENOACTOR (`to` ended or never was),
 * TR_EFULL, TR_ECLOSING, or the error of tr_offload()'s function.
 */
struct tr_request_failed {
    uint64_t call;
    tr_pid to;
    tr_err reason;
};
TR_API extern const struct tr_type tr_request_failed_type;

/*
 * Like tr_send(), and the answer comes to this actor as an ordinary message;
 * tr_request_failed comes instead after timeout_ms (1 … TR_TIMEOUT_MS_MAX; 0 means the
 * default of 5000) or when `to` ends. Exactly one of the two comes. Returns the call's
 * number, which tr_call() gives while the answer is being handled. Actors only.
 */
#define tr_request(ctx, to, timeout_ms, ...) \
    tr_request_((ctx), (to), (timeout_ms), TR_VALUE_(__VA_ARGS__))
#define tr_request_value(ctx, to, timeout_ms, T, ptr) \
    tr_request_((ctx), (to), (timeout_ms), TR_VALUE_AT_(T, ptr))
TR_API uint64_t tr_request_copy_(tr_ctx *ctx, tr_pid to, unsigned timeout_ms,
                                 const struct tr_type *type, const void *body, size_t size);
TR_API uint64_t tr_request_block_(tr_ctx *ctx, tr_pid to, unsigned timeout_ms,
                                  struct tr_block_ *block);
static inline uint64_t tr_request_(tr_ctx *ctx, tr_pid to, unsigned timeout_ms,
                                   const struct tr_type *type, const void *body, size_t size)
{
    struct tr_block_ *block = tr_block_of_(ctx, type, body, size);
    return block ? tr_request_block_(ctx, to, timeout_ms, block)
                 : tr_request_copy_(ctx, to, timeout_ms, type, body, size);
}

#define TR_TIMEOUT_MS_MAX 86400000u

/* The same with a body of tr_msg_new(), which is *taken*. */
TR_API uint64_t tr_request_take(tr_ctx *ctx, tr_pid to, unsigned timeout_ms, void *body);

/* While an answer or a tr_request_failed is being handled: the number of its call. */
TR_API uint64_t tr_call(const tr_ctx *ctx);

/*
 * Asks whether `pid` is there and gets to its mail, whatever actor it is: a request that the
 * runtime answers in its place, with a tr_touched as soon as everything queued before it has been
 * handled. Also for actors of other nodes. Returns the call's number; tr_request_failed comes
 * instead as for tr_request(). Actors only.
 */
TR_API uint64_t tr_touch(tr_ctx *ctx, tr_pid pid, unsigned timeout_ms);
struct tr_touched {
    tr_pid who;
};
TR_API extern const struct tr_type tr_touched_type;

/* Who sent the message being handled and waits for an answer. */
TR_API tr_caller tr_caller_of(const tr_ctx *ctx);
/* The same for message `index` of the batch being handled. */
TR_API tr_caller tr_batch_caller(const tr_ctx *ctx, size_t index);

/* Answers the message being handled. To a plain tr_send() it goes as a plain message. */
#define tr_reply(ctx, ...) tr_reply_((ctx), TR_VALUE_(__VA_ARGS__))
#define tr_reply_value(ctx, T, ptr) tr_reply_((ctx), TR_VALUE_AT_(T, ptr))
TR_API void tr_reply_copy_(tr_ctx *ctx, const struct tr_type *type, const void *body, size_t size);
TR_API void tr_reply_block_(tr_ctx *ctx, struct tr_block_ *block);
static inline void tr_reply_(tr_ctx *ctx, const struct tr_type *type, const void *body, size_t size)
{
    struct tr_block_ *block = tr_block_of_(ctx, type, body, size);
    if (block)
        tr_reply_block_(ctx, block);
    else
        tr_reply_copy_(ctx, type, body, size);
}

/* Answers another message than the one being handled, now or later. */
#define tr_reply_to(ctx, caller, ...) tr_reply_to_((ctx), (caller), TR_VALUE_(__VA_ARGS__))
#define tr_reply_to_value(ctx, caller, T, ptr) tr_reply_to_((ctx), (caller), TR_VALUE_AT_(T, ptr))
TR_API void tr_reply_to_(tr_ctx *ctx, tr_caller caller, const struct tr_type *type,
                         const void *body, size_t size);
/* The same with a body of tr_msg_new(), which is *taken*. */
TR_API void tr_reply_take(tr_ctx *ctx, tr_caller caller, void *body);

/* Where tr_ask() puts the answer: a message type, and a pointer to a struct of that type. */
#ifdef __cplusplus
#define TR_INTO(T, ptr) &T##_type, (1 ? (ptr) : (struct T *)0)
#else
#define TR_INTO(T, ptr) &T##_type, _Generic((ptr), struct T * : (ptr))
#endif

/*
 * From outside threads only: sends, and blocks until the answer is in *into or
 * timeout_ms is over:
 *     struct counter_value v;
 *     tr_err err = tr_ask(root, counter, TR_INTO(counter_value, &v), 1000, counter_get);
 * TR_ETIMEDOUT, TR_ENOACTOR, TR_EFULL, TR_ECLOSING, TR_ETYPE (an answer of another type
 * came), TR_EWORKER (called inside an actor). *into is untouched on failure.
 *
 * In a manual system it steps the system meanwhile. A simulated clock (troupe/test.h) moves on
 * with it; a clock of the caller's own that stands still, while nothing is left to do, ends the
 * waiting with TR_ETIMEDOUT at once (after 0.1 s of real time).
 */
#define tr_ask(ctx, to, into, timeout_ms, ...) \
    tr_ask_((ctx), (to), (timeout_ms), into, TR_VALUE_(__VA_ARGS__))
#define tr_ask_value(ctx, to, into, timeout_ms, T, ptr) \
    tr_ask_((ctx), (to), (timeout_ms), into, TR_VALUE_AT_(T, ptr))
TR_API TR_MUST_USE tr_err tr_ask_(tr_ctx *ctx, tr_pid to, unsigned timeout_ms,
                                  const struct tr_type *into_type, void *into,
                                  const struct tr_type *type, const void *body, size_t size);

/* ---- Work that blocks ---------------------------------------------------- */

/*
 * Runs fn(arg, result) on a pool of threads outside the workers and sends `result` to
 * this actor as a message of type R, as the answer to the returned call;
 * tr_request_failed with fn's error when it returns one. `arg` is copied.
 *     tr_offload(ctx, read_file, file_content, read_args, .path = "…");
 * fn must not use any tr_ctx. Actors only.
 */
typedef tr_err (*tr_offload_fn)(const void *arg, void *result);
#define tr_offload(ctx, fn, R, ...) tr_offload_((ctx), (fn), &R##_type, TR_VALUE_(__VA_ARGS__))
TR_API uint64_t tr_offload_(tr_ctx *ctx, tr_offload_fn fn, const struct tr_type *result_type,
                            const struct tr_type *type, const void *arg, size_t size);

TR_END_DECLS

#endif
