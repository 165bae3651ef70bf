#include "core/send.h"

#include "base/assert.h"
#include "base/plant.h"
#include "core/bound.h"
#include "core/cold.h"
#include "core/log.h"
#include "core/middleware.h"
#include "core/ports.h"

/* ---- Memory -------------------------------------------------------------- */

size_t tri_block_size(const struct tri_block *block)
{
    size_t size = tri_block_whole_size(block);
    if (TRI_UNLIKELY(block->flags & TRI_BLOCK_HEADERS)) {
        uint64_t body_size;
        memcpy(&body_size, (const char *)(block + 1) + size - sizeof body_size, sizeof body_size);
        size = body_size;
    }
    return size;
}

size_t tri_block_whole_size(const struct tri_block *block)
{
    if (!(block->flags & TRI_BLOCK_SIZED))
        return block->type->size;
    if (block->size_class == TRI_POOL_HUGE)
        return tri_pool_huge_size(block) - TRI_BLOCK_HEADER;
    size_t size;
    memcpy(&size, (const char *)block + tri_pool_class_size(block->size_class) - sizeof size,
           sizeof size);
    return size;
}

size_t tr_msg_size(const tr_msg *msg)
{
    return tri_block_size(tri_msg_block(msg));
}

/* A block that is too large for the classes or whose size is not its type's. */
static struct tri_block *new_sized(struct tr_ctx *ctx, const struct tr_type *type, size_t size,
                                   bool reserved)
{
    bool sized = size != type->size;
    size_t whole = TRI_BLOCK_HEADER + size + (sized ? sizeof size : 0);
    struct tri_block *block;
    if (size > TR_MESSAGE_SIZE_MAX)
        return NULL;
    if (whole > TRI_POOL_BLOCK_MAX) {
        block = tri_pool_map_huge(&ctx->sys->limit, TRI_BLOCK_HEADER + size, reserved);
        if (!block)
            return NULL;
        block->size_class = TRI_POOL_HUGE;
        block->flags = TRI_BLOCK_SIZED;
    } else {
        uint32_t size_class = tri_pool_class(whole);
        block = tri_pool_get(&ctx->pool, size_class, reserved);
        if (!block)
            return NULL;
        block->size_class = (uint8_t)size_class;
        block->flags = sized ? TRI_BLOCK_SIZED : 0;
        if (sized)
            memcpy((char *)block + tri_pool_class_size(size_class) - sizeof size, &size,
                   sizeof size);
    }
    return block;
}

struct tri_block *tri_block_new_odd(struct tr_ctx *ctx, const struct tr_type *type, size_t size,
                                    bool reserved)
{
    struct tri_block *block;
    if (TRI_LIKELY(size == type->size && TRI_BLOCK_HEADER + size <= TRI_POOL_BLOCK_MAX)) {
        uint32_t size_class = tri_pool_class(TRI_BLOCK_HEADER + size);
        block = tri_pool_get(&ctx->pool, size_class, reserved);
        if (TRI_UNLIKELY(!block))
            return NULL;
        block->size_class = (uint8_t)size_class;
        block->flags = 0;
    } else {
        block = new_sized(ctx, type, size, reserved);
        if (!block)
            return NULL;
    }
    block->type = type;
    block->owner = ctx->pool.owner;
    return block;
}

__attribute__((cold)) struct tri_block *tri_block_new_must(struct tr_ctx *ctx,
                                                           const struct tr_type *type, size_t size,
                                                           bool must)
{
    struct tr_system *sys = ctx->sys;
    if (!must || size != type->size || TRI_BLOCK_HEADER + size > TRI_POOL_BLOCK_MAX)
        return NULL;
    uint32_t size_class = tri_pool_class(TRI_BLOCK_HEADER + size);
    tri_spin_lock(&sys->reserve_lock);
    struct tri_block *block = tri_pool_get(&sys->reserve, size_class, false);
    tri_spin_unlock(&sys->reserve_lock);
    if (!block)
        return NULL;
    block->type = type;
    block->tag = 0;
    block->size_class = (uint8_t)size_class;
    block->owner = sys->reserve.owner; /* Whoever frees it sends it back there. */
    block->call = 0;
    return block;
}

