/*
 * core/arena.h - memory of one actor, released as a whole (troupe/arena.h).
 *
 * Pieces are mapped for this actor alone and described outside of them, so that a handler that
 * runs wild in its own arena does no harm to the release.
 */
#ifndef TROUPE_CORE_ARENA_H
#define TROUPE_CORE_ARENA_H

#include "core/ctx.h"

#include <stddef.h>

struct tri_arena_piece {
    char *memory;
    size_t size;
    size_t used;
};

struct tri_arena {
    struct tri_arena_piece *pieces; /* the last one is being filled */
    uint32_t count;
    uint32_t capacity;
    size_t bytes; /* given out */
};

/* NULL when out of memory or above TR_ARENA_MAX. */
void *tri_arena_alloc(struct tri_arena *arena, struct tri_pool_limit *limit, size_t size);

/* Everything in it is gone; the first piece is kept for what comes next. */
void tri_arena_reset(struct tri_arena *arena, struct tri_pool_limit *limit);

void tri_arena_fini(struct tri_arena *arena, struct tri_pool_limit *limit);

#endif
