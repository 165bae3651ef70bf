#include "core/request.h"

#include "base/assert.h"
#include "base/plant.h"
#include "core/cold.h"
#include "core/send.h"
#include "core/spawn.h"
#include "core/stepped.h"
#include "core/worker.h"
#include "os/clock.h"
#include "troupe/timer.h"

const struct tr_type tr_request_failed_type = {
    "tr_request_failed", sizeof(struct tr_request_failed), NULL, TR_TYPE_CONTROL};

#define NS_PER_MS 1000000u
/* Of real time: so long a clock of the caller's own may stand still while tr_ask() waits. */
#define CLOCK_STILL_NS 100000000u

static void fail_self(struct tr_ctx *ctx, uint64_t call, tr_pid to, tr_err reason)
{
    struct tr_request_failed failed = {.call = call, .to = to, .reason = reason};
    tri_send_reserved(ctx, tri_ctx_self(ctx), &tr_request_failed_type, &failed, 0, 0);
}

/* Enters a call of the current actor; 0 if there is no room. `probe_ns`: when to begin to watch
 * `to`; 0: never. */
TRI_HOT_INLINE uint64_t open_call(struct tr_ctx *ctx, tr_pid to, uint64_t deadline_ns,
                                  uint64_t probe_ns)
{
    TRI_ASSERT(ctx->cell != NULL); /* So it is a worker's context. */
    struct tri_cold *cold = ctx->cell->cold;
    if (TRI_UNLIKELY(!cold))
        cold = tri_cold(ctx->cell);
    uint64_t call = cold ? tri_calls_add(&cold->calls, to, deadline_ns, probe_ns) : 0;
    uint64_t due = probe_ns && probe_ns < deadline_ns ? probe_ns : deadline_ns;
    if (TRI_UNLIKELY(call && !cold->call_timer.armed && due != UINT64_MAX))
        tri_timer_arm(ctx, &cold->call_timer, due);
    return call;
}

/* Opens a call with the default timeout for 0, and the largest for more than that. */
TRI_HOT_INLINE uint64_t open_request(struct tr_ctx *ctx, tr_pid to, unsigned timeout_ms)
{
    if (timeout_ms - 1 >= TR_TIMEOUT_MS_MAX)
        timeout_ms = timeout_ms ? TR_TIMEOUT_MS_MAX : TRI_TIMEOUT_MS_DEFAULT;
    uint64_t now = tri_ctx_now_ns(ctx);
    return open_call(ctx, to, now + (uint64_t)timeout_ms * NS_PER_MS, now + TRI_CALL_GRACE_NS);
}

/* No room for the call or its message: the answer is a failure. */
static __attribute__((noinline, cold)) void request_refused(struct tr_ctx *ctx, uint64_t call,
                                                            tr_pid to, const struct tr_type *type)
{
    if (call)
        (void)tri_calls_end(&ctx->cell->cold->calls, call);
    tri_send_refused(ctx, to, type);
    fail_self(ctx, call, to, TR_EFULL);
}

uint64_t tr_request_copy_(tr_ctx *ctx, tr_pid to, unsigned timeout_ms, const struct tr_type *type,
                          const void *body, size_t size)
{
    uint64_t call = open_request(ctx, to, timeout_ms);
    struct tri_block *block = call ? tri_block_new(ctx, type, size, false) : NULL;
    if (TRI_UNLIKELY(!block)) {
        request_refused(ctx, call, to, type);
        return call;
    }
    memcpy(tri_block_body(block), body, size);
    block->from = tri_ctx_self(ctx);
    block->call = call;
    block->tag |= TRI_TAG_FLAGS(TRI_BLOCK_REQUEST);
    tri_deliver(ctx, to, block);
    return call;
}

uint64_t tr_request_take(tr_ctx *ctx, tr_pid to, unsigned timeout_ms, void *body)
{
    struct tri_block *block = tri_block_of(body);
    uint64_t call = open_request(ctx, to, timeout_ms);
    if (TRI_UNLIKELY(!call)) {
        const struct tr_type *type = block->type;
        tri_block_free(ctx, block);
        request_refused(ctx, call, to, type);
        return call;
    }
    block->from = tri_ctx_self(ctx);
    block->call = call;
    block->tag |= TRI_TAG_FLAGS(TRI_BLOCK_REQUEST);
    tri_deliver(ctx, to, block);
    return call;
}

/* The first request of an actor, and those that are odd in another way. */
static __attribute__((noinline)) uint64_t request_odd(struct tr_ctx *ctx, tr_pid to,
                                                      unsigned timeout_ms, struct tri_block *block)
{
    uint64_t call = open_request(ctx, to, timeout_ms);
    if (TRI_UNLIKELY(!call)) {
        tri_pool_put_own(&ctx->pool, block, 0);
        request_refused(ctx, call, to, block->type);
        return call;
    }
    block->call = call;
    tri_deliver_tagged(ctx, to, block, ctx->tag | TRI_TAG_FLAGS(TRI_BLOCK_REQUEST));
    return call;
}