struct tri_block *tri_block_fill(struct tr_ctx *ctx, struct tri_filler *filler,
                                 const struct tr_type *type)
{
    struct tri_block *block = tri_pool_fill(&ctx->pool, filler, TRI_BLOCK_HEADER + type->size);
    if (TRI_UNLIKELY(!block))
        return NULL;
    block->type = type;
    block->tag = TRI_TAG_OWNER(TRI_POOL_NOBODY) | TRI_TAG_CLASS(TRI_POOL_SLAB);
    return block;
}

static void free_memory(struct tr_ctx *ctx, struct tri_block *block)
{
    if (block->size_class == TRI_POOL_SLAB)
        tri_pool_empty(&ctx->pool, block);
    else if (block->size_class == TRI_POOL_HUGE)
        tri_pool_unmap_huge(&ctx->sys->limit, block);
    else
        tri_pool_put(&ctx->pool, block, block->owner, block->size_class);
}

void tri_block_release(struct tr_ctx *ctx, struct tri_block *block)
{
    if (block->flags & TRI_BLOCK_SHARED) {
        struct tri_block *payload = tri_block_payload(block);
        free_memory(ctx, block);
        block = payload;
    }
    /* Release: our reads of the body come before the free; acquire: those of the others. */
    if ((block->flags & TRI_BLOCK_COUNTED) && tri_fetch_sub(&block->gen, 1u, TRI_ACQ_REL) != 1)
        return;
    free_memory(ctx, block);
}

void tri_block_free_odd(struct tr_ctx *ctx, struct tri_block *block)
{
    if (block->flags & (TRI_BLOCK_SHARED | TRI_BLOCK_COUNTED))
        tri_block_release(ctx, block);
    else
        free_memory(ctx, block);
}

void *tr_msg_new(tr_ctx *ctx, const struct tr_type *type, size_t size)
{
    struct tri_block *block = tri_block_new(ctx, type, size, false);
    return TRI_LIKELY(block != NULL) ? tri_block_body(block) : NULL;
}

void tr_msg_free(tr_ctx *ctx, void *body)
{
    if (body)
        tri_block_free(ctx, tri_block_of(body));
}

/* ---- Sending ------------------------------------------------------------- */

/* A message that found no memory becomes a dead letter. */
__attribute__((cold)) void tri_send_refused(tr_ctx *ctx, tr_pid to, const struct tr_type *type)
{
    tri_count(&ctx->counts.accepted, 1);
    tri_dead_letter_event(ctx, to, tri_ctx_self(ctx), type, TR_DEAD_MEMORY);
}

void tr_send_block_(tr_ctx *ctx, tr_pid to, struct tr_block_ *block)
{
    tri_deliver_tagged(ctx, to, (struct tri_block *)(void *)block, ctx->tag);
}

void tr_send_copy_(tr_ctx *ctx, tr_pid to, const struct tr_type *type, const void *body,
                   size_t size)
{
    struct tri_block *block = tri_block_new(ctx, type, size, false);
    if (TRI_UNLIKELY(!block)) {
        block = tri_block_new_must(ctx, type, size, type->flags & TR_TYPE_CONTROL);
        if (!block) {
            tri_send_refused(ctx, to, type);
            return;
        }
    }
    memcpy(tri_block_body(block), body, size);
    block->from = tri_ctx_self(ctx);
    tri_deliver(ctx, to, block);
}

void tr_send_take(tr_ctx *ctx, tr_pid to, void *body)
{
    struct tri_block *block = tri_block_of(body);
    block->from = tri_ctx_self(ctx);
    tri_deliver(ctx, to, block);
}

static void deliver_odd(struct tr_ctx *ctx, tr_pid to, struct tri_block *block)
{
    if ((ctx->sys->shown & TRI_SHOW_SEND) && !ctx->showing && !(block->flags & TRI_BLOCK_POISON))
        tri_middleware_send(ctx, to, block);
    else
        tri_deliver_shown(ctx, to, block);
}

