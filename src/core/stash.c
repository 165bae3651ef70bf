#include "core/stash.h"

#include "base/assert.h"
#include "base/plant.h"
#include "core/cold.h"
#include "core/send.h"
#include "troupe/behaviour.h"

/* The body of an envelope in a list; the payload is first, as in all envelopes. */
struct aside {
    struct tri_block *payload;
    uint64_t number;
};

static uint64_t number_of(struct tri_block *block)
{
    return ((const struct aside *)tri_block_body(block))->number;
}

static struct tri_block *next_of(struct tri_block *block)
{
    return tri_load(&block->next, TRI_RELAXED); /* The lists are the owner's alone. */
}

static void link_to(struct tri_block *block, struct tri_block *next)
{
    tri_store(&block->next, next, TRI_RELAXED);
}

/* ---- Lists, by number ---------------------------------------------------- */

/* Nearly always at the end, or at the start (what is put aside again). */
static void insert(struct tri_stash_list *list, struct tri_block *block)
{
    struct tri_block *before = NULL;
    if (list->last && number_of(list->last) < number_of(block)) {
        before = list->last;
    } else {
        struct tri_block *at = list->first;
        while (at && number_of(at) < number_of(block)) {
            before = at;
            at = next_of(at);
        }
    }
    link_to(block, before ? next_of(before) : list->first);
    if (before)
        link_to(before, block);
    else
        list->first = block;
    if (list->last == before)
        list->last = block;
    list->count++;
}

static struct tri_block *take_first(struct tri_stash_list *list)
{
    struct tri_block *block = list->first;
    if (!block)
        return NULL;
    list->first = next_of(block);
    if (!list->first)
        list->last = NULL;
    list->count--;
    return block;
}

static void take_out(struct tri_stash_list *list, struct tri_block *block)
{
    struct tri_block *before = NULL;
    for (struct tri_block *at = list->first; at != block; at = next_of(at)) {
        TRI_ASSERT(at != NULL);
        before = at;
    }
    if (!before) {
        (void)take_first(list);
        return;
    }
    link_to(before, next_of(block));
    if (list->last == block)
        list->last = before;
    list->count--;
}

/* Merges up to `max` of the oldest of `from` into `to`; both are in order. */
static uint32_t merge(struct tri_stash_list *to, struct tri_stash_list *from, size_t max)
{
    struct tri_stash_list merged = {0};
    uint32_t moved = 0;
    while (to->first || (from->first && moved < max)) {
        bool take = from->first && moved < max &&
                    (!to->first || number_of(from->first) < number_of(to->first));
        moved += take;
        insert(&merged, take_first(take ? from : to));
    }
    *to = merged;
    return moved;
}

/* ---- Putting aside and taking out ---------------------------------------- */

/* An envelope around the message being handled, as it would have to be sent again. */
static struct tri_block *wrap(struct tr_ctx *ctx, struct tri_block *block, uint64_t number)
{
    static const struct tr_type aside_type = {"aside", sizeof(struct aside), NULL, 0};
    struct tri_block *envelope = tri_block_new(ctx, &aside_type, sizeof(struct aside), false);
    if (!envelope)
        return NULL;
    tr_ref kept = tr_msg_ref(ctx, tri_block_msg(tri_block_payload(block)));
    struct aside aside = {kept.block, number};
    memcpy(tri_block_body(envelope), &aside, sizeof aside);
    envelope->type = block->type;
    envelope->from = block->from;
    envelope->call = block->call;
    envelope->flags |= (uint8_t)(TRI_BLOCK_SHARED |
                                 (block->flags & (TRI_BLOCK_REQUEST | TRI_BLOCK_REPLY)));
    tri_store(&envelope->gen, tri_ctx_gen(ctx), TRI_RELAXED);
    return envelope;
}

