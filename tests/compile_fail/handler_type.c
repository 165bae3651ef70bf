/* A handler that takes another message than its list says. */
/* EXPECT: static.assert.*failed.*on_add must be a tr_err on_add\(tr_ctx \*, state \*, const struct counter_add \*\) */
#include "troupe/troupe.h"

struct counter_add {
    int64_t amount;
};
struct counter_value {
    int64_t value;
};
TR_TYPE(counter_add);
TR_TYPE(counter_value);

struct counter {
    int64_t value;
};

#ifdef GOOD
static tr_err on_add(tr_ctx *ctx, struct counter *self, const struct counter_add *msg)
#else
static tr_err on_add(tr_ctx *ctx, struct counter *self, const struct counter_value *msg)
#endif
{
    (void)ctx;
    (void)msg;
    self->value++;
    return TR_OK;
}

#define COUNTER_HANDLERS(ON) ON(counter_add, on_add)
TR_DISPATCH(counter, COUNTER_HANDLERS);
const struct tr_actor counter_actor = {.receive = counter_receive, .accepts = counter_accepts};
