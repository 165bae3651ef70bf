/* validation.c - applies the rules for dirty lines. Holds no state: it may restart at any time. */
#include "actors.h"
#include "rules.h"

struct validation {
    uint64_t checked;
};

static tr_err on_check(tr_ctx *ctx, struct validation *self, const struct order_check *msg)
{
    self->checked++;
    rules_classify(msg->doc);
    tr_send(ctx, msg->doc->order, order_checked, .doc = msg->doc);
    return TR_OK;
}

#define VALIDATION_HANDLERS(ON) ON(order_check, on_check)
TR_DISPATCH(validation, VALIDATION_HANDLERS);

const struct tr_actor validation_actor = {
    .name = "validation",
    .state_size = sizeof(struct validation),
    .receive = validation_receive,
    .accepts = validation_accepts,
};
