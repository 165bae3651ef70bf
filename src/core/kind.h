/*
 * core/kind.h - what a cell's `actor` points to when it is not simply the user's tr_actor.
 *
 * A behaviour (tr_become) and middleware replace an actor's receive function. So that the short
 * path need not look, the cell then points to a copy of the user's table with another receive
 * function in it. Copies are made once per combination and live as long as the system: the
 * watchdog may read them when the actor has long ended. There are no more of them than the
 * program has combinations of constant tables.
 */
#ifndef TROUPE_CORE_KIND_H
#define TROUPE_CORE_KIND_H

#include "core/ctx.h"
#include "troupe/behaviour.h"

struct tr_middleware;

struct tri_kind {
    struct tr_actor actor; /* what the cell points to */
    const struct tr_actor *base;
    const struct tr_behaviour *behaviour;     /* NULL: that of `base` */
    const struct tr_middleware *const *chain; /* of the actor alone; NULL: none */
    struct tri_kind *next;
};

#define TRI_KIND_BUCKETS 1024u
#define TRI_KINDS_MAX 16384u

struct tri_kinds *tri_kinds_create(void);
void tri_kinds_destroy(struct tri_kinds *kinds);

/*
 * Makes a cell behave so. False when out of memory; then nothing has changed. The caller owns
 * the cell.
 */
bool tri_kind_set(struct tr_ctx *ctx, struct tri_cell *cell, const struct tr_actor *base,
                  const struct tr_behaviour *behaviour, const struct tr_middleware *const *chain);

/* The kind behind a cell's table; NULL: it is the user's own. */
static inline const struct tri_kind *tri_kind_of(const struct tri_cell *cell)
{
    if (!(cell->flags & TRI_CELL_KIND))
        return NULL;
    return TRI_CONTAINER_OF(cell->actor, const struct tri_kind, actor);
}

/* The user's own table. */
static inline const struct tr_actor *tri_kind_base(const struct tri_cell *cell)
{
    const struct tri_kind *kind = tri_kind_of(cell);
    return kind ? kind->base : cell->actor;
}

#endif
