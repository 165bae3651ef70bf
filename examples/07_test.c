/*
 * 07_test.c - testing an actor: troupe/test.h.
 *
 * A till adds up what is paid in. One test is good for any order of events; one loses a message
 * and looks at the trace; one makes up what happens, and compares with what it knows.
 */
#include "troupe/test.h"

struct pay {
    int64_t amount;
};
struct total {
    char none;
};
struct sum {
    int64_t value;
};
TR_TYPE(pay);
TR_TYPE(total);
TR_TYPE(sum);

struct till {
    int64_t sum;
};

static tr_err on_pay(tr_ctx *ctx, struct till *self, const struct pay *msg)
{
    if (msg->amount < 0)
        return tr_fail(ctx, TR_EINVAL, "amount is %" PRId64 ", want >= 0", msg->amount);
    self->sum += msg->amount;
    return TR_OK;
}

static tr_err on_total(tr_ctx *ctx, struct till *self, const struct total *msg)
{
    (void)msg;
    tr_reply(ctx, sum, .value = self->sum);
    return TR_OK;
}

#define TILL_HANDLERS(ON) ON(pay, on_pay) ON(total, on_total)
TR_DISPATCH(till, TILL_HANDLERS);
static const struct tr_actor till_actor = {.name = "till",
                                           .state_size = sizeof(struct till),
                                           .receive = till_receive,
                                           .accepts = till_accepts};

static void adds_up(struct tr_test *t)
{
    tr_pid till = tr_spawn(tr_test_ctx(t), &till_actor);
    tr_pid probe = tr_test_probe(t, "probe");
    tr_test_send(t, probe, till, pay, .amount = 2);
    tr_test_send(t, probe, till, pay, .amount = 40);
    tr_test_send(t, probe, till, total);
    tr_test_settle(t);
    tr_expect(t, tr_test_nth(t, probe, 0, sum)->value == 42);
}

static void loses_a_payment(struct tr_test *t)
{
    tr_pid till = tr_spawn(tr_test_ctx(t), &till_actor);
    tr_pid probe = tr_test_probe(t, "probe");
    tr_test_drop(t, pay, 1);
    tr_test_send(t, probe, till, pay, .amount = 2);
    tr_test_send(t, probe, till, pay, .amount = 40);
    tr_test_send(t, probe, till, total);
    tr_test_settle(t);
    tr_expect(t, tr_test_nth(t, probe, 0, sum)->value == 40);
    tr_expect_trace(t, "pay from probe#3: LOST", "total", "sum from till#2");
}

static void takes_what_comes(struct tr_test *t)
{
    tr_pid till = tr_spawn(tr_test_ctx(t), &till_actor);
    tr_pid probe = tr_test_probe(t, "probe");
    int64_t want = 0;
    for (int i = 0; i < 20; i++) {
        int64_t amount = (int64_t)(tr_test_random(t) % 100);
        if (!tr_test_event(t))
            continue;
        tr_test_send(t, probe, till, pay, .amount = amount);
        want += amount;
    }
    tr_test_send(t, probe, till, total);
    tr_test_settle(t);
    tr_expect(t, tr_test_nth(t, probe, 0, sum)->value == want);
}

int main(int argc, char **argv)
{
    const tr_test_fn tests[] = {adds_up, loses_a_payment, takes_what_comes};
    int code = 0;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0] && code == 0; i++)
        code = tr_test_main(argc, argv, tests[i]);
    return code;
}
