/*
 * core/send.h - messages and system messages on their way.
 */
#ifndef TROUPE_CORE_SEND_H
#define TROUPE_CORE_SEND_H

#include "base/assert.h"
#include "core/ctx.h"
#include "core/mailbox.h"
#include "core/sched.h"
#include "core/slots.h"

/* ---- Memory -------------------------------------------------------------- */

/* Bodies of at most so many bytes fit the smallest blocks. */
#define TRI_BODY_SMALL (64 - TRI_BLOCK_HEADER)

/* The slow half of tri_block_new(). */
struct tri_block *tri_block_new_odd(struct tr_ctx *ctx, const struct tr_type *type, size_t size,
                                    bool reserved);

/* A block for a body of `size` bytes; NULL at the cap. Size, type and tag are set. */
TRI_HOT_INLINE struct tri_block *tri_block_new(struct tr_ctx *ctx, const struct tr_type *type,
                                               size_t size, bool reserved)
{
    if (TRI_UNLIKELY(size > TRI_BODY_SMALL || size != type->size || !ctx->pool.free[0]))
        return tri_block_new_odd(ctx, type, size, reserved);
    struct tri_free_block *head = ctx->pool.free[0];
    struct tri_block *block = (struct tri_block *)(void *)head;
    ctx->pool.free[0] = head->next;
    block->type = type;
    block->tag = ctx->tag; /* class 0, no flags */
    return block;
}

/* For what must arrive (control messages, answers) when tri_block_new() found the cap reached:
 * from the system's reserve, which ordinary messages never get. NULL when that is used up. */
struct tri_block *tri_block_new_must(struct tr_ctx *ctx, const struct tr_type *type, size_t size,
                                     bool must);

/* A block out of a slab, for a body of the type's size, at most TRI_BODY_SLAB; NULL at the cap. For
 * who fills many that others free. */
#define TRI_BODY_SLAB (TRI_SLAB_BLOCK_MAX - TRI_BLOCK_HEADER)
struct tri_block *tri_block_fill(struct tr_ctx *ctx, struct tri_filler *filler,
                                 const struct tr_type *type);

/* Frees a block, whatever its flags. */
void tri_block_release(struct tr_ctx *ctx, struct tri_block *block);
size_t tri_block_size(const struct tri_block *block);
/* The same with the headers behind it. */
size_t tri_block_whole_size(const struct tri_block *block);

/* The slow half of tri_block_free(): shared, counted, huge, or another context's. */
void tri_block_free_odd(struct tr_ctx *ctx, struct tri_block *block);

TRI_HOT_INLINE void tri_block_free(struct tr_ctx *ctx, struct tri_block *block)
{
    /* One comparison: the pool is ours and no flag but these two is set. */
    const uint32_t any = TRI_TAG_CLASS(0xff) | TRI_TAG_FLAGS(TRI_BLOCK_REQUEST | TRI_BLOCK_REPLY);
    uint32_t tag = block->tag;
    if (TRI_LIKELY((tag & ~any) == ctx->tag))
        tri_pool_put_own(&ctx->pool, block, block->size_class);
    else
        tri_block_free_odd(ctx, block);
}

/* ---- User messages ------------------------------------------------------- */

/* Delivers a filled block; `from`, `call` and the request and reply flags are set. Taken. */
TRI_HOT_INLINE void tri_deliver(struct tr_ctx *ctx, tr_pid to, struct tri_block *block);

/* Sends `size` bytes of `type`, also at the memory cap (for what must arrive). */
void tri_send_reserved(struct tr_ctx *ctx, tr_pid to, const struct tr_type *type, const void *body,
                       uint64_t call, uint8_t flags);

/* The same in the name of another actor. */
void tri_send_from(struct tr_ctx *ctx, tr_pid to, tr_pid from, const struct tr_type *type,
                   const void *body, uint64_t call, uint8_t flags);

/* A message that found no memory becomes a dead letter. */
void tri_send_refused(struct tr_ctx *ctx, tr_pid to, const struct tr_type *type);

/* Counts and reports a dead letter and frees the block (which may be NULL). */
void tri_dead_letter(struct tr_ctx *ctx, tr_pid to, struct tri_block *block,
                     enum tr_dead_reason reason);
/* The same for a message that never got a block. */
void tri_dead_letter_event(struct tr_ctx *ctx, tr_pid to, tr_pid from, const struct tr_type *type,
                           enum tr_dead_reason reason);

/* A message that a proxy took and that did not leave; what of it is known. */
struct tri_undeliverable {
    tr_pid to;
    tr_pid from;
    const struct tr_type *type;
    uint64_t call; /* with `request`: of which `from` waits for an answer */
    bool request;
};
/* Makes a dead letter of it, and fails the request. */
void tri_proxy_undeliverable(struct tr_ctx *ctx, const struct tri_undeliverable *letter,
                             enum tr_dead_reason reason);

/* The slow half of tri_deliver(): nobody there, a bounded mailbox, middleware, or the end. */
void tri_deliver_odd(struct tr_ctx *ctx, tr_pid to, struct tri_block *block);

/* The short half of delivering a block whose tag is known, and not stored yet: the cell that it
 * made runnable, or NULL. *ret_odd: it did not deliver it, tri_deliver_odd() must. */
