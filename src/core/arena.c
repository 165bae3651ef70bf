#include "core/arena.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/cold.h"
#include "troupe/arena.h"

#define ALIGN ((size_t)16)
/* With its header a piece fills whole pages. */
#define PIECE_LEAST ((size_t)4096 - 64)
#define PIECE_MOST ((size_t)1 << 20)

/* Appends a piece for at least `size` bytes; each twice as large as the one before. */
static bool grow(struct tri_arena *arena, struct tri_pool_limit *limit, size_t size)
{
    if (arena->count == arena->capacity) {
        uint32_t capacity = arena->capacity ? arena->capacity * 2 : 4;
        struct tri_arena_piece *pieces = tri_realloc(arena->pieces, capacity * sizeof *pieces);
        if (!pieces)
            return false;
        arena->pieces = pieces;
        arena->capacity = capacity;
    }
    size_t want = arena->pieces && arena->count ? 2 * arena->pieces[arena->count - 1].size
                                                : PIECE_LEAST;
    if (want > PIECE_MOST)
        want = PIECE_MOST;
    if (want < size)
        want = size;
    TRI_ASSERT(arena->pieces != NULL && arena->count < arena->capacity);
    char *memory = tri_pool_map_huge(limit, want, false);
    if (!memory)
        return false;
    arena->pieces[arena->count++] = (struct tri_arena_piece){.memory = memory, .size = want};
    return true;
}

void *tri_arena_alloc(struct tri_arena *arena, struct tri_pool_limit *limit, size_t size)
{
    if (size > TR_ARENA_MAX)
        return NULL;
    size = size ? (size + ALIGN - 1) & ~(ALIGN - 1) : ALIGN;
    if (size > TR_ARENA_MAX - arena->bytes)
        return NULL;
    struct tri_arena_piece *last = arena->count ? &arena->pieces[arena->count - 1] : NULL;
    if (!last || size > last->size - last->used) {
        if (!grow(arena, limit, size))
            return NULL;
        last = &arena->pieces[arena->count - 1];
    }
    void *memory = last->memory + last->used;
    last->used += size;
    arena->bytes += size;
    return memory;
}

void tri_arena_reset(struct tri_arena *arena, struct tri_pool_limit *limit)
{
    if (arena->count == 0)
        return;
    while (arena->count > 1)
        tri_pool_unmap_huge(limit, arena->pieces[--arena->count].memory);
    struct tri_arena_piece *first = &arena->pieces[0];
    if (first->size > PIECE_LEAST) { /* It began with a large one. */
        tri_pool_unmap_huge(limit, first->memory);
        arena->count = 0;
    } else {
        memset(first->memory, 0, first->size); /* Whatever ran wild in it. */
        first->used = 0;
    }
    arena->bytes = 0;
}

void tri_arena_fini(struct tri_arena *arena, struct tri_pool_limit *limit)
{
    while (arena->count > 0)
        tri_pool_unmap_huge(limit, arena->pieces[--arena->count].memory);
    tri_free(arena->pieces);
    *arena = (struct tri_arena){0};
}

void *tr_alloc(tr_ctx *ctx, size_t size)
{
    struct tri_cold *cold = ctx->cell ? tri_cold(ctx->cell) : NULL;
    return cold ? tri_arena_alloc(&cold->arena, &ctx->sys->limit, size) : NULL;
}
