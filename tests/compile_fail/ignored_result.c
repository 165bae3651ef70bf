/* A result that must be looked at. */
/* EXPECT: ignoring return value */
/* OPTIONS: -Werror=unused-result */
#include "troupe/troupe.h"

struct counter_add {
    int64_t amount;
};
struct counter_value {
    int64_t value;
};
TR_TYPE(counter_add);
TR_TYPE(counter_value);

void f(tr_ctx *ctx, tr_pid to);
void f(tr_ctx *ctx, tr_pid to)
{
#ifdef GOOD
    tr_err err = tr_try_send(ctx, to, counter_add, .amount = 1);
    (void)err;
#else
    tr_try_send(ctx, to, counter_add, .amount = 1);
#endif
}