tr_err tr_stash(tr_ctx *ctx)
{
    struct tri_cell *cell = ctx->cell;
    if (!cell || !ctx->block || ctx->batch || ctx->stashed)
        return TR_EINVAL;
    struct tri_cold *cold = tri_cold(cell);
    if (!cold)
        return TR_EFULL;
    struct tri_stash *stash = &cold->stash;
    uint32_t max = cell->actor->stash_max ? cell->actor->stash_max : TR_STASH_MAX_DEFAULT;
    if (stash->aside.count + stash->again.count >= max)
        return tr_fail(ctx, TR_EFULL, "the stash holds %u messages, its bound", max);
    bool known = ctx->block == stash->current;
    struct tri_block *envelope = wrap(ctx, ctx->block,
                                      known ? number_of(ctx->block) : stash->number + 1);
    if (!envelope)
        return tr_fail(ctx, TR_EFULL, "no memory to put a message aside, %u are", max);
    if (!known)
        stash->number++;
    insert(&stash->aside, envelope);
    stash->newest = envelope;
    ctx->stashed = true;
    ctx->attention = true;
    return TR_OK;
}

bool tri_stash_settle(struct tr_ctx *ctx, struct tri_cell *cell, bool failed)
{
    struct tri_stash *stash = &cell->cold->stash;
    struct tri_block *newest = stash->newest;
    ctx->stashed = false;
    stash->newest = NULL;
    if (!failed) {
        tri_count(&ctx->counts.stashed, 1);
        return true;
    }
    /* The handler may have taken it out again itself. */
    struct tri_block *at = stash->aside.first;
    while (at && at != newest)
        at = next_of(at);
    take_out(at ? &stash->aside : &stash->again, newest);
    tri_block_free(ctx, newest);
    return false;
}

size_t tr_unstash(tr_ctx *ctx, size_t max)
{
    TRI_ASSERT(ctx->cell != NULL);
    struct tri_cold *cold = ctx->cell->cold;
    if (!cold || cold->stash.aside.count == 0 || max == 0)
        return 0;
    uint32_t moved = merge(&cold->stash.again, &cold->stash.aside, max);
    ctx->cell->flags |= TRI_CELL_AGAIN;
    ctx->attention = true;
    return moved;
}

size_t tr_stashed(const tr_ctx *ctx)
{
    TRI_ASSERT(ctx->cell != NULL);
    return ctx->cell->cold ? ctx->cell->cold->stash.aside.count : 0;
}

/* ---- Handling again ------------------------------------------------------ */

struct tri_block *tri_stash_next(struct tr_ctx *ctx, struct tri_cell *cell)
{
    if (!cell->cold)
        return NULL;
    struct tri_stash *stash = &cell->cold->stash;
    stash->current = take_first(&stash->again);
    if (TRI_PLANTED(STASH_ORDER) && stash->again.count > 0) {
        struct tri_block *first = stash->current;
        stash->current = take_first(&stash->again);
        insert(&stash->again, first);
    }
    if (stash->current)
        tri_count(&ctx->counts.stashed, (uint64_t)-1);
    return stash->current;
}

void tri_stash_handled(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block)
{
    cell->cold->stash.current = NULL;
    tri_block_free(ctx, block);
}

void tri_stash_restart(struct tri_cell *cell)
{
    if (cell->cold && merge(&cell->cold->stash.again, &cell->cold->stash.aside, SIZE_MAX))
        cell->flags |= TRI_CELL_AGAIN;
}

void tri_stash_end(struct tr_ctx *ctx, struct tri_cell *cell, tr_pid self)
{
    struct tri_stash *stash = &cell->cold->stash;
    bool closing = tri_load(&ctx->sys->phase, TRI_RELAXED) == TRI_CLOSED;
    (void)merge(&stash->again, &stash->aside, SIZE_MAX);
    struct tri_block *block;
    while ((block = take_first(&stash->again))) {
        tri_count(&ctx->counts.stashed, (uint64_t)-1);
        tri_dead_letter(ctx, self, block, closing ? TR_DEAD_CLOSING : TR_DEAD_STOPPED);
    }
}

uint32_t tri_stash_waiting(const struct tri_cell *cell)
{
    const struct tri_cold *cold = cell->cold;
    return cold ? cold->stash.aside.count + cold->stash.again.count : 0;
}
