#include "core/slots.h"

#include "base/alloc.h"
#include "core/mailbox.h"
#include "os/memory.h"

/* How many slots move between a context and the table at a time. */
#define MOVE (TRI_SLOT_CACHE / 2)
/* How many cells fill a large page (of most machines). */
#define LARGE (((uint32_t)2 << 20) / (uint32_t)sizeof(struct tri_cell))

bool tri_slots_init(struct tri_slots *slots, uint32_t slots_max)
{
    *slots = (struct tri_slots){.slots_max = (slots_max + TRI_SLOT_CHUNK - 1) &
                                             ~(TRI_SLOT_CHUNK - 1)};
    tri_spin_init(&slots->lock);
    slots->cells = tri_mem_reserve(slots->slots_max * sizeof *slots->cells,
                                   LARGE * sizeof *slots->cells);
    slots->bounds = tri_mem_reserve(slots->slots_max * sizeof *slots->bounds, tri_mem_page_size());
    return slots->cells && slots->bounds;
}

void tri_slots_fini(struct tri_slots *slots)
{
    uint32_t count = slots->bounds ? tri_load(&slots->count, TRI_RELAXED) : 0;
    for (uint32_t i = 0; i < count; i++) /* Relaxed: all threads have ended. */
        tri_free(tri_load(&slots->bounds[i], TRI_RELAXED));
    tri_mem_unmap(slots->cells, slots->slots_max * sizeof *slots->cells);
    tri_mem_unmap(slots->bounds, slots->slots_max * sizeof *slots->bounds);
    tri_free(slots->free);
    tri_free(slots->lost);
    *slots = (struct tri_slots){0};
}

/* Makes room for all slots that exist in the list of free ones. Under the lock. */
static bool reserve_free(struct tri_slots *slots, uint32_t total)
{
    if (slots->free_capacity >= total)
        return true;
    uint32_t capacity = slots->free_capacity ? slots->free_capacity : 1024;
    while (capacity < total)
        capacity *= 2;
    uint32_t *list = tri_realloc(slots->free, capacity * sizeof *list);
    if (!list)
        return false;
    slots->free = list;
    slots->free_capacity = capacity;
    return true;
}

/* Gives memory to the next cells: a chunk, or what fits a large page once there are so many.
 * Fresh cells cost what the kernel takes to clear them, in small pages three times that. */
static bool commit(struct tri_slots *slots)
{
    uint32_t first = slots->committed;
    uint32_t more = first < LARGE ? TRI_SLOT_CHUNK : LARGE;
    if (more > slots->slots_max - first)
        more = slots->slots_max - first;
    struct tri_cell *cells = &slots->cells[first];
    if (!tri_mem_commit(cells, more * sizeof *cells) ||
        !tri_mem_commit(&slots->bounds[first], more * sizeof *slots->bounds))
        return false;
    if (more == LARGE)
        tri_mem_prefer_huge(cells, more * sizeof *cells);
    slots->committed = first + more;
    return true;
}

/* Makes a chunk's cells and puts them on the free list, the lowest on top. Under the lock. */
static void fill_chunk(struct tri_slots *slots, uint32_t first, uint32_t gen)
{
    struct tri_cell *cells = &slots->cells[first];
    tri_mem_populate(cells, TRI_SLOT_CHUNK * sizeof *cells);
    for (uint32_t i = 0; i < TRI_SLOT_CHUNK; i++) {
        cells[i].slot = first + i;
        tri_store(&cells[i].gen, gen, TRI_RELAXED);
        tri_spin_init(&cells[i].lock);
    }
    /* Slot 0 is nobody and is never given out; nobody's PIDs have an error as their generation. */
    if (first == 0)
        tri_store(&cells[0].gen, UINT32_MAX & ~TRI_GEN_ALIVE, TRI_RELAXED);
    for (uint32_t i = TRI_SLOT_CHUNK; i-- > (first == 0 ? 1 : 0);)
        slots->free[slots->free_count++] = first + i;
}

/* Under the lock. */
static bool add_chunk(struct tri_slots *slots)
{
    uint32_t first = tri_load(&slots->count, TRI_RELAXED); /* Written under this lock only. */
    if (slots->lost_count) {
        struct tri_lost_chunk lost = slots->lost[--slots->lost_count];
        fill_chunk(slots, lost.first, lost.gen);
        return true;
    }
    if (first >= slots->slots_max || !reserve_free(slots, first + TRI_SLOT_CHUNK) ||
        (first == slots->committed && !commit(slots)))
        return false;
    fill_chunk(slots, first, TRI_GEN_STEP);
    tri_store(&slots->count, first + TRI_SLOT_CHUNK, TRI_RELEASE);
    return true;
}

static bool refill(struct tr_ctx *ctx)
{
    struct tri_slots *slots = &ctx->sys->slots;
    tri_spin_lock(&slots->lock);
    if (slots->free_count == 0)
        (void)add_chunk(slots);
    uint32_t count = slots->free_count < MOVE ? slots->free_count : MOVE;
    slots->free_count -= count;
    /* Reversed: the lowest slot is handed out first, and neighbours follow each other. */
    if (count) /* Else the list may not exist yet. */
        memcpy(&ctx->slots[ctx->slot_count], &slots->free[slots->free_count],
               count * sizeof *ctx->slots);
    tri_spin_unlock(&slots->lock);
    ctx->slot_count += count;
    return count > 0;
}