TRI_HOT_INLINE struct tri_cell *tri_deliver_short(struct tr_ctx *ctx, tr_pid to,
                                                  struct tri_block *block, uint32_t tag,
                                                  bool *ret_odd)
{
    uint32_t gen = (uint32_t)(to.bits >> 32);
    uint32_t slot = (uint32_t)to.bits;
    const struct tri_slots *slots = ctx->table;
    /* Plain and whole: the mailbox publishes it, and the receiver's load of both parts would
     * have to wait if they were stored one by one. */
    block->address = TRI_ADDRESS(gen, tag);
    tri_count(&ctx->counts.accepted, 1);
    *ret_odd = true;
    if (TRI_UNLIKELY(slot >= tri_load(&slots->count, TRI_ACQUIRE) || (gen & TRI_GEN_ODD)))
        return NULL;
    struct tri_cell *cell = &slots->cells[slot];
    /* Relaxed: a hint that spares most stale messages the queue. The receiver checks the
     * generation in the message again. */
    if (TRI_UNLIKELY(tri_load(&cell->gen, TRI_RELAXED) != gen))
        return NULL;
    *ret_odd = false;
    return tri_mailbox_push(cell, block) ? cell : NULL;
}

TRI_HOT_INLINE void tri_deliver_tagged(struct tr_ctx *ctx, tr_pid to, struct tri_block *block,
                                       uint32_t tag)
{
    bool odd;
    struct tri_cell *runnable = tri_deliver_short(ctx, to, block, tag, &odd);
    if (TRI_UNLIKELY(odd))
        tri_deliver_odd(ctx, to, block);
    else if (runnable)
        tri_schedule(ctx, runnable);
}

/*
 * Messages to one actor, delivered together: one exchange for all of them, and one wake-up. In
 * order, as long as nothing else is sent to it in between.
 */
struct tri_train {
    tr_pid to;
    struct tri_block *first, *last;
    uint32_t count; /* 0: empty */
};
void tri_train_deliver(struct tr_ctx *ctx, struct tri_train *train);

/* Puts a block, whose tag is known and not stored yet, behind the others to `to`. */
static inline void tri_train_add(struct tri_train *train, tr_pid to, struct tri_block *block,
                                 uint32_t tag)
{
    block->address = TRI_ADDRESS((uint32_t)(to.bits >> 32), tag);
    if (train->count++ == 0) {
        train->to = to;
        train->first = block;
    } else {
        tri_store(&train->last->next, block, TRI_RELAXED); /* Published with the train. */
    }
    train->last = block;
}

/* The same after the middleware. */
void tri_deliver_shown(struct tr_ctx *ctx, tr_pid to, struct tri_block *block);

/* At the end of a handler: the message being handled becomes a dead letter for that reason. */
tr_err tri_send_refuse(struct tr_ctx *ctx, enum tr_dead_reason reason);
/* What a tr_request_failed says about a request that became a dead letter. */
tr_err tri_dead_error(enum tr_dead_reason reason);

TRI_HOT_INLINE void tri_deliver(struct tr_ctx *ctx, tr_pid to, struct tri_block *block)
{
    tri_deliver_tagged(ctx, to, block, block->tag);
}

/* ---- System messages ----------------------------------------------------- */

enum tri_sys_kind {
    TRI_SYS_STOP = 1,
    TRI_SYS_WATCH,        /* from: the watcher */
    TRI_SYS_UNWATCH,      /* from: the watcher */
    TRI_SYS_DOWN,         /* from: the watched actor, which has ended; call: the error */
    TRI_SYS_PROBE,        /* like WATCH, for the calls of `from`; answered by TRI_SYS_GONE */
    TRI_SYS_GONE,         /* from: who ended; call: the error */
    TRI_SYS_CHILD_FAILED, /* from: the child; call: the error */
    TRI_SYS_CHILDREN_GONE,
    TRI_SYS_RESTART, /* call: delay in ms << 32 | error */
    TRI_SYS_RESUME,
    TRI_SYS_LINK,        /* from: who links itself to this one */
    TRI_SYS_UNLINK,      /* from: who takes that back, or has ended without an error */
    TRI_SYS_LINK_FAILED, /* from: who failed; call: the error */
    TRI_SYS_UNDELAY,     /* the mailbox that held this actor back has drained */
    TRI_SYS_TIMER,       /* a tri_timer of tr_after() or tr_every() */
    TRI_SYS_CALL_TIMER,
    TRI_SYS_IDLE_TIMER,
    TRI_SYS_BACKOFF_TIMER
};

/* Never dropped, not held up by the memory cap. A stale `to` is answered as if it had just
 * ended. */
void tri_sys_send(struct tr_ctx *ctx, tr_pid to, enum tri_sys_kind kind, tr_pid from, uint64_t arg);
/* The same to a cell that is known to live on (a parent, a child under lock). */
void tri_sys_push(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block);
/* What a system message to nobody causes. Frees it. */
void tri_sys_stale(struct tr_ctx *ctx, tr_pid to, struct tri_block *block);
struct tri_block *tri_sys_new(struct tr_ctx *ctx, uint32_t gen, enum tri_sys_kind kind, tr_pid from,
                              uint64_t arg);

#endif