/* To another node, encoded here and now. */
static int carry(struct tr_ctx *ctx, const struct tri_outward *out)
{
    /* Acquire pairs with the release in tri_transport_install(). */
    const struct tri_transport *transport = tri_load(&ctx->sys->transport, TRI_ACQUIRE);
    int fate = transport->carry(transport->self, ctx, out);
    if (TRI_LIKELY(fate == TRI_OUTWARD_TAKEN))
        tri_count(&ctx->counts.processed, 1);
    else if (fate == TRI_OUTWARD_DROPPED)
        tri_count(&ctx->counts.dropped_newest, 1);
    return fate;
}

struct tri_outward tri_outward_of(tr_pid to, struct tri_block *block)
{
    struct tri_block *holder = tri_block_payload(block);
    return (struct tri_outward){.to = to,
                                .from = block->from,
                                .type = block->type,
                                .body = tri_block_body(holder),
                                .size = tri_block_size(holder),
                                .call = block->call,
                                .flags = block->flags,
                                .holder = holder->flags & TRI_BLOCK_HEADERS ? holder : NULL};
}

static void deliver_outward(struct tr_ctx *ctx, tr_pid to, struct tri_block *block)
{
    const struct tri_outward out = tri_outward_of(to, block);
    int fate = carry(ctx, &out);
    if (TRI_UNLIKELY(fate >= 0))
        tri_dead_letter(ctx, to, block, (enum tr_dead_reason)fate);
    else
        tri_block_free(ctx, block);
}

void tri_deliver_shown(struct tr_ctx *ctx, tr_pid to, struct tri_block *block)
{
    uint32_t gen = (uint32_t)(to.bits >> 32);
    struct tri_cell *cell = tri_pid_cell(&ctx->sys->slots, to);
    if (!cell && (block->flags & TRI_BLOCK_POISON) && !(block->flags & TRI_BLOCK_REQUEST)) {
        tri_count(&ctx->counts.processed, 1); /* Whom it should end has ended. */
        tri_block_free(ctx, block);
        return;
    }
    if (!cell) {
        bool closing = tri_load(&ctx->sys->phase, TRI_RELAXED) == TRI_CLOSED;
        tri_dead_letter(ctx, to, block, closing ? TR_DEAD_CLOSING : TR_DEAD_NO_ACTOR);
        return;
    }
    if (gen & TRI_GEN_BOUNDED) {
        tri_bound_deliver(ctx, to, cell, block);
        return;
    }
    if (gen & TRI_GEN_REMOTE) {
        deliver_outward(ctx, to, block);
        return;
    }
    tri_store(&block->gen, gen, TRI_RELAXED); /* `to` may be another than it was sent to. */
    if (tri_mailbox_push(cell, block))
        tri_schedule(ctx, cell);
}

void tri_train_deliver(struct tr_ctx *ctx, struct tri_train *train)
{
    tr_pid to = train->to;
    struct tri_block *block = train->first;
    uint32_t gen = (uint32_t)(to.bits >> 32);
    const struct tri_slots *slots = ctx->table;
    struct tri_cell *cell = NULL;
    tri_count(&ctx->counts.accepted, train->count);
    if (!(gen & TRI_GEN_ODD))
        cell = tri_slot_cell(slots, (uint32_t)to.bits);
    /* Relaxed: a hint, as in tri_deliver_short(). */
    if (TRI_LIKELY(cell && tri_load(&cell->gen, TRI_RELAXED) == gen)) {
        if (tri_mailbox_push_all(cell, block, train->last))
            tri_schedule(ctx, cell);
        train->count = 0;
        return;
    }
    for (; train->count > 0; train->count--) {
        struct tri_block *next = tri_load(&block->next, TRI_RELAXED);
        tri_deliver_odd(ctx, to, block);
        block = next;
    }
}

void tri_deliver_odd(struct tr_ctx *ctx, tr_pid to, struct tri_block *block)
{
    tri_outside_enter(ctx);
    deliver_odd(ctx, to, block);
    tri_outside_leave(ctx);
}

