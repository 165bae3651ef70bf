#include "core/pool.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "os/memory.h"

#include <string.h>

/* At the start of every chunk; chunks are aligned to their size, so that a block finds it. */
struct tri_chunk {
    struct tri_chunk *next;
    uint32_t size_class;
    uint32_t capacity; /* blocks */
    uint32_t free;     /* while trimming: how many of them are on the free list */
    uint32_t carved;   /* while trimming: how many were ever handed out */
};
#define CHUNK_HEADER 64u

/* Before a block that has a mapping of its own. */
struct huge {
    size_t map_size;
    size_t size;
};
#define HUGE_HEADER 64u

static struct tri_chunk *chunk_of(void *memory)
{
    return (struct tri_chunk *)((uintptr_t)memory & ~(uintptr_t)(TRI_POOL_CHUNK - 1));
}

/* Counts `size` bytes against the cap. Relaxed: the sum guards no other memory. */
static bool limit_take(struct tri_pool_limit *limit, size_t size, bool reserved)
{
    uint64_t before = tri_fetch_add(&limit->bytes, (uint64_t)size, TRI_RELAXED);
    if (reserved || before + size <= limit->bytes_max)
        return true;
    tri_fetch_sub(&limit->bytes, (uint64_t)size, TRI_RELAXED);
    return false;
}

bool tri_pool_init(struct tri_pool *pool, uint16_t owner, uint32_t owners_max,
                   struct tri_pool *const *homes, struct tri_pool_limit *limit)
{
    memset(pool, 0, sizeof *pool);
    pool->owner = owner;
    pool->limit = limit;
    pool->homes = homes;
    pool->homebound = tri_calloc(owners_max, sizeof *pool->homebound);
    pool->homebound_list = tri_calloc(owners_max, sizeof *pool->homebound_list);
    if (pool->homebound && pool->homebound_list)
        return true;
    tri_free(pool->homebound);
    tri_free(pool->homebound_list);
    pool->homebound = NULL;
    pool->homebound_list = NULL;
    return false;
}

static void unmap_spare(struct tri_pool *pool)
{
    size_t size = (size_t)(pool->spare_end - pool->spare);
    if (size) {
        tri_mem_unmap(pool->spare, size);
        tri_fetch_sub(&pool->limit->bytes, (uint64_t)size, TRI_RELAXED);
    }
    pool->spare = pool->spare_end = NULL;
}

void tri_pool_fini(struct tri_pool *pool)
{
    struct tri_chunk *chunk = pool->chunks;
    while (chunk) {
        struct tri_chunk *next = chunk->next;
        tri_mem_unmap(chunk, TRI_POOL_CHUNK);
        chunk = next;
    }
    unmap_spare(pool);
    tri_free(pool->homebound);
    tri_free(pool->homebound_list);
    memset(pool, 0, sizeof *pool);
}

/* Takes back what others returned. Acquire pairs with the release in home_push(): whatever
 * they did with a block happened before we hand it out again. */
static void take_returned(struct tri_pool *pool)
{
    struct tri_free_block *node = tri_xchg(&pool->returned, NULL, TRI_ACQUIRE);
    while (node) {
        struct tri_free_block *next = node->next;
        node->next = pool->free[node->size_class];
        pool->free[node->size_class] = node;
        node = next;
    }
}

/* Maps `size` bytes at a multiple of themselves; NULL at the cap. */
static char *map_chunks(struct tri_pool *pool, size_t size, bool reserved)
{
    if (!limit_take(pool->limit, size, reserved))
        return NULL;
    char *memory = tri_mem_map(size, size, false);
    if (!memory)
        tri_fetch_sub(&pool->limit->bytes, (uint64_t)size, TRI_RELAXED);
    return memory;
}

/* Memory for one chunk: of a segment if the pool has grown, and a segment can be had. */
static struct tri_chunk *map_chunk(struct tri_pool *pool, bool reserved)
{
    if (pool->spare == pool->spare_end && pool->chunk_count >= TRI_POOL_SMALL_CHUNKS) {
        char *segment = map_chunks(pool, TRI_POOL_SEGMENT, false);
        if (segment) {
            tri_mem_prefer_huge(segment, TRI_POOL_SEGMENT);
            pool->spare = segment;
            pool->spare_end = segment + TRI_POOL_SEGMENT;
        }
    }
    char *memory = pool->spare;
    if (memory != pool->spare_end)
        pool->spare += TRI_POOL_CHUNK;
    else
        memory = map_chunks(pool, TRI_POOL_CHUNK, reserved);
    if (memory)
        tri_mem_populate(memory, TRI_POOL_CHUNK);
    return (struct tri_chunk *)(void *)memory;
}

