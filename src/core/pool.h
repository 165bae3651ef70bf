/*
 * core/pool.h - memory for messages and actor state.
 *
 * Every context (worker or outside thread) has a pool of its own: a free list per size
 * class, fed from 256 KiB chunks. Only its owner touches it, without atomics. A block freed
 * elsewhere is collected there and goes home 32 at a time, with one compare-and-swap: one at
 * a time costs a third more per message when producer and consumer sit on two cores.
 *
 * The bytes of all chunks of a system are capped (tr_config.memory_max).
 */
#ifndef TROUPE_CORE_POOL_H
#define TROUPE_CORE_POOL_H

#include "core/block.h"

#define TRI_POOL_CLASSES 11u    /* 64 << 0 … 64 << 10 */
#define TRI_POOL_HUGE 255u      /* size class of a block with a mapping of its own */
#define TRI_POOL_SLAB 254u      /* of a block that is a part of a slab */
#define TRI_POOL_NOBODY 0xffffu /* the owner of such blocks: no context frees them as its own */
#define TRI_POOL_CHUNK ((size_t)256 << 10)
/* A pool that has grown takes this much at a time, in large pages if it can: fresh memory costs
 * what the kernel takes to clear it, and small pages as much again (counting 45 ns a message with
 * small ones, 22 with large). */
#define TRI_POOL_SEGMENT ((size_t)2 << 20)
#define TRI_POOL_SMALL_CHUNKS 4u         /* the first ones come singly */
#define TRI_POOL_CARVE ((size_t)4 << 10) /* fresh bytes put on the free list at a time */
#ifndef TRI_POOL_RETURN_BATCH            /* The interleaving tests make it small. */
#define TRI_POOL_RETURN_BATCH 32u
#endif
#define TRI_POOL_BLOCK_MAX ((size_t)64 << (TRI_POOL_CLASSES - 1))

/* What all pools of one system share. */
struct tri_pool_limit {
    TRI_ATOMIC(uint64_t) bytes; /* held from the operating system */
    uint64_t bytes_max;
};

/* A free block. The class is kept so that lists that come home may mix classes. */
struct tri_free_block {
    struct tri_free_block *next;
    uint32_t size_class;
};

/*
 * Blocks that one thread fills one after the other, and others free: what comes from other nodes.
 * A slab is a large block of the pool, used from its beginning to its end, and free again when all
 * that was in it is: whoever frees counts, and tells the slab when he comes to another one. So
 * nobody waits for a line that another processor has, as with lists of blocks, and the memory
 * written next is the one that the processor has fetched ahead.
 */
#define TRI_SLAB_CLASS 9u
#define TRI_SLAB_SIZE ((size_t)64 << TRI_SLAB_CLASS)
/* A message that is kept keeps its slab, so they are small, and what is in them too. */
#define TRI_SLAB_BLOCK_MAX ((size_t)1024)

struct tri_slab {
    TRI_ATOMIC(uint32_t) live; /* blocks; TRI_SLAB_OPEN more while it is being filled */
    uint16_t owner;            /* of the slab itself */
    _Alignas(64) char memory[];
};
#define TRI_SLAB_OPEN (1u << 30)

/* Who fills slabs; zeroed at first. */
struct tri_filler {
    char *at, *end; /* of the open slab */
    struct tri_slab *slab;
    uint32_t taken; /* blocks of it */
};

struct tri_chunk;

/* Blocks of one other owner, waiting to go home together. */
struct tri_homebound {
    struct tri_free_block *first;
    struct tri_free_block *last;
    uint32_t count;
};

struct tri_pool {
    struct tri_free_block *free[TRI_POOL_CLASSES];
    char *fresh[TRI_POOL_CLASSES]; /* the not yet used part of the newest chunk */
    char *fresh_end[TRI_POOL_CLASSES];
    uint16_t owner;
    struct tri_pool_limit *limit;
    struct tri_chunk *chunks;
    char *spare; /* the rest of the newest segment: chunks to come */
    char *spare_end;
    struct tri_pool *const *homes;   /* all pools of the system, by owner */
    struct tri_homebound *homebound; /* by owner */
    uint16_t *homebound_list;        /* owners with a non-empty homebound */
    uint32_t homebound_count;
    uint64_t chunk_count;
    struct tri_slab *emptying; /* of whose blocks were freed here last, and how many */
    uint32_t emptied;
    /* Written by others: on a line of its own. */
    _Alignas(64) TRI_ATOMIC(struct tri_free_block *) returned;
};

