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
    tri_mem_unmap(slots->cells, slots->slots_max * sizeof *slots->cells);
    tri_mem_unmap(slots->bounds, slots->slots_max * sizeof *slots->bounds);
    tri_free(slots->free);
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

/* Under the lock. Slot 0 is nobody and is never given out. */
static bool add_chunk(struct tri_slots *slots)
{
    uint32_t first = tri_load(&slots->count, TRI_RELAXED); /* Written under this lock only. */
    if (first >= slots->slots_max || !reserve_free(slots, first + TRI_SLOT_CHUNK) ||
        (first == slots->committed && !commit(slots)))
        return false;
    struct tri_cell *cells = &slots->cells[first];
    tri_mem_populate(cells, TRI_SLOT_CHUNK * sizeof *cells);
    for (uint32_t i = 0; i < TRI_SLOT_CHUNK; i++) {
        cells[i].slot = first + i;
        tri_store(&cells[i].gen, TRI_GEN_STEP, TRI_RELAXED);
        tri_spin_init(&cells[i].lock);
    }
    tri_store(&slots->count, first + TRI_SLOT_CHUNK, TRI_RELEASE);
    for (uint32_t i = TRI_SLOT_CHUNK; i-- > (first == 0 ? 1 : 0);)
        slots->free[slots->free_count++] = first + i;
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
    memcpy(&ctx->slots[ctx->slot_count], &slots->free[slots->free_count],
           count * sizeof *ctx->slots);
    tri_spin_unlock(&slots->lock);
    ctx->slot_count += count;
    return count > 0;
}

struct tri_cell *tri_slot_take(struct tr_ctx *ctx)
{
    for (uint32_t tries = 0; tries < 2 * TRI_SLOT_CACHE; tries++) {
        if (ctx->slot_count == 0 && !refill(ctx))
            return NULL;
        uint32_t slot = ctx->slots[--ctx->slot_count];
        struct tri_cell *cell = tri_slot_cell(&ctx->sys->slots, slot);
        if (tri_mailbox_claim(cell))
            return cell;
        /* A stray message to the last tenant is being turned away there: take another. */
        memmove(&ctx->slots[1], &ctx->slots[0], ctx->slot_count * sizeof *ctx->slots);
        ctx->slots[0] = slot;
        ctx->slot_count++;
    }
    return NULL;
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

void tri_slot_give(struct tr_ctx *ctx, uint32_t slot)
{
    if (ctx->slot_count == TRI_SLOT_CACHE)
        give_back(ctx, MOVE);
    ctx->slots[ctx->slot_count++] = slot;
}

void tri_slots_flush(struct tr_ctx *ctx)
{
    if (ctx->slot_count)
        give_back(ctx, ctx->slot_count);
}