static bool take_chunk(struct tri_pool *pool, uint32_t size_class, bool reserved)
{
    struct tri_chunk *chunk = map_chunk(pool, reserved);
    if (!chunk)
        return false;
    size_t size = tri_pool_class_size(size_class);
    size_t start = size > CHUNK_HEADER ? size : CHUNK_HEADER;
    chunk->next = pool->chunks;
    chunk->size_class = size_class;
    chunk->capacity = (uint32_t)((TRI_POOL_CHUNK - start) / size);
    pool->chunks = chunk;
    pool->chunk_count++;
    pool->fresh[size_class] = (char *)chunk + start;
    pool->fresh_end[size_class] = (char *)chunk + start + chunk->capacity * size;
    return true;
}

/* Puts some fresh blocks on the (empty) free list, in the order of their addresses. */
static void carve(struct tri_pool *pool, uint32_t size_class)
{
    size_t size = tri_pool_class_size(size_class);
    char *memory = pool->fresh[size_class];
    char *end = pool->fresh_end[size_class];
    if ((size_t)(end - memory) > TRI_POOL_CARVE)
        end = memory + (size < TRI_POOL_CARVE ? TRI_POOL_CARVE : size);
    TRI_ASSERT(memory != end);
    struct tri_free_block **link = &pool->free[size_class];
    for (; memory != end; memory += size) {
        *link = (struct tri_free_block *)(void *)memory;
        link = &(*link)->next;
    }
    *link = NULL;
    pool->fresh[size_class] = end;
}

/* When the machine's memory is out: a free block of a larger class. It joins the smaller class
 * when it is freed; its chunk still counts it. */
static void *borrow_larger(struct tri_pool *pool, uint32_t size_class)
{
    for (uint32_t k = size_class + 1; k < TRI_POOL_CLASSES; k++) {
        struct tri_free_block *node = pool->free[k];
        char *memory = pool->fresh[k];
        if (node) {
            pool->free[k] = node->next;
            return node;
        }
        if (memory != pool->fresh_end[k]) {
            pool->fresh[k] += tri_pool_class_size(k);
            return memory;
        }
    }
    return NULL;
}

void *tri_pool_refill(struct tri_pool *pool, uint32_t size_class, bool reserved)
{
    TRI_ASSERT(size_class < TRI_POOL_CLASSES);
    TRI_ASSERT(pool->free[size_class] == NULL);
    /* Relaxed peek: the exchange in take_returned() does the ordering. */
    if (tri_load(&pool->returned, TRI_RELAXED))
        take_returned(pool);
    if (!pool->free[size_class]) {
        if (pool->fresh[size_class] == pool->fresh_end[size_class] &&
            !take_chunk(pool, size_class, reserved)) {
            void *larger = reserved ? borrow_larger(pool, size_class) : NULL;
            /* What must not fail asks the machine once more. */
            if (larger || !reserved || !take_chunk(pool, size_class, reserved))
                return larger;
        }
        carve(pool, size_class);
    }
    struct tri_free_block *node = pool->free[size_class];
    TRI_ASSERT(node != NULL);
    pool->free[size_class] = node->next;
    return node;
}

/* Hands a list home with one compare-and-swap. Release publishes what was done with the
 * blocks; only ever pushed onto or emptied as a whole, so there is no ABA. */
static void home_push(struct tri_pool *pool, uint16_t owner)
{
    struct tri_homebound *bound = &pool->homebound[owner];
    struct tri_pool *home = pool->homes[owner];
    struct tri_free_block *seen = tri_load(&home->returned, TRI_RELAXED);
    do {
        bound->last->next = seen;
    } while (!tri_cas_weak(&home->returned, &seen, bound->first, TRI_RELEASE, TRI_RELAXED));
    *bound = (struct tri_homebound){0};
}

void tri_pool_send_home(struct tri_pool *pool, void *memory, uint16_t owner, uint32_t size_class)
{
    struct tri_homebound *bound = &pool->homebound[owner];
    struct tri_free_block *node = memory;
    node->size_class = size_class;
    node->next = bound->first;
    bound->first = node;
    if (bound->count++ == 0) {
        bound->last = node;
        pool->homebound_list[pool->homebound_count++] = owner;
    }
    if (bound->count < TRI_POOL_RETURN_BATCH)
        return;
    home_push(pool, owner);
    for (uint32_t i = 0; i < pool->homebound_count; i++) {
        if (pool->homebound_list[i] == owner) {
            pool->homebound_list[i] = pool->homebound_list[--pool->homebound_count];
            return;
        }
    }
}

/* ---- Slabs --------------------------------------------------------------- */

/* `count` blocks fewer; gives back the slab after the last one. Release: what was done with them
 * comes before the slab is used again; acquire: by whoever, for who gives it back. */
static void slab_drop(struct tri_pool *pool, struct tri_slab *slab, uint32_t count)
{
    uint32_t before = tri_fetch_sub(&slab->live, count, TRI_ACQ_REL);
    TRI_ASSERT(before >= count);
    if (before == count)
        tri_pool_put(pool, slab, slab->owner, TRI_SLAB_CLASS);
}