/* `homes` and `owners_max` outlive the pool. False when out of memory. */
bool tri_pool_init(struct tri_pool *pool, uint16_t owner, uint32_t owners_max,
                   struct tri_pool *const *homes, struct tri_pool_limit *limit);
/* Unmaps everything that was ever allocated from it. */
void tri_pool_fini(struct tri_pool *pool);

/* The slow half of tri_pool_get(). `reserved` may exceed the cap (system messages). */
void *tri_pool_refill(struct tri_pool *pool, uint32_t size_class, bool reserved);
/* The slow half of tri_pool_put(). */
void tri_pool_send_home(struct tri_pool *pool, void *memory, uint16_t owner, uint32_t size_class);

/* The slow half of tri_pool_fill(). */
void *tri_pool_fill_next(struct tri_pool *pool, struct tri_filler *filler, size_t size);
/* Nothing more is filled. */
void tri_pool_fill_end(struct tri_pool *pool, struct tri_filler *filler);
/* The slow half of tri_pool_empty(): another slab than the last one. */
void tri_pool_empty_next(struct tri_pool *pool, struct tri_slab *slab);

/* Sends home whatever waits; before a worker parks. */
void tri_pool_flush(struct tri_pool *pool);

/* Unmaps chunks in which every block is free. Walks the free lists: when idle. */
void tri_pool_trim(struct tri_pool *pool);

/* A block with a mapping of its own; NULL at the cap. */
void *tri_pool_map_huge(struct tri_pool_limit *limit, size_t size, bool reserved);
void tri_pool_unmap_huge(struct tri_pool_limit *limit, void *memory);
size_t tri_pool_huge_size(const void *memory);

static inline size_t tri_pool_class_size(uint32_t size_class)
{
    return (size_t)64 << size_class;
}

/* The smallest class that holds `size` bytes; size <= TRI_POOL_BLOCK_MAX. */
static inline uint32_t tri_pool_class(size_t size)
{
    if (size <= 64)
        return 0;
    return (uint32_t)(64 - __builtin_clzll((unsigned long long)(size - 1) >> 6));
}

static inline void *tri_pool_get(struct tri_pool *pool, uint32_t size_class, bool reserved)
{
    struct tri_free_block *head = pool->free[size_class];
    if (__builtin_expect(head != NULL, 1)) {
        pool->free[size_class] = head->next;
        return head;
    }
    return tri_pool_refill(pool, size_class, reserved);
}

/* Gives back a block of this pool. */
static inline void tri_pool_put_own(struct tri_pool *pool, void *memory, uint32_t size_class)
{
    struct tri_free_block *node = (struct tri_free_block *)memory;
    node->next = pool->free[size_class];
    pool->free[size_class] = node;
}

static inline void tri_pool_put(struct tri_pool *pool, void *memory, uint16_t owner,
                                uint32_t size_class)
{
    if (__builtin_expect(owner == pool->owner, 1))
        tri_pool_put_own(pool, memory, size_class);
    else
        tri_pool_send_home(pool, memory, owner, size_class);
}

/* `size` bytes in whole lines, at most TRI_SLAB_BLOCK_MAX, out of a slab; NULL at the cap. */
static inline void *tri_pool_fill(struct tri_pool *pool, struct tri_filler *filler, size_t size)
{
    char *at = filler->at;
    size = (size + 63) & ~(size_t)63;
    if (__builtin_expect((size_t)(filler->end - at) < size, 0))
        return tri_pool_fill_next(pool, filler, size);
    filler->at = at + size;
    filler->taken++;
    return at;
}

/* Frees a block of a slab. */
static inline void tri_pool_empty(struct tri_pool *pool, void *memory)
{
    struct tri_slab *slab = (struct tri_slab *)((uintptr_t)memory &
                                                ~(uintptr_t)(TRI_SLAB_SIZE - 1));
    if (__builtin_expect(slab == pool->emptying, 1))
        pool->emptied++;
    else
        tri_pool_empty_next(pool, slab);
}

#endif
