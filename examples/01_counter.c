/* The smallest whole program: one actor that counts, asked from outside, failing once. */
#include "troupe/troupe.h"

#include <stdio.h>

struct counter_add {
    int64_t amount;
};
struct counter_get {
    char none;
};
struct counter_value {
    int64_t value;
};
TR_TYPE(counter_add);
TR_TYPE(counter_get);
TR_TYPE(counter_value);

struct counter {
    int64_t value;
};

static tr_err on_add(tr_ctx *ctx, struct counter *self, const struct counter_add *msg)
{
    if (msg->amount < 0)
        return tr_fail(ctx, TR_EINVAL, "amount is %" PRId64 ", want >= 0", msg->amount);
    self->value += msg->amount;
    return TR_OK;
}

static tr_err on_get(tr_ctx *ctx, struct counter *self, const struct counter_get *msg)
{
    (void)msg;
    tr_reply(ctx, counter_value, .value = self->value);
    return TR_OK;
}

#define COUNTER_HANDLERS(ON) \
    ON(counter_add, on_add)  \
    ON(counter_get, on_get)
TR_DISPATCH(counter, COUNTER_HANDLERS);

static const struct tr_actor counter_actor = {
    .name = "counter",
    .state_size = sizeof(struct counter),
    .receive = counter_receive,
    .accepts = counter_accepts,
};
static const struct tr_supervision restart_a_little = {
    .on_failure = TR_RESTART, .restarts_max = 3, .within_ms = 1000};

int main(void)
{
    tr_system *sys;
    if (tr_system_create(&sys, &(struct tr_config){.workers = 2}))
        return 1;

    tr_ctx *root = tr_root(sys);
    tr_pid counter = tr_spawn(root, &counter_actor, .name = "counter",
                              .supervise = &restart_a_little);
    tr_send(root, counter, counter_add, .amount = 2);
    tr_send(root, counter, counter_add, .amount = 40);

    struct counter_value total = {0};
    tr_err err = tr_ask(root, counter, TR_INTO(counter_value, &total), 1000, counter_get);
    printf("%s, total %" PRId64 "\n", tr_strerror(err), total.value);
    bool right = !err && total.value == 42;

    tr_send(root, counter, counter_add, .amount = -1); /* fails, restarts at 0 */
    tr_send(root, counter, counter_add, .amount = 7);
    err = tr_ask(root, counter, TR_INTO(counter_value, &total), 1000, counter_get);
    printf("%s, total %" PRId64 "\n", tr_strerror(err), total.value);
    right = right && !err && total.value == 7;

    err = tr_system_stop(sys, 1000);
    tr_system_destroy(sys);
    return right && !err ? 0 : 1;
}
