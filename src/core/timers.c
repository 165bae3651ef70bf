#include "core/timers.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/plant.h"
#include "core/cold.h"
#include "core/request.h"
#include "core/send.h"
#include "troupe/timer.h"

#define NS_PER_MS 1000000u

/* ---- Wheels -------------------------------------------------------------- */

void tri_timer_arm(struct tr_ctx *ctx, struct tri_timer *timer, uint64_t due_ns)
{
    struct tri_timers *home = &ctx->worker->timers;
    TRI_ASSERT(!timer->armed);
    /* Upwards: a timer never comes early. */
    uint64_t tick = (due_ns + NS_PER_MS - 1) / NS_PER_MS;
    if (TRI_PLANTED(TIMER_EARLY) && tick % 5 == 0)
        tick--;
    timer->due_ns = due_ns;
    timer->home = home;
    timer->armed = true;
    tri_store(&timer->sys.gen, tri_ctx_gen(ctx), TRI_RELAXED);
    tri_spin_lock(&home->lock);
    tri_wheel_add(&home->wheel, &timer->node, tick);
    if (tick < tri_load(&home->next_tick, TRI_RELAXED))
        tri_store(&home->next_tick, tick, TRI_RELAXED);
    tri_spin_unlock(&home->lock);
}

bool tri_timer_disarm(struct tri_timer *timer)
{
    if (!timer->armed)
        return true;
    tri_spin_lock(&timer->home->lock);
    bool removed = tri_wheel_remove(&timer->home->wheel, &timer->node);
    tri_spin_unlock(&timer->home->lock);
    if (removed)
        timer->armed = false;
    return removed;
}

void tri_timers_fire(struct tr_ctx *ctx, struct tri_timers *timers, uint64_t now_ns)
{
    uint64_t now = now_ns / NS_PER_MS;
    /* Relaxed: a hint; who armed an earlier timer looks at it itself. */
    if (tri_load(&timers->next_tick, TRI_RELAXED) > now)
        return;
    tri_spin_lock(&timers->lock);
    struct tri_wheel_node *node;
    while ((node = tri_wheel_pop(&timers->wheel, now))) {
        struct tri_timer *timer = TRI_CONTAINER_OF(node, struct tri_timer, node);
        timer->queued = true;
        /* Under the lock: see timers.h. */
        tri_sys_push(ctx, timer->cell, &timer->sys);
    }
    tri_store(&timers->next_tick, tri_wheel_next(&timers->wheel), TRI_RELAXED);
    tri_spin_unlock(&timers->lock);
}

uint64_t tri_timers_next_ns(const struct tri_timers *timers)
{
    uint64_t tick = tri_load(&timers->next_tick, TRI_RELAXED);
    return tick == TRI_WHEEL_NEVER ? UINT64_MAX : tick * NS_PER_MS;
}

/* ---- Timers of actors ---------------------------------------------------- */

static struct tri_timer *find(const struct tri_actor_timers *timers, uint64_t id)
{
    uint32_t index = id & 0xffff;
    if (id == 0 || index >= timers->capacity)
        return NULL;
    struct tri_timer *timer = timers->items[index];
    return timer && timer->id == id ? timer : NULL;
}

/* A place in the table and the number that goes with it; 0 when full or out of memory. */
static uint64_t take_place(struct tri_actor_timers *timers)
{
    if (timers->count * 2 >= timers->capacity) {
        if (timers->count == TRI_TIMERS_MAX)
            return 0;
        uint32_t capacity = timers->capacity ? timers->capacity * 2 : 4;
        struct tri_timer **items = tri_realloc(timers->items, capacity * sizeof *items);
        if (!items)
            return 0;
        for (uint32_t i = timers->capacity; i < capacity; i++)
            items[i] = NULL;
        timers->items = items;
        timers->capacity = capacity;
    }
    /* At most half of the places are taken, so a free one is near. */
    uint32_t index = (uint32_t)timers->sequence % timers->capacity;
    while (timers->items[index])
        index = (index + 1) % timers->capacity;
    timers->count++;
    return ++timers->sequence << 16 | index;
}

static void leave_place(struct tri_actor_timers *timers, struct tri_timer *timer)
{
    timers->items[timer->id & 0xffff] = NULL;
    timers->count--;
}

void tri_timer_free(struct tr_ctx *ctx, struct tri_timer *timer)
{
    if (timer->message)
        tri_block_free(ctx, timer->message);
    tri_free(timer);
}

tr_timer tr_timer_(tr_ctx *ctx, unsigned delay_ms, unsigned period_ms, const struct tr_type *type,
                   const void *body, size_t size)
{
    TRI_ASSERT(ctx->cell != NULL && ctx->worker != NULL);
    struct tri_cold *cold = tri_cold(ctx->cell);
    struct tri_timer *timer = tri_calloc(1, sizeof *timer);
    struct tri_block *message = tri_block_new(ctx, type, size, true);
    uint64_t id = cold && timer && message ? take_place(&cold->timers) : 0;
    if (!id) {
        tri_free(timer);
        if (message)
            tri_block_free(ctx, message);
        tri_send_refused(ctx, tri_ctx_self(ctx), type);
        return (tr_timer){0};
    }
    memcpy(tri_block_body(message), body, size);
    message->from = tri_ctx_self(ctx);
    timer->message = message;
    timer->id = id;
    timer->cell = ctx->cell;
    timer->sys.flags = TRI_SYS_TIMER;
    timer->period_ns = (uint64_t)period_ms * NS_PER_MS;
    cold->timers.items[id & 0xffff] = timer;
    tri_timer_arm(ctx, timer, tr_now_ns(ctx) + (uint64_t)delay_ms * NS_PER_MS);
    return (tr_timer){id};
}

