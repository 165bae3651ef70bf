/*
 * inventory.c - stock: on hand = initial + received - sold - written off, never below zero.
 * Returned goods are counted, but not sold again before someone has looked at them.
 */
#include "actors.h"
#include "plant.h"
#include "sequence.h"

struct inventory {
    struct sequence sequence;
    int64_t *on_hand; /* by product number */
    uint32_t room;
    int64_t initial; /* of products not seen before; -1: no bound */
};

static tr_err inventory_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct inventory *self = state;
    const struct inventory_args *args = arg;
    self->initial = store_stock(args->store);
    self->room = dict_count(args->products) + 1024;
    self->on_hand = calloc(self->room, sizeof(*self->on_hand));
    if (!self->on_hand || !sequence_init(&self->sequence, args->window)) {
        free(self->on_hand); /* What could not begin is not stopped. */
        return tr_fail(ctx, TR_ENOMEM, "no memory for the stock of %u products", self->room);
    }
    for (uint32_t i = 1; i < self->room; i++)
        self->on_hand[i] = ORDERS_PLANTED(STALE_STOCK) ? self->initial
                                                       : store_on_hand(args->store, i);
    return TR_OK;
}

static void inventory_stop(tr_ctx *ctx, void *state)
{
    struct inventory *self = state;
    (void)ctx;
    free(self->on_hand);
    sequence_fini(&self->sequence);
}

static bool grow(struct inventory *self, uint32_t products)
{
    if (products < self->room)
        return true;
    uint32_t room = products * 2;
    int64_t *on_hand = realloc(self->on_hand, room * sizeof(*on_hand));
    if (!on_hand)
        return false;
    for (uint32_t i = self->room; i < room; i++)
        on_hand[i] = self->initial < 0 ? 0 : self->initial;
    self->on_hand = on_hand;
    self->room = room;
    return true;
}

/* Pieces that the line takes out of stock. */
static int64_t wanted(const struct doc_line *line)
{
    return line->outcome == OUTCOME_SOLD          ? line->quantity
           : line->outcome == OUTCOME_WRITTEN_OFF ? -(int64_t)line->quantity
                                                  : 0;
}

/* All lines or none. */
static bool reserve(struct inventory *self, struct doc *doc)
{
    for (uint32_t i = 0; i < doc->lines; i++) {
        struct doc_line *line = &doc->line[i];
        int64_t *on_hand = &self->on_hand[line->product];
        int64_t want = wanted(line);
        if (want > *on_hand && self->initial < 0) {
            line->received = (int32_t)(want - *on_hand);
            *on_hand = want;
        }
        if (want > *on_hand) {
            while (i-- > 0)
                self->on_hand[doc->line[i].product] += wanted(&doc->line[i]) *
                                                       (ORDERS_PLANTED(RELEASED_TWICE) ? 2 : 1);
            return false;
        }
        *on_hand -= want;
    }
    return true;
}

static tr_err on_reserve(tr_ctx *ctx, struct inventory *self, const struct inventory_reserve *msg)
{
    struct doc *doc;
    sequence_put(&self->sequence, msg->doc);
    if (ORDERS_PLANTED(OUT_OF_TURN))
        self->sequence.next = msg->doc->seq;
    while ((doc = sequence_take(&self->sequence)) != NULL) {
        bool enough = true;
        if (!grow(self, doc->products_known))
            return tr_fail(ctx, TR_ENOMEM, "no memory for the stock of %u products",
                           doc->products_known);
        if (doc->what == DOC_ORDER && doc->state == STATE_FULFILLED)
            enough = reserve(self, doc);
        tr_send(ctx, doc->order, inventory_reserved, .doc = doc, .enough = enough);
    }
    return TR_OK;
}

#define INVENTORY_HANDLERS(ON) ON(inventory_reserve, on_reserve)
TR_DISPATCH(inventory, INVENTORY_HANDLERS);

const struct tr_actor inventory_actor = {
    .name = "inventory",
    .state_size = sizeof(struct inventory),
    .arg_size = sizeof(struct inventory_args),
    .init = inventory_init,
    .receive = inventory_receive,
    .stop = inventory_stop,
    .accepts = inventory_accepts,
};