void tri_pool_fill_end(struct tri_pool *pool, struct tri_filler *filler)
{
    if (filler->slab)
        slab_drop(pool, filler->slab, TRI_SLAB_OPEN - filler->taken);
    *filler = (struct tri_filler){0};
}

void *tri_pool_fill_next(struct tri_pool *pool, struct tri_filler *filler, size_t size)
{
    TRI_ASSERT(size <= TRI_SLAB_BLOCK_MAX);
    tri_pool_fill_end(pool, filler);
    struct tri_slab *slab = tri_pool_get(pool, TRI_SLAB_CLASS, false);
    if (!slab)
        return NULL;
    /* Blocks of a class lie at multiples of their size within their chunk. */
    TRI_ASSERT(((uintptr_t)slab & (TRI_SLAB_SIZE - 1)) == 0);
    tri_store(&slab->live, TRI_SLAB_OPEN, TRI_RELAXED); /* Published with its first block. */
    slab->owner = pool->owner;
    filler->slab = slab;
    filler->at = slab->memory;
    filler->end = (char *)slab + TRI_SLAB_SIZE;
    return tri_pool_fill(pool, filler, size);
}

void tri_pool_empty_next(struct tri_pool *pool, struct tri_slab *slab)
{
    struct tri_slab *before = pool->emptying;
    uint32_t count = pool->emptied;
    pool->emptying = slab;
    pool->emptied = slab ? 1 : 0;
    if (before)
        slab_drop(pool, before, count);
}

/* -------------------------------------------------------------------------- */

void tri_pool_flush(struct tri_pool *pool)
{
    tri_pool_empty_next(pool, NULL);
    while (pool->homebound_count > 0)
        home_push(pool, pool->homebound_list[--pool->homebound_count]);
}

/* Marks each chunk with how many of its blocks are free. */
static void trim_count(struct tri_pool *pool)
{
    for (struct tri_chunk *c = pool->chunks; c; c = c->next) {
        c->free = 0;
        c->carved = c->capacity;
    }
    for (uint32_t k = 0; k < TRI_POOL_CLASSES; k++) {
        if (pool->fresh[k] != pool->fresh_end[k]) {
            struct tri_chunk *c = chunk_of(pool->fresh[k]);
            c->carved -= (uint32_t)((size_t)(pool->fresh_end[k] - pool->fresh[k]) /
                                    tri_pool_class_size(k));
        }
        for (struct tri_free_block *node = pool->free[k]; node; node = node->next)
            chunk_of(node)->free++;
    }
}

void tri_pool_trim(struct tri_pool *pool)
{
    take_returned(pool);
    unmap_spare(pool);
    trim_count(pool);
    for (uint32_t k = 0; k < TRI_POOL_CLASSES; k++) {
        struct tri_free_block **link = &pool->free[k];
        while (*link) {
            struct tri_chunk *c = chunk_of(*link);
            if (c->free == c->carved)
                *link = (*link)->next;
            else
                link = &(*link)->next;
        }
        if (pool->fresh[k] != pool->fresh_end[k]) {
            struct tri_chunk *c = chunk_of(pool->fresh[k]);
            if (c->free == c->carved)
                pool->fresh[k] = pool->fresh_end[k] = NULL;
        }
    }
    struct tri_chunk **link = &pool->chunks;
    while (*link) {
        struct tri_chunk *c = *link;
        if (c->free != c->carved) {
            link = &c->next;
            continue;
        }
        *link = c->next;
        tri_mem_unmap(c, TRI_POOL_CHUNK);
        pool->chunk_count--;
        tri_fetch_sub(&pool->limit->bytes, (uint64_t)TRI_POOL_CHUNK, TRI_RELAXED);
    }
}

void *tri_pool_map_huge(struct tri_pool_limit *limit, size_t size, bool reserved)
{
    size_t page = tri_mem_page_size();
    size_t map_size = (size + HUGE_HEADER + page - 1) & ~(page - 1);
    if (!limit_take(limit, map_size, reserved))
        return NULL;
    struct huge *huge = tri_mem_map(map_size, page, false);
    if (!huge) {
        tri_fetch_sub(&limit->bytes, (uint64_t)map_size, TRI_RELAXED);
        return NULL;
    }
    huge->map_size = map_size;
    huge->size = size;
    return (char *)huge + HUGE_HEADER;
}

void tri_pool_unmap_huge(struct tri_pool_limit *limit, void *memory)
{
    struct huge *huge = (struct huge *)((char *)memory - HUGE_HEADER);
    size_t map_size = huge->map_size;
    tri_mem_unmap(huge, map_size);
    tri_fetch_sub(&limit->bytes, (uint64_t)map_size, TRI_RELAXED);
}

size_t tri_pool_huge_size(const void *memory)
{
    return ((const struct huge *)((const char *)memory - HUGE_HEADER))->size;
}