/* Takes a timer away from its actor; it is freed now or when it leaves the system queue. */
static void discard(struct tr_ctx *ctx, struct tri_cold *cold, struct tri_timer *timer)
{
    leave_place(&cold->timers, timer);
    bool pending = tri_timer_disarm(timer);
    if (pending)
        tri_timer_free(ctx, timer);
    else
        timer->dead = true;
}

bool tr_cancel(tr_ctx *ctx, tr_timer handle)
{
    TRI_ASSERT(ctx->cell != NULL);
    struct tri_cold *cold = ctx->cell->cold;
    struct tri_timer *timer = cold ? find(&cold->timers, handle.bits) : NULL;
    if (!timer)
        return false;
    discard(ctx, cold, timer);
    return true;
}

void tri_timers_end(struct tr_ctx *ctx, struct tri_cell *cell)
{
    struct tri_cold *cold = cell->cold;
    if (!cold)
        return;
    for (uint32_t i = 0; i < cold->timers.capacity; i++) {
        if (cold->timers.items[i])
            discard(ctx, cold, cold->timers.items[i]);
    }
    /* Those that are queued already find nothing to do, or go stale. */
    (void)tri_timer_disarm(&cold->call_timer);
    (void)tri_timer_disarm(&cold->idle_timer);
    (void)tri_timer_disarm(&cold->backoff_timer);
    cold->idle_ms = 0;
}

void tri_timer_due(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_timer *timer)
{
    struct tri_cold *cold = cell->cold;
    struct tri_block *message = timer->message;
    tr_pid self = tri_ctx_self(ctx);
    if (timer->period_ns == 0) {
        leave_place(&cold->timers, timer);
        timer->message = NULL;
        tri_timer_free(ctx, timer);
        tri_deliver(ctx, self, message);
        return;
    }
    size_t size = tri_block_size(message);
    struct tri_block *copy = tri_block_new(ctx, message->type, size, true);
    if (copy) {
        memcpy(tri_block_body(copy), tri_block_body(message), size);
        copy->from = self;
        tri_deliver(ctx, self, copy);
    } else {
        tri_send_refused(ctx, self, message->type);
    }
    /* On the grid of the first one: no drift; ticks that were missed are left out. */
    uint64_t now = tr_now_ns(ctx);
    uint64_t due = timer->due_ns + timer->period_ns;
    if (due <= now)
        due += (now - due) / timer->period_ns * timer->period_ns + timer->period_ns;
    tri_timer_arm(ctx, timer, due);
}

/* ---- Receive timeout ----------------------------------------------------- */

const struct tr_type tr_idle_type = {"tr_idle", sizeof(struct tr_idle), NULL, TR_TYPE_CONTROL};

tr_err tr_receive_timeout(tr_ctx *ctx, unsigned timeout_ms)
{
    TRI_ASSERT(ctx->cell != NULL);
    struct tri_cold *cold = timeout_ms ? tri_cold(ctx->cell) : ctx->cell->cold;
    if (!cold)
        return timeout_ms ? TR_ENOMEM : TR_OK;
    cold->idle_ms = timeout_ms;
    cold->active_ns = tri_ctx_now_ns(ctx);
    if (timeout_ms == 0) {
        ctx->cell->flags &= (uint16_t)~TRI_CELL_IDLE_TIMER;
        (void)tri_timer_disarm(&cold->idle_timer);
        return TR_OK;
    }
    ctx->cell->flags |= TRI_CELL_IDLE_TIMER;
    if (tri_timer_disarm(&cold->idle_timer))
        tri_timer_arm(ctx, &cold->idle_timer, cold->active_ns + (uint64_t)timeout_ms * NS_PER_MS);
    return TR_OK;
}

void tri_idle_tick(struct tr_ctx *ctx, struct tri_cell *cell)
{
    struct tri_cold *cold = cell->cold; /* The timer is a part of it. */
    if (cold->idle_ms == 0)
        return;
    uint64_t now = tr_now_ns(ctx);
    uint64_t due = cold->active_ns + (uint64_t)cold->idle_ms * NS_PER_MS;
    if (due <= now) {
        struct tr_idle idle = {.after_ms = cold->idle_ms};
        if (cell->state == TRI_RUNNING)
            tri_send_reserved(ctx, tri_ctx_self(ctx), &tr_idle_type, &idle, 0, 0);
        due = now + (uint64_t)cold->idle_ms * NS_PER_MS;
    }
    tri_timer_arm(ctx, &cold->idle_timer, due);
}

/* ---- Clocks -------------------------------------------------------------- */

uint64_t tr_now_ns(tr_ctx *ctx)
{
    return tri_sys_mono_ns(ctx->sys);
}

uint64_t tr_now_ms(tr_ctx *ctx)
{
    return tri_ctx_now_ns(ctx) / NS_PER_MS;
}
