/* A struct that is no message type. */
/* EXPECT: (.stranger_type. undeclared|undeclared identifier 'stranger_type') */
#include "troupe/troupe.h"

struct counter_add {
    int64_t amount;
};
struct counter_value {
    int64_t value;
};
TR_TYPE(counter_add);
TR_TYPE(counter_value);

struct stranger {
    int x;
};

void f(tr_ctx *ctx, tr_pid to);
void f(tr_ctx *ctx, tr_pid to)
{
#ifdef GOOD
    tr_send(ctx, to, counter_add, .amount = 1);
#else
    tr_send(ctx, to, stranger, .x = 1);
#endif
}
