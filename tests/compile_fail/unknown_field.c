/* A field that the message does not have. */
/* EXPECT: (has no member named .amnt.|field designator 'amnt' does not refer to any field) */
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
    tr_send(ctx, to, counter_add, .amount = 1);
#else
    tr_send(ctx, to, counter_add, .amnt = 1);
#endif
}
