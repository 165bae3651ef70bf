/* A value of another type than the one named. */
/* EXPECT: (_Generic|controlling expression|generic).*(not compatible|struct counter_value) */
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
    const struct counter_add add = {1};
    struct counter_value value = {2};
#ifdef GOOD
    tr_send_value(ctx, to, counter_add, &add);
    tr_send_value(ctx, to, counter_value, &value);
#else
    tr_send_value(ctx, to, counter_value, &value);
    tr_send_value(ctx, to, counter_add, &value);
    (void)add;
#endif
}
