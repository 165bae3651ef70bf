/* payment.c - speaks with the payment provider. Its state is the provider's: it may restart. */
#include "actors.h"

struct payment {
    struct payment_provider *provider;
};

static tr_err payment_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct payment *self = state;
    (void)ctx;
    self->provider = ((const struct payment_args *)arg)->provider;
    return TR_OK;
}

static tr_err on_capture(tr_ctx *ctx, struct payment *self, const struct payment_capture *msg)
{
    unsigned late_ms = 0;
    enum payment_answer answer = self->provider->capture(self->provider, msg->key, msg->pence,
                                                         &late_ms);
    /* When a late answer comes, its order no longer waits: it is then a dead letter, "late".
     * What the provider did is found out by inquiry. */
    if (answer != PAYMENT_SILENT && late_ms > 0)
        tr_after(ctx, late_ms, payment_due, .caller = tr_caller_of(ctx), .answer = answer);
    else if (answer != PAYMENT_SILENT)
        tr_reply(ctx, payment_result, .answer = answer);
    return TR_OK;
}

static tr_err on_due(tr_ctx *ctx, struct payment *self, const struct payment_due *msg)
{
    (void)self;
    tr_reply_to(ctx, msg->caller, payment_result, .answer = msg->answer);
    return TR_OK;
}

static tr_err on_inquire(tr_ctx *ctx, struct payment *self, const struct payment_inquire *msg)
{
    enum payment_answer answer = self->provider->inquire(self->provider, msg->key, msg->attempt);
    if (answer != PAYMENT_SILENT)
        tr_reply(ctx, payment_result, .answer = answer);
    return TR_OK;
}

static tr_err on_refund(tr_ctx *ctx, struct payment *self, const struct payment_refund *msg)
{
    enum payment_answer answer = self->provider->refund(self->provider, msg->key, msg->pence);
    if (answer != PAYMENT_SILENT)
        tr_reply(ctx, payment_result, .answer = answer);
    return TR_OK;
}

#define PAYMENT_HANDLERS(ON)        \
    ON(payment_capture, on_capture) \
    ON(payment_due, on_due)         \
    ON(payment_inquire, on_inquire) \
    ON(payment_refund, on_refund)
TR_DISPATCH(payment, PAYMENT_HANDLERS);

const struct tr_actor payment_actor = {
    .name = "payment",
    .state_size = sizeof(struct payment),
    .arg_size = sizeof(struct payment_args),
    .init = payment_init,
    .receive = payment_receive,
    .accepts = payment_accepts,
};
