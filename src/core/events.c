#include "core/events.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/cold.h"
#include "core/send.h"

const struct tr_type tr_actor_failed_type = {"tr_actor_failed", sizeof(struct tr_actor_failed),
                                             NULL, TR_TYPE_CONTROL};

struct subscription {
    const struct tr_type *type;
    tr_pid pid;
};

struct tri_events {
    tri_mutex lock;
    struct subscription *items;
    uint32_t count;
    uint32_t capacity;
    TRI_ATOMIC(uint32_t) any; /* count, for a look without the lock */
};

struct tri_events *tri_events_create(void)
{
    struct tri_events *events = tri_calloc(1, sizeof *events);
    if (events)
        tri_mutex_init(&events->lock);
    return events;
}

void tri_events_destroy(struct tri_events *events)
{
    if (!events)
        return;
    tri_mutex_fini(&events->lock);
    tri_free(events->items);
    tri_free(events);
}

static tr_err add(struct tri_events *events, const struct tr_type *type, tr_pid pid)
{
    for (uint32_t i = 0; i < events->count; i++) {
        if (events->items[i].type == type && tr_pid_equal(events->items[i].pid, pid))
            return TR_OK;
    }
    if (events->count == TR_SUBSCRIBERS_MAX)
        return TR_EFULL;
    if (events->count == events->capacity) {
        uint32_t capacity = events->capacity ? events->capacity * 2 : 16;
        struct subscription *items = tri_realloc(events->items, capacity * sizeof *items);
        if (!items)
            return TR_ENOMEM;
        events->items = items;
        events->capacity = capacity;
    }
    events->items[events->count++] = (struct subscription){type, pid};
    return TR_OK;
}

/* type NULL: of every type. */
static void take_out(struct tri_events *events, const struct tr_type *type, tr_pid pid)
{
    tri_mutex_lock(&events->lock);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < events->count; i++) {
        struct subscription s = events->items[i];
        if (!tr_pid_equal(s.pid, pid) || (type && s.type != type))
            events->items[kept++] = s;
    }
    events->count = kept;
    tri_store(&events->any, kept, TRI_RELAXED);
    tri_mutex_unlock(&events->lock);
}

tr_err tr_subscribe_(tr_ctx *ctx, const struct tr_type *type)
{
    struct tri_events *events = ctx->sys->events;
    TRI_ASSERT(ctx->cell != NULL);
    struct tri_cold *cold = tri_cold(ctx->cell);
    if (!cold)
        return TR_ENOMEM;
    tri_mutex_lock(&events->lock);
    tr_err err = add(events, type, tri_ctx_self(ctx));
    tri_store(&events->any, events->count, TRI_RELAXED);
    tri_mutex_unlock(&events->lock);
    if (!err)
        cold->subscribed = true;
    return err;
}

void tr_unsubscribe_(tr_ctx *ctx, const struct tr_type *type)
{
    TRI_ASSERT(ctx->cell != NULL);
    take_out(ctx->sys->events, type, tri_ctx_self(ctx));
}

void tri_events_forget(struct tr_system *sys, tr_pid pid)
{
    take_out(sys->events, NULL, pid);
}

/* Copies up to `max` subscribers from *index on; how many. */
static size_t next_subscribers(struct tri_events *events, const struct tr_type *type,
                               uint32_t *index, tr_pid *pids, size_t max)
{
    size_t found = 0;
    tri_mutex_lock(&events->lock);
    while (*index < events->count && found < max) {
        const struct subscription *s = &events->items[(*index)++];
        if (s->type == type)
            pids[found++] = s->pid;
    }
    tri_mutex_unlock(&events->lock);
    return found;
}

void tr_publish_(tr_ctx *ctx, const struct tr_type *type, const void *body, size_t size)
{
    struct tri_events *events = ctx->sys->events;
    uint32_t index = 0;
    tr_pid pids[64];
    size_t count;
    /* Relaxed: who subscribes at the same moment may miss this one. */
    if (tri_load(&events->any, TRI_RELAXED) == 0)
        return;
    while ((count = next_subscribers(events, type, &index, pids, TRI_ARRAY_COUNT(pids))))
        tr_broadcast_(ctx, pids, count, type, body, size);
}
