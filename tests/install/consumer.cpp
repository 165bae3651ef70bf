// A C++ program that uses every macro of the public headers: actors, requests, timers, batches.
#include "troupe/troupe.h"

#include <cinttypes>
#include <cstdio>

struct sum_add {
    std::int64_t amount;
    std::int32_t tag;
};
struct sum_get {
    char none;
};
struct sum_value {
    std::int64_t value;
};
struct sum_loud {
    std::int64_t words[8];
};
TR_TYPE(sum_add);
TR_TYPE(sum_get);
TR_TYPE(sum_value);
TR_TYPE_FLAGS(sum_loud, TR_TYPE_CONTROL);

namespace
{

struct sum {
    std::int64_t value;
    tr_timer timer;
};

tr_err on_adds(tr_ctx *, struct sum *self, const struct sum_add *const *adds, std::size_t count)
{
    for (std::size_t i = 0; i < count; i++)
        self->value += adds[i]->amount;
    return TR_OK;
}
TR_BATCH(sum, sum_add, on_adds);

tr_err on_get(tr_ctx *ctx, struct sum *self, const struct sum_get *)
{
    const struct sum_value value = {self->value};
    tr_reply_value(ctx, sum_value, &value);
    return TR_OK;
}

tr_err on_loud(tr_ctx *ctx, struct sum *self, const struct sum_loud *msg)
{
    if (msg->words[7] < 0)
        return tr_fail(ctx, TR_EINVAL, "words[7] is %" PRId64 ", want >= 0", msg->words[7]);
    self->timer = tr_after(ctx, 60000, sum_add, .amount = 1000, .tag = 0);
    return tr_cancel(ctx, self->timer) ? TR_OK : TR_EINVAL;
}

#define SUM_HANDLERS(ON) ON(sum_get, on_get) ON(sum_loud, on_loud)
TR_DISPATCH(sum, SUM_HANDLERS);

tr_actor sum_actor()
{
    tr_actor kind{};
    kind.name = "sum";
    kind.state_size = sizeof(struct sum);
    kind.receive = sum_receive;
    kind.accepts = sum_accepts;
    kind.receive_batch = sum_receive_batch;
    kind.batch_type = &sum_add_type;
    kind.batch_max = 16;
    return kind;
}

const tr_actor kind = sum_actor();

} // namespace

int main()
{
    tr_config config{};
    config.workers = 2;
    tr_system *sys;
    if (tr_system_create(&sys, &config))
        return 1;
    tr_ctx *root = tr_root(sys);
    tr_pid pid = tr_spawn(root, &kind, .name = "sum");
    if (tr_pid_is_nobody(pid) || !tr_pid_is_nobody(TR_NOBODY))
        return 1;
    tr_send(root, pid, sum_add, .amount = 2, .tag = 1);
    tr_send(root, pid, sum_loud, .words = {1, 2, 3, 4, 5, 6, 7, 8});
    tr_broadcast(root, &pid, 1, sum_add, .amount = 30, .tag = 2);
    tr_err tried = tr_try_send(root, pid, sum_add, .amount = 10, .tag = 3);
    struct sum_value total = {};
    tr_err asked = tr_ask(root, pid, TR_INTO(sum_value, &total), 10000, sum_get);
    std::printf("C++: %s, total %" PRId64 "\n", tr_strerror(asked), total.value);
    tr_err stopped = tr_system_stop(sys, 10000);
    tr_accounts accounts;
    tr_system_accounts(sys, &accounts);
    bool balanced = tr_accounts_balance(&accounts);
    tr_system_destroy(sys);
    return tried || asked || stopped || total.value != 42 || !balanced;
}
