/* inventory.c - the role that reserves stock, in the order of the intake. */
#include "actors.h"
#include "plant.h"
#include "sequence.h"
#include "stock.h"

struct inventory {
    struct sequence sequence;
    struct stock_table stock;
};

static tr_err inventory_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct inventory *self = state;
    const struct inventory_args *args = arg;
    uint32_t products = dict_count(args->products);
    bool good = stock_init(&self->stock, args->store, products);
    if (!good || !sequence_init(&self->sequence, args->window)) {
        stock_fini(&self->stock); /* What could not begin is not stopped. */
        return tr_fail(ctx, TR_ENOMEM, "no memory for the stock of %u products", products);
    }
    return TR_OK;
}

static void inventory_stop(tr_ctx *ctx, void *state)
{
    struct inventory *self = state;
    (void)ctx;
    stock_fini(&self->stock);
    sequence_fini(&self->sequence);
}

static tr_err on_reserve(tr_ctx *ctx, struct inventory *self, const struct inventory_reserve *msg)
{
    struct doc *doc;
    sequence_put(&self->sequence, msg->doc);
    if (ORDERS_PLANTED(OUT_OF_TURN))
        self->sequence.next = msg->doc->seq;
    while ((doc = sequence_take(&self->sequence)) != NULL) {
        bool enough = true;
        if (!stock_grow(&self->stock, doc->products_known))
            return tr_fail(ctx, TR_ENOMEM, "no memory for the stock of %u products",
                           doc->products_known);
        if (doc->what == DOC_ORDER && doc->state == STATE_FULFILLED)
            enough = stock_reserve(&self->stock, doc);
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
