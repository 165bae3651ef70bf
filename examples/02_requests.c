/* Questions and answers: a till asks a price list, and answers whoever asked the till. */
#include "troupe/troupe.h"

#include <stdio.h>

struct price_ask {
    uint32_t product;
};
struct price_tell {
    int64_t pence;
};
struct sale {
    uint32_t product;
    int32_t quantity;
};
struct receipt {
    int64_t pence;
    tr_err err;
};
TR_TYPE(price_ask);
TR_TYPE(price_tell);
TR_TYPE(sale);
TR_TYPE(receipt);

/* ---- The price list ------------------------------------------------------ */

struct prices {
    uint64_t asked;
};

static tr_err on_price_ask(tr_ctx *ctx, struct prices *self, const struct price_ask *msg)
{
    self->asked++;
    if (msg->product != 0) /* nobody knows the price of product 0, and nothing is said */
        tr_reply(ctx, price_tell, .pence = 100 + msg->product);
    return TR_OK;
}

#define PRICES_HANDLERS(ON) ON(price_ask, on_price_ask)
TR_DISPATCH(prices, PRICES_HANDLERS);
static const struct tr_actor prices_actor = {.name = "prices",
                                             .state_size = sizeof(struct prices),
                                             .receive = prices_receive,
                                             .accepts = prices_accepts};

/* ---- The till ------------------------------------------------------------ */

#define SALES_OPEN_MAX 8u

struct till {
    tr_pid prices;
    struct sale_open {
        uint64_t call; /* our question to the price list; 0: this place is free */
        tr_caller customer;
        int32_t quantity;
    } open[SALES_OPEN_MAX];
};

static tr_err till_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct till *)state)->prices = *(const tr_pid *)arg;
    return TR_OK;
}

static struct sale_open *sale_find(struct till *self, uint64_t call)
{
    for (unsigned i = 0; i < SALES_OPEN_MAX; i++)
        if (self->open[i].call == call)
            return &self->open[i];
    return NULL;
}

static tr_err on_sale(tr_ctx *ctx, struct till *self, const struct sale *msg)
{
    struct sale_open *place = sale_find(self, 0);
    if (!place) {
        tr_reply(ctx, receipt, .err = TR_EFULL);
        return TR_OK;
    }
    place->customer = tr_caller_of(ctx);
    place->quantity = msg->quantity;
    place->call = tr_request(ctx, self->prices, 100, price_ask, .product = msg->product);
    return TR_OK; /* the till serves others until the price comes */
}

static tr_err on_price(tr_ctx *ctx, struct till *self, const struct price_tell *msg)
{
    struct sale_open *sale = sale_find(self, tr_call(ctx));
    tr_reply_to(ctx, sale->customer, receipt, .pence = msg->pence * sale->quantity);
    sale->call = 0;
    return TR_OK;
}

static tr_err on_no_price(tr_ctx *ctx, struct till *self, const struct tr_request_failed *msg)
{
    struct sale_open *sale = sale_find(self, msg->call);
    tr_reply_to(ctx, sale->customer, receipt, .err = msg->reason);
    sale->call = 0;
    return TR_OK;
}

#define TILL_HANDLERS(ON)    \
    ON(sale, on_sale)        \
    ON(price_tell, on_price) \
    ON(tr_request_failed, on_no_price)
TR_DISPATCH(till, TILL_HANDLERS);
static const struct tr_actor till_actor = {.name = "till",
                                           .state_size = sizeof(struct till),
                                           .arg_size = sizeof(tr_pid),
                                           .init = till_init,
                                           .receive = till_receive,
                                           .accepts = till_accepts};

/* ---- The customer: an ordinary thread ------------------------------------ */

static int buy(tr_ctx *root, tr_pid till, uint32_t product, int32_t quantity)
{
    struct receipt receipt = {0};
    tr_err err = tr_ask(root, till, TR_INTO(receipt, &receipt), 5000, sale, .product = product,
                        .quantity = quantity);
    if (err)
        printf("product %" PRIu32 ": the till says nothing: %s\n", product, tr_strerror(err));
    else if (receipt.err)
        printf("product %" PRIu32 ": no price: %s\n", product, tr_strerror(receipt.err));
    else
        printf("product %" PRIu32 ": %" PRId64 " pence\n", product, receipt.pence);
    return err != TR_OK;
}

int main(void)
{
    tr_system *sys;
    if (tr_system_create(&sys, NULL))
        return 1;
    tr_ctx *root = tr_root(sys);
    tr_pid prices = tr_spawn(root, &prices_actor, .name = "prices");
    tr_pid till = tr_spawn(root, &till_actor, .name = "till", .arg = &prices);

    int bad = buy(root, till, 7, 3);
    bad |= buy(root, till, 0, 1); /* the price list stays silent */
    tr_stop(root, prices);
    bad |= buy(root, till, 7, 3); /* and now it is gone */

    bad |= tr_system_stop(sys, 1000) != TR_OK;
    tr_system_destroy(sys);
    return bad;
}