/* tr_try_send() to another node: straight out of the caller's struct. */
static tr_err try_outward(tr_ctx *ctx, tr_pid to, const struct tr_type *type, const void *body,
                          size_t size)
{
    const struct tri_transport *transport = tri_load(&ctx->sys->transport, TRI_ACQUIRE);
    if (((uint32_t)(to.bits >> 32) & TRI_GEN_SHOWN) && !ctx->showing) {
        tr_err err = transport->room(transport->self, ctx, to);
        struct tri_block *block = err ? NULL : tri_block_new(ctx, type, size, false);
        if (!block)
            return err ? err : TR_EFULL;
        memcpy(tri_block_body(block), body, size);
        block->from = tri_ctx_self(ctx);
        block->flags |= TRI_BLOCK_PROMISED;
        tri_count(&ctx->counts.accepted, 1);
        tri_middleware_send(ctx, to, block);
        return TR_OK;
    }
    int fate = carry(ctx, &(struct tri_outward){.to = to,
                                                .from = tri_ctx_self(ctx),
                                                .type = type,
                                                .body = body,
                                                .size = size,
                                                .trying = true});
    if (fate == TR_DEAD_REFUSED || fate == TR_DEAD_MEMORY)
        return TR_EFULL;
    if (fate == TR_DEAD_LINK || fate == TR_DEAD_NO_ACTOR)
        return TR_ENOACTOR;
    tri_count(&ctx->counts.accepted, 1);
    if (TRI_UNLIKELY(fate >= 0)) /* It has no encoding: the sender's mistake, and on record. */
        tri_dead_letter_event(ctx, to, tri_ctx_self(ctx), type, (enum tr_dead_reason)fate);
    return TR_OK;
}

static tr_err try_send(tr_ctx *ctx, tr_pid to, const struct tr_type *type, const void *body,
                       size_t size)
{
    if (!ctx->cell && tri_load(&ctx->sys->phase, TRI_ACQUIRE) != TRI_OPEN)
        return TR_ECLOSING;
    struct tri_cell *cell = tri_pid_cell(&ctx->sys->slots, to);
    if (!cell)
        return TR_ENOACTOR;
    uint32_t gen = (uint32_t)(to.bits >> 32);
    bool remote = tri_pid_remote(to);
    if (remote && !(gen & TRI_GEN_BOUNDED))
        return try_outward(ctx, to, type, body, size);
    if (remote) { /* It waits in a mailbox there where there is no room. */
        const struct tri_transport *transport = tri_load(&ctx->sys->transport, TRI_ACQUIRE);
        tr_err err = transport->room(transport->self, ctx, to);
        if (err)
            return err;
    }
    struct tri_block *block = tri_block_new(ctx, type, size, false);
    if (!block)
        return TR_EFULL;
    if (remote)
        block->flags |= TRI_BLOCK_PROMISED;
    memcpy(tri_block_body(block), body, size);
    block->from = tri_ctx_self(ctx);
    bool shown = (gen & TRI_GEN_SHOWN) && !ctx->showing;
    if (gen & TRI_GEN_BOUNDED) {
        /* What middleware is to see is put in afterwards, if there is room now. */
        tr_err err = tri_bound_try(ctx, to, cell, block, shown);
        if (err)
            tri_block_free(ctx, block);
        else
            tri_count(&ctx->counts.accepted, 1);
        if (err || !shown)
            return err;
    } else {
        tri_count(&ctx->counts.accepted, 1);
    }
    if (shown) {
        tri_middleware_send(ctx, to, block);
        return TR_OK;
    }
    tri_store(&block->gen, gen, TRI_RELAXED);
    if (tri_mailbox_push(cell, block))
        tri_schedule(ctx, cell);
    return TR_OK;
}

tr_err tr_try_send_(tr_ctx *ctx, tr_pid to, const struct tr_type *type, const void *body,
                    size_t size)
{
    tri_outside_enter(ctx);
    tr_err err = try_send(ctx, to, type, body, size);
    tri_outside_leave(ctx);
    return err;
}

void tri_send_reserved(struct tr_ctx *ctx, tr_pid to, const struct tr_type *type, const void *body,
                       uint64_t call, uint8_t flags)
{
    tri_send_from(ctx, to, tri_ctx_self(ctx), type, body, call, flags);
}