static __attribute__((noinline)) uint64_t request_deliver(struct tr_ctx *ctx, tr_pid to,
                                                          struct tri_block *block, uint64_t call)
{
    tri_deliver_odd(ctx, to, block);
    return call;
}

static __attribute__((noinline)) uint64_t request_schedule(struct tr_ctx *ctx,
                                                           struct tri_cell *cell, uint64_t call)
{
    tri_schedule(ctx, cell);
    return call;
}

/* Nothing but jumps leaves the short path, so that it saves no registers. */
uint64_t tr_request_block_(tr_ctx *ctx, tr_pid to, unsigned timeout_ms, struct tr_block_ *small)
{
    struct tri_block *block = (struct tri_block *)(void *)small;
    struct tri_cold *cold = ctx->cell ? ctx->cell->cold : NULL;
    if (TRI_UNLIKELY(!cold || !tri_calls_reusable(&cold->calls) || !cold->call_timer.armed ||
                     timeout_ms - 1 >= TR_TIMEOUT_MS_MAX || ctx->sys->config.manual))
        return request_odd(ctx, to, timeout_ms, block);
    uint64_t now = tri_worker_now_ns(ctx->worker); /* Actors run on workers. */
    uint64_t call = tri_calls_reuse(&cold->calls, to, now + (uint64_t)timeout_ms * NS_PER_MS,
                                    now + TRI_CALL_GRACE_NS);
    bool odd;
    block->call = call;
    struct tri_cell *runnable = tri_deliver_short(
        ctx, to, block, ctx->tag | TRI_TAG_FLAGS(TRI_BLOCK_REQUEST), &odd);
    if (TRI_UNLIKELY(odd))
        return request_deliver(ctx, to, block, call);
    if (!runnable)
        return call;
    if (TRI_UNLIKELY(ctx->worker->handoff != NULL))
        return request_schedule(ctx, runnable, call);
    ctx->worker->handoff = runnable;
    return call;
}

const struct tr_type tri_touch_type = {"tr_touch", 0, NULL, TR_TYPE_CONTROL};
const struct tr_type tr_touched_type = {"tr_touched", sizeof(struct tr_touched), NULL,
                                        TR_TYPE_CONTROL};

uint64_t tr_touch(tr_ctx *ctx, tr_pid pid, unsigned timeout_ms)
{
    uint64_t call = open_request(ctx, pid, timeout_ms);
    struct tri_block *block = call ? tri_block_new(ctx, &tri_touch_type, 0, true) : NULL;
    if (!block) {
        request_refused(ctx, call, pid, &tri_touch_type);
        return call;
    }
    block->from = tri_ctx_self(ctx);
    block->call = call;
    block->flags |= TRI_BLOCK_REQUEST | TRI_BLOCK_POISON;
    tri_deliver(ctx, pid, block);
    return call;
}

void tri_request_touched(struct tr_ctx *ctx, const struct tri_block *block)
{
    struct tr_touched touched = {.who = tri_ctx_self(ctx)};
    tri_send_reserved(ctx, block->from, &tr_touched_type, &touched, block->call,
                      block->flags & TRI_BLOCK_REQUEST ? TRI_BLOCK_REPLY : 0);
}

uint64_t tri_request_open(struct tr_ctx *ctx, unsigned timeout_ms)
{
    return open_request(ctx, TR_NOBODY, timeout_ms);
}

uint64_t tri_request_open_offload(struct tr_ctx *ctx)
{
    return open_call(ctx, TR_NOBODY, UINT64_MAX, 0);
}

uint64_t tr_call(const tr_ctx *ctx)
{
    const struct tri_block *block = ctx->block;
    return block && (block->flags & TRI_BLOCK_REPLY) ? block->call : 0;
}

static tr_caller caller_of(const struct tri_block *block)
{
    if (!block)
        return (tr_caller){TR_NOBODY, 0};
    return (tr_caller){block->from, block->flags & TRI_BLOCK_REQUEST ? block->call : 0};
}

tr_caller tr_caller_of(const tr_ctx *ctx)
{
    return caller_of(ctx->block);
}

tr_caller tr_batch_caller(const tr_ctx *ctx, size_t index)
{
    TRI_ASSERT(ctx->batch != NULL && index < ctx->batch_count);
    return caller_of(ctx->batch[index]);
}