struct tri_cell *tri_slot_take(struct tr_ctx *ctx)
{
    uint32_t strays = 0; /* kept at the bottom of the cache */
    for (;;) {
        if (ctx->slot_count == strays && (strays > MOVE || !refill(ctx)))
            return NULL;
        uint32_t slot = ctx->slots[--ctx->slot_count];
        struct tri_cell *cell = tri_slot_cell(&ctx->sys->slots, slot);
        if (tri_mailbox_claim(cell))
            return cell;
        /* A stray message to the last tenant is being turned away there: take another. */
        memmove(&ctx->slots[1], &ctx->slots[0], ctx->slot_count * sizeof *ctx->slots);
        ctx->slots[0] = slot;
        ctx->slot_count++;
        strays++;
    }
}

static void give_back(struct tr_ctx *ctx, uint32_t count)
{
    struct tri_slots *slots = &ctx->sys->slots;
    ctx->slot_count -= count;
    tri_spin_lock(&slots->lock);
    memcpy(&slots->free[slots->free_count], &ctx->slots[ctx->slot_count],
           count * sizeof *ctx->slots);
    slots->free_count += count;
    tri_spin_unlock(&slots->lock);
}

void tri_slots_give_half(struct tr_ctx *ctx)
{
    give_back(ctx, MOVE);
}

void tri_slots_flush(struct tr_ctx *ctx)
{
    if (ctx->slot_count)
        give_back(ctx, ctx->slot_count);
}

/* ---- Giving memory back -------------------------------------------------- */

/* True if no other thread can be using a cell whose generation is known to be dead. Under
 * outside_lock. */
static bool nobody_else(struct tri_worker *worker)
{
    struct tr_system *sys = worker->ctx.sys;
    for (uint32_t i = 0; i < sys->worker_count; i++) {
        const struct tri_worker *w = sys->workers[i];
        if (w != worker && tri_load(&w->on_duty, TRI_SEQ_CST) &&
            tri_load(&w->parked, TRI_SEQ_CST) != 1)
            return false;
    }
    for (uint32_t i = 0; i < TR_OUTSIDE_MAX; i++) {
        /* Sequentially consistent: see tri_outside_enter(). */
        if (sys->outside[i] && tri_load(&sys->outside[i]->busy, TRI_SEQ_CST) != 0)
            return false;
    }
    return true;
}

/* Takes the memory of a chunk that is free as a whole. Under the lock. False if a stray message
 * is still being turned away there. */
static bool lose_chunk(struct tri_slots *slots, uint32_t first)
{
    struct tri_cell *cells = &slots->cells[first];
    uint32_t gen = TRI_GEN_STEP;
    for (uint32_t i = 0; i < TRI_SLOT_CHUNK; i++) {
        /* Acquire pairs with the release of whoever turned the last message away. */
        if (tri_load(&cells[i].head, TRI_ACQUIRE) || tri_load(&cells[i].sys, TRI_ACQUIRE))
            return false;
        uint32_t g = tri_load(&cells[i].gen, TRI_RELAXED);
        gen = g > gen ? g : gen;
    }
    tri_mem_discard(cells, TRI_SLOT_CHUNK * sizeof *cells);
    slots->lost[slots->lost_count++] = (struct tri_lost_chunk){first, gen};
    return true;
}

/* Loses whole chunks and takes their slots off the free list. Under the lock. */
static void lose_chunks(struct tri_slots *slots, uint16_t *free_of, uint32_t chunks)
{
    for (uint32_t i = 0; i < slots->free_count; i++) {
        uint32_t chunk = slots->free[i] >> TRI_SLOT_CHUNK_BITS;
        if (chunk < chunks)
            free_of[chunk]++;
    }
    for (uint32_t chunk = 0; chunk < chunks; chunk++) {
        if (free_of[chunk] == TRI_SLOT_CHUNK && !lose_chunk(slots, chunk << TRI_SLOT_CHUNK_BITS))
            free_of[chunk] = 0;
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < slots->free_count; i++) {
        uint32_t chunk = slots->free[i] >> TRI_SLOT_CHUNK_BITS;
        if (chunk >= chunks || free_of[chunk] != TRI_SLOT_CHUNK)
            slots->free[kept++] = slots->free[i];
    }
    slots->free_count = kept;
}

/* Room for as many lost chunks as there are; before the lock is held for long. */
static bool reserve_lost(struct tri_slots *slots, uint32_t chunks)
{
    if (slots->lost_capacity >= chunks)
        return true;
    struct tri_lost_chunk *lost = tri_realloc(slots->lost, chunks * sizeof *lost);
    if (!lost)
        return false;
    slots->lost = lost;
    slots->lost_capacity = chunks;
    return true;
}

void tri_slots_trim(struct tri_worker *worker)
{
    struct tr_system *sys = worker->ctx.sys;
    struct tri_slots *slots = &sys->slots;
    tri_slots_flush(&worker->ctx);
    uint32_t chunks = tri_load(&slots->count, TRI_ACQUIRE) >> TRI_SLOT_CHUNK_BITS;
    uint16_t *free_of = chunks > 1 ? tri_calloc(chunks, sizeof *free_of) : NULL;
    if (!free_of)
        return;
    /* Whoever has a slot of the list has taken this lock before: its generation is dead for us.
     * With the lock held nobody gets one, so the look at the others comes second. */
    tri_mutex_lock(&sys->outside_lock);
    tri_spin_lock(&slots->lock);
    if (slots->free_count >= TRI_SLOT_CHUNK && nobody_else(worker) && reserve_lost(slots, chunks))
        lose_chunks(slots, free_of, chunks);
    tri_spin_unlock(&slots->lock);
    tri_mutex_unlock(&sys->outside_lock);
    tri_free(free_of);
}
