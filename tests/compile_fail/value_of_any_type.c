/* A pointer that may point to anything is not taken for a message. */
/* EXPECT: (_Generic|controlling expression|generic).*(not compatible|void) */
#include "troupe/troupe.h"

struct counter_add {
    int64_t amount;
};
TR_TYPE(counter_add);

void f(tr_ctx *ctx, tr_pid to, const void *any);
void f(tr_ctx *ctx, tr_pid to, const void *any)
{
#ifdef GOOD
    const struct counter_add *add = any;
    tr_request_value(ctx, to, 100, counter_add, add);
#else
    tr_request_value(ctx, to, 100, counter_add, any);
#endif
}
