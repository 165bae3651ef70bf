#include "core/kind.h"

#include "base/alloc.h"
#include "base/hash.h"
#include "core/middleware.h"

struct tri_kinds {
    tri_mutex lock;
    uint32_t count;
    struct tri_kind *buckets[TRI_KIND_BUCKETS];
};

struct tri_kinds *tri_kinds_create(void)
{
    struct tri_kinds *kinds = tri_calloc(1, sizeof *kinds);
    if (kinds)
        tri_mutex_init(&kinds->lock);
    return kinds;
}

void tri_kinds_destroy(struct tri_kinds *kinds)
{
    if (!kinds)
        return;
    for (uint32_t i = 0; i < TRI_KIND_BUCKETS; i++) {
        while (kinds->buckets[i]) {
            struct tri_kind *kind = kinds->buckets[i];
            kinds->buckets[i] = kind->next;
            tri_free(kind);
        }
    }
    tri_mutex_fini(&kinds->lock);
    tri_free(kinds);
}

static void fill(struct tri_kind *kind, bool shown)
{
    struct tr_actor *actor = &kind->actor;
    *actor = *kind->base;
    if (kind->behaviour) {
        actor->receive = kind->behaviour->receive;
        actor->accepts = kind->behaviour->accepts;
        /* No message is of type NULL, so none is taken as part of a batch. */
        actor->receive_batch = NULL;
        actor->batch_type = NULL;
    }
    if (shown) {
        actor->receive = tri_middleware_receive;
        if (actor->receive_batch)
            actor->receive_batch = tri_middleware_receive_batch;
    }
}

static const struct tri_kind *find_or_add(struct tr_system *sys, const struct tr_actor *base,
                                          const struct tr_behaviour *behaviour,
                                          const struct tr_middleware *const *chain, bool shown)
{
    const void *key[] = {base, behaviour, chain};
    struct tri_kinds *kinds = sys->kinds;
    struct tri_kind **bucket = &kinds->buckets[tri_fnv1a32(key, sizeof key) % TRI_KIND_BUCKETS];
    tri_mutex_lock(&kinds->lock);
    struct tri_kind *kind = *bucket;
    while (kind && (kind->base != base || kind->behaviour != behaviour || kind->chain != chain))
        kind = kind->next;
    if (!kind && kinds->count < TRI_KINDS_MAX && (kind = tri_calloc(1, sizeof *kind))) {
        kind->base = base;
        kind->behaviour = behaviour;
        kind->chain = chain;
        fill(kind, shown);
        kind->next = *bucket;
        *bucket = kind;
        kinds->count++;
    }
    tri_mutex_unlock(&kinds->lock);
    return kind;
}

bool tri_kind_set(struct tr_ctx *ctx, struct tri_cell *cell, const struct tr_actor *base,
                  const struct tr_behaviour *behaviour, const struct tr_middleware *const *chain)
{
    bool shown = chain || (ctx->sys->shown & TRI_SHOW_RECEIVE);
    if (!behaviour && !shown) {
        cell->actor = base;
        cell->flags &= (uint16_t)~TRI_CELL_KIND;
        return true;
    }
    const struct tri_kind *kind = find_or_add(ctx->sys, base, behaviour, chain, shown);
    if (!kind)
        return false;
    cell->actor = &kind->actor;
    cell->flags |= TRI_CELL_KIND;
    return true;
}
