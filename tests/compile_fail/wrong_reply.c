/* An answer taken into the wrong struct. */
/* EXPECT: _Generic.* selector of type .struct counter_add \*. is not compatible|controlling expression type 'struct counter_add \*' not compatible */
#include "troupe/troupe.h"

struct counter_add {
    int64_t amount;
};
struct counter_value {
    int64_t value;
};
TR_TYPE(counter_add);
TR_TYPE(counter_value);

tr_err f(tr_ctx *ctx, tr_pid to);
tr_err f(tr_ctx *ctx, tr_pid to)
{
#ifdef GOOD
    struct counter_value into;
#else
    struct counter_add into;
#endif
    return tr_ask(ctx, to, TR_INTO(counter_value, &into), 1000, counter_add, .amount = 1);
}