static void reply(struct tr_ctx *ctx, tr_caller caller, struct tri_block *block)
{
    block->from = tri_ctx_self(ctx);
    block->call = caller.call;
    if (caller.call)
        block->tag |= TRI_TAG_FLAGS(TRI_BLOCK_REPLY);
    tri_deliver(ctx, caller.pid, block);
}

void tr_reply_take(tr_ctx *ctx, tr_caller caller, void *body)
{
    reply(ctx, caller, tri_block_of(body));
}

void tr_reply_to_(tr_ctx *ctx, tr_caller caller, const struct tr_type *type, const void *body,
                  size_t size)
{
    struct tri_block *block = tri_block_new(ctx, type, size, false);
    if (TRI_UNLIKELY(!block)) {
        /* Work that was taken on is to be finished. */
        block = tri_block_new_must(ctx, type, size, caller.call || type->flags & TR_TYPE_CONTROL);
        if (!block) {
            tri_send_refused(ctx, caller.pid, type);
            return;
        }
    }
    memcpy(tri_block_body(block), body, size);
    reply(ctx, caller, block);
}

void tr_reply_copy_(tr_ctx *ctx, const struct tr_type *type, const void *body, size_t size)
{
    tr_reply_to_(ctx, caller_of(ctx->block), type, body, size);
}

void tr_reply_block_(tr_ctx *ctx, struct tr_block_ *small)
{
    struct tri_block *block = (struct tri_block *)(void *)small;
    const struct tri_block *asked = ctx->block;
    if (TRI_LIKELY(asked && (asked->flags & TRI_BLOCK_REQUEST))) {
        block->call = asked->call;
        tri_deliver_tagged(ctx, asked->from, block, ctx->tag | TRI_TAG_FLAGS(TRI_BLOCK_REPLY));
        return;
    }
    tri_deliver_tagged(ctx, asked ? asked->from : TR_NOBODY, block, ctx->tag);
}

void tri_request_fail(struct tr_ctx *ctx, struct tri_block *block, tr_pid to, tr_err reason)
{
    struct tr_request_failed failed = {.call = block->call, .to = to, .reason = reason};
    tri_send_reserved(ctx, block->from, &tr_request_failed_type, &failed, block->call,
                      TRI_BLOCK_REPLY);
}

/* Answers one of the actor's own calls with a failure, through its mailbox. */
static void fail_call(struct tr_ctx *ctx, const struct tri_call *call, tr_err reason)
{
    struct tr_request_failed failed = {.call = call->number, .to = call->to, .reason = reason};
    tri_send_reserved(ctx, tri_ctx_self(ctx), &tr_request_failed_type, &failed, call->number,
                      TRI_BLOCK_REPLY);
}

void tri_request_tick(struct tr_ctx *ctx, struct tri_cell *cell)
{
    struct tri_cold *cold = cell->cold; /* The timer is a part of it. */
    uint64_t now = tr_now_ns(ctx);
    uint64_t due = UINT64_MAX;
    uint32_t cursor = 0;
    struct tri_call *call;
    while ((call = tri_calls_next(&cold->calls, &cursor))) {
        if (call->deadline_ns <= now) {
            if (!TRI_PLANTED(TIMEOUT_LOST) || call->number % 8 != 0)
                fail_call(ctx, call, TR_ETIMEDOUT);
            call->deadline_ns = UINT64_MAX; /* Over as soon as that arrives. */
            call->probe_ns = 0;
        } else if (call->probe_ns && call->probe_ns <= now) {
            call->probe_ns = 0;
            tri_sys_send(ctx, call->to, TRI_SYS_PROBE, tri_ctx_self(ctx), 0);
        }
        if (call->deadline_ns < due)
            due = call->deadline_ns;
        if (call->probe_ns && call->probe_ns < due)
            due = call->probe_ns;
    }
    if (due != UINT64_MAX && !cold->call_timer.armed)
        tri_timer_arm(ctx, &cold->call_timer, due);
}

void tri_request_gone(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid who, tr_err reason)
{
    uint32_t cursor = 0;
    struct tri_call *call;
    if (!cell->cold)
        return;
    while ((call = tri_calls_next(&cell->cold->calls, &cursor))) {
        if (!tr_pid_equal(call->to, who) || call->deadline_ns == UINT64_MAX)
            continue;
        fail_call(ctx, call, reason);
        call->deadline_ns = UINT64_MAX;
    }
}

uint64_t tri_request_number(const struct tri_cell *cell, uint32_t low)
{
    const struct tri_calls *calls = cell->cold ? &cell->cold->calls : NULL;
    uint32_t index = low & 0xffff;
    if (!calls || index >= calls->used || (uint32_t)calls->items[index].number != low)
        return 0;
    return calls->items[index].number;
}

/* ---- Asking from outside ------------------------------------------------- */

