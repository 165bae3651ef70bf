/* A field given a value of another type: the union around the body must not hide that. */
/* EXPECT: (incompatible|cast|makes integer from pointer).*(int64_t|without a cast|conversion) */
/* OPTIONS: -Werror=int-conversion */
#include "troupe/troupe.h"

struct counter_add {
    int64_t amount;
};
TR_TYPE(counter_add);

void f(tr_ctx *ctx, tr_pid to);
void f(tr_ctx *ctx, tr_pid to)
{
#ifdef GOOD
    tr_send(ctx, to, counter_add, .amount = 1);
#else
    tr_send(ctx, to, counter_add, .amount = "1");
#endif
}
