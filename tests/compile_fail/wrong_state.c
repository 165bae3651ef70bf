/* A handler that takes the state of another kind of actor. */
/* EXPECT: static.assert.*failed.*on_add must be a tr_err on_add\(tr_ctx \*, state \*, const struct counter_add \*\) */
#include "troupe/troupe.h"

struct counter_add {
    int64_t amount;
};
TR_TYPE(counter_add);

struct counter {
    int64_t value;
};
struct ledger {
    int64_t value;
};

#ifdef GOOD
static tr_err on_add(tr_ctx *ctx, struct counter *self, const struct counter_add *msg)
#else
static tr_err on_add(tr_ctx *ctx, struct ledger *self, const struct counter_add *msg)
#endif
{
    (void)ctx;
    self->value += msg->amount;
    return TR_OK;
}

#define COUNTER_HANDLERS(ON) ON(counter_add, on_add)
TR_DISPATCH(counter, COUNTER_HANDLERS);
const struct tr_actor counter_actor = {.receive = counter_receive, .accepts = counter_accepts};