/* A waiting thread: a proxy in the PID table that takes one answer. */
struct ask {
    struct tri_proxy proxy;
    const struct tr_type *into_type;
    void *into;
    tr_err err; /* TR_EUSER: no answer yet */
    struct tri_park park;
    TRI_ATOMIC(uint32_t) ended;
};

static void ask_deliver(struct tri_proxy *proxy, struct tr_ctx *ctx, struct tri_block *block)
{
    struct ask *ask = (struct ask *)proxy;
    const void *body = tri_block_body(tri_block_payload(block));
    if (ask->err != TR_EUSER)
        return;
    if (block->type == ask->into_type) {
        memcpy(ask->into, body, block->type->size);
        ask->err = TR_OK;
    } else if (block->type == &tr_request_failed_type) {
        ask->err = ((const struct tr_request_failed *)body)->reason;
    } else {
        ask->err = TR_ETYPE;
    }
    ctx->cell->flags |= TRI_CELL_STOP; /* One answer, and the proxy ends. */
}

static void ask_ended(struct tri_proxy *proxy, struct tr_ctx *ctx)
{
    struct ask *ask = (struct ask *)proxy;
    (void)ctx;
    /* 1 before the wake-up, so that the asker cannot miss it; 2 after it, so that the asker
     * does not leave with its stack while we still touch it. Release publishes the answer. */
    tri_store(&ask->ended, 1u, TRI_RELEASE);
    tri_park_wake(&ask->park);
    tri_store(&ask->ended, 2u, TRI_RELEASE);
}

/* Nothing could go on at `now`: false if time stands still, and so nothing ever will. */
static bool time_goes_on(tr_ctx *ctx, uint64_t now, uint64_t deadline, uint64_t *still_since)
{
    const struct tri_stepped *stepped = ctx->sys->stepped;
    if (stepped)
        return stepped->port.wait(stepped->port.self, deadline);
    uint64_t real = tri_clock_mono_ns();
    if (tr_now_ns(ctx) != now || *still_since == 0)
        *still_since = real; /* A clock that is coarse does not stand still for long. */
    return real - *still_since < CLOCK_STILL_NS;
}

static void ask_wait(struct ask *ask, tr_ctx *ctx, tr_pid self, unsigned timeout_ms)
{
    uint64_t deadline = tr_now_ns(ctx) + (uint64_t)timeout_ms * NS_PER_MS, still_since = 0;
    bool stopping = false;
    while (!tri_load(&ask->ended, TRI_ACQUIRE)) {
        uint64_t now = tr_now_ns(ctx);
        if (!stopping && now >= deadline) {
            stopping = true;
            tri_sys_send(ctx, self, TRI_SYS_STOP, TR_NOBODY, 0);
        }
        if (ctx->worker && tr_system_step(ctx->sys, 64) > 0)
            still_since = 0;
        else if (ctx->worker && !stopping && tri_system_at_rest(ctx->sys) &&
                 !time_goes_on(ctx, now, deadline, &still_since))
            deadline = now;
        else if (!ctx->worker)
            (void)tri_park_wait(&ask->park, stopping ? -1 : (int64_t)(deadline - now));
    }
    while (tri_load(&ask->ended, TRI_ACQUIRE) != 2)
        tri_thread_yield();
}

tr_err tr_ask_(tr_ctx *ctx, tr_pid to, unsigned timeout_ms, const struct tr_type *into_type,
               void *into, const struct tr_type *type, const void *body, size_t size)
{
    if (ctx->cell || (ctx->worker && !ctx->sys->config.manual))
        return TR_EWORKER;
    if (tri_load(&ctx->sys->phase, TRI_ACQUIRE) == TRI_CLOSED)
        return TR_ECLOSING;
    struct ask ask = {.proxy = {.deliver = ask_deliver, .ended = ask_ended},
                      .into_type = into_type,
                      .into = into,
                      .err = TR_EUSER};
    tri_park_init(&ask.park);
    struct tri_block *block = tri_block_new(ctx, type, size, false);
    if (!block)
        return TR_EFULL;
    tr_pid self = tri_spawn_proxy(ctx, &ask.proxy);
    if (tr_pid_is_nobody(self)) {
        tri_block_free(ctx, block);
        return tr_pid_err(self);
    }
    memcpy(tri_block_body(block), body, size);
    block->from = self;
    block->call = 1;
    block->flags |= TRI_BLOCK_REQUEST;
    tri_deliver(ctx, to, block);
    ask_wait(&ask, ctx, self, timeout_ms ? timeout_ms : TRI_TIMEOUT_MS_DEFAULT);
    return ask.err == TR_EUSER ? TR_ETIMEDOUT : ask.err;
}