void tri_send_from(struct tr_ctx *ctx, tr_pid to, tr_pid from, const struct tr_type *type,
                   const void *body, uint64_t call, uint8_t flags)
{
    struct tri_block *block = tri_block_new(ctx, type, type->size, true);
    if (!block) {
        tri_count(&ctx->counts.accepted, 1);
        tri_dead_letter_event(ctx, to, TR_NOBODY, type, TR_DEAD_MEMORY);
        return;
    }
    memcpy(tri_block_body(block), body, type->size);
    block->from = from;
    block->call = call;
    block->flags |= flags;
    tri_deliver(ctx, to, block);
}

/* An envelope that shares `payload`; NULL at the cap. */
static struct tri_block *new_envelope(struct tr_ctx *ctx, struct tri_block *payload)
{
    static const struct tr_type envelope_type = {"envelope", sizeof payload, NULL, 0};
    struct tri_block *block = tri_block_new(ctx, &envelope_type, sizeof payload, false);
    if (!block)
        return NULL;
    memcpy(tri_block_body(block), &payload, sizeof payload);
    block->type = payload->type;
    block->flags |= TRI_BLOCK_SHARED;
    /* Relaxed: the caller holds a reference, so the count is not 0 and nothing is freed. */
    tri_fetch_add(&payload->gen, 1u, TRI_RELAXED);
    return block;
}

static void send_shared(struct tr_ctx *ctx, tr_pid to, struct tri_block *payload, tr_pid from,
                        uint64_t call, uint8_t flags)
{
    struct tri_block *block = new_envelope(ctx, payload);
    if (!block) {
        tri_send_refused(ctx, to, payload->type);
        struct tr_request_failed failed = {.call = call, .to = to, .reason = TR_EFULL};
        if (flags & TRI_BLOCK_REQUEST) /* Whoever waits is to know. */
            tri_send_reserved(ctx, from, &tr_request_failed_type, &failed, call, TRI_BLOCK_REPLY);
        return;
    }
    block->from = from;
    block->call = call;
    block->flags |= flags;
    tri_deliver(ctx, to, block);
}

void tr_broadcast_(tr_ctx *ctx, const tr_pid *pids, size_t count, const struct tr_type *type,
                   const void *body, size_t size)
{
    struct tri_block *payload = tri_block_new(ctx, type, size, false);
    if (!payload) {
        for (size_t i = 0; i < count; i++)
            tri_send_refused(ctx, pids[i], type);
        return;
    }
    memcpy(tri_block_body(payload), body, size);
    payload->flags |= TRI_BLOCK_COUNTED;
    tri_store(&payload->gen, 1u, TRI_RELAXED); /* Published with the first envelope. */
    for (size_t i = 0; i < count; i++)
        send_shared(ctx, pids[i], payload, tri_ctx_self(ctx), 0, 0);
    tri_block_release(ctx, payload);
}

/* ---- Kept messages ------------------------------------------------------- */

tr_ref tr_msg_ref(tr_ctx *ctx, const tr_msg *msg)
{
    struct tri_block *block = tri_msg_block(msg);
    (void)ctx;
    if (block->flags & TRI_BLOCK_COUNTED) {
        tri_fetch_add(&block->gen, 1u, TRI_RELAXED);
    } else {
        /* Only this worker sees the block so far. One reference is the runtime's. */
        block->flags |= TRI_BLOCK_COUNTED;
        tri_store(&block->gen, 2u, TRI_RELAXED);
    }
    return (tr_ref){block};
}

void tr_msg_unref(tr_ctx *ctx, tr_ref ref)
{
    if (ref.block)
        tri_block_release(ctx, ref.block);
}

const tr_msg *tr_ref_msg(tr_ref ref)
{
    return tri_block_msg(ref.block);
}

void tr_send_ref(tr_ctx *ctx, tr_pid to, tr_ref ref)
{
    send_shared(ctx, to, ref.block, tri_ctx_self(ctx), 0, 0);
}

void tr_forward(tr_ctx *ctx, tr_pid to, const tr_msg *msg)
{
    uint8_t asks = ctx->block->flags & TRI_BLOCK_REQUEST;
    tr_ref ref = tr_msg_ref(ctx, msg);
    send_shared(ctx, to, ref.block, ctx->block->from, asks ? ctx->block->call : 0, asks);
    tr_msg_unref(ctx, ref);
}

