/* A batch handler that takes another message than its actor's batches hold. */
/* EXPECT: static.assert.*failed.*on_adds must be a tr_err on_adds\(tr_ctx \*, struct counter \*, const struct counter_add \*const \*, size_t\) */
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
static tr_err on_adds(tr_ctx *ctx, struct counter *self, const struct counter_add *const *adds,
                      size_t count)
#else
static tr_err on_adds(tr_ctx *ctx, struct counter *self, const struct counter_value *const *adds,
                      size_t count)
#endif
{
    (void)ctx;
    (void)adds;
    self->value += (int64_t)count;
    return TR_OK;
}
TR_BATCH(counter, counter_add, on_adds);
const struct tr_actor counter_actor = {
    .receive_batch = counter_receive_batch, .batch_type = &counter_add_type, .batch_max = 8};