/* ---- Dead letters -------------------------------------------------------- */

const struct tr_type tr_dead_letter_type = {"tr_dead_letter", sizeof(struct tr_dead_letter), NULL,
                                            TR_TYPE_CONTROL};

const char *tr_dead_reason_name(enum tr_dead_reason reason)
{
    static const char *const names[] = {
#define X(code, name, text) name,
        TR_DEAD_REASONS(X)
#undef X
    };
    return (unsigned)reason < TR_DEAD_REASON_COUNT ? names[reason] : "unknown";
}

void tri_dead_letter_event(struct tr_ctx *ctx, tr_pid to, tr_pid from, const struct tr_type *type,
                           enum tr_dead_reason reason)
{
    tri_count(&ctx->counts.dead[reason], 1);
    if (type == &tr_dead_letter_type)
        return; /* Or dead letters about dead letters would never end. */
    struct tr_dead_letter event = {.to = to, .from = from, .type = type, .reason = reason};
    /* An answer to a caller that no longer waits was lost by agreement: it is no warning. */
    if (reason != TR_DEAD_CLOSING)
        tri_log(ctx->sys, reason == TR_DEAD_LATE ? TR_LOG_INFO : TR_LOG_WARN,
                "dead letter: %s to %" PRIx64 " from %" PRIx64 " (%s)", type->name, to.bits,
                from.bits, tr_dead_reason_name(reason));
    if (tri_load(&ctx->sys->phase, TRI_RELAXED) != TRI_CLOSED)
        tr_publish_(ctx, &tr_dead_letter_type, &event, sizeof event);
}

tr_err tri_dead_error(enum tr_dead_reason reason)
{
    switch (reason) {
    case TR_DEAD_REFUSED:
    case TR_DEAD_MEMORY:
        return TR_EFULL;
    case TR_DEAD_CLOSING:
        return TR_ECLOSING;
    case TR_DEAD_UNHANDLED:
        return TR_EUNHANDLED;
    case TR_DEAD_LINK:
        return TR_EPEER;
    case TR_DEAD_ENCODING:
        return TR_ENOTSUP;
    default:
        return TR_ENOACTOR;
    }
}

tr_err tri_send_refuse(struct tr_ctx *ctx, enum tr_dead_reason reason)
{
    ctx->unhandled = (uint8_t)(1 + reason);
    ctx->attention = true;
    return TR_OK;
}

void tri_proxy_undeliverable(struct tr_ctx *ctx, const struct tri_undeliverable *letter,
                             enum tr_dead_reason reason)
{
    /* It was counted as processed when the proxy took it. */
    tri_count(&ctx->counts.processed, (uint64_t)-1);
    if (letter->request) {
        struct tr_request_failed failed = {
            .call = letter->call, .to = letter->to, .reason = tri_dead_error(reason)};
        tri_send_from(ctx, letter->from, letter->to, &tr_request_failed_type, &failed, letter->call,
                      TRI_BLOCK_REPLY);
    }
    tri_dead_letter_event(ctx, letter->to, letter->from, letter->type, reason);
}

tr_err tr_unhandled(tr_ctx *ctx)
{
    return tri_send_refuse(ctx, TR_DEAD_UNHANDLED);
}

void tri_dead_letter(struct tr_ctx *ctx, tr_pid to, struct tri_block *block,
                     enum tr_dead_reason reason)
{
    tr_pid from = block->from;
    bool gone = reason == TR_DEAD_NO_ACTOR || reason == TR_DEAD_STOPPED;
    if (gone && (block->flags & TRI_BLOCK_REPLY))
        reason = TR_DEAD_LATE; /* The call ended with its caller. */
    if (block->flags & TRI_BLOCK_REQUEST) {
        struct tr_request_failed failed = {
            .call = block->call, .to = to, .reason = tri_dead_error(reason)};
        tri_send_reserved(ctx, from, &tr_request_failed_type, &failed, block->call,
                          TRI_BLOCK_REPLY);
    }
    tri_dead_letter_event(ctx, to, from, block->type, reason);
    if (!TRI_PLANTED(LEAKED))
        tri_block_free(ctx, block);
}
