/*
 * How user code reads: a counter and an order that takes payment and reserves stock, written as
 * a user would write them. Nothing here is reached into: only the public header is included.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "troupe/troupe.h"

#include <stdio.h>

/* ---- A counter ----------------------------------------------------------- */

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

static void a_counter_counts_and_restarts_at_zero(void **state)
{
    (void)state;
    tr_system *sys;
    assert_int_equal(tr_system_create(&sys, &(struct tr_config){.workers = 4, .log = tr_log_none}),
                     TR_OK);
    tr_ctx *root = tr_root(sys);
    static const struct tr_supervision three = {TR_RESTART, .restarts_max = 3, .within_ms = 1000};
    tr_pid counter = tr_spawn(root, &counter_actor, .name = "counter", .supervise = &three);
    assert_int_equal(tr_pid_err(counter), TR_OK);
    assert_int_equal(tr_pid_err(tr_spawn(root, &counter_actor, .name = "counter")), TR_EEXIST);
    tr_send(root, counter, counter_add, .amount = 2);
    tr_send(root, counter, counter_add, .amount = 40);
    struct counter_value total;
    tr_err err = tr_ask(root, counter, TR_INTO(counter_value, &total), 1000, counter_get);
    assert_int_equal(err, TR_OK);
    assert_int_equal(total.value, 42);
    tr_send(root, counter, counter_add, .amount = -1); /* Fails, and restarts at 0. */
    tr_send(root, counter, counter_add, .amount = 7);
    err = tr_ask(root, counter, TR_INTO(counter_value, &total), 1000, counter_get);
    assert_int_equal(err, TR_OK);
    assert_int_equal(total.value, 7);
    assert_int_equal(tr_system_stop(sys, 30000), TR_OK);
    tr_system_destroy(sys);
}

/* ---- An order ------------------------------------------------------------ */

enum order_state { ORDER_NEW, ORDER_PAYING, ORDER_RESERVING, ORDER_CONFIRMED, ORDER_REJECTED };

struct order_place {
    uint64_t order_id;
    uint32_t sku;
    uint32_t quantity;
    int64_t cents;
};
struct order_result {
    uint64_t order_id;
    uint32_t state;
};
struct payment_authorize {
    uint64_t order_id;
    int64_t cents;
};
struct payment_authorized {
    uint64_t order_id;
};
struct payment_declined {
    uint64_t order_id;
};
struct payment_cancel {
    uint64_t order_id;
};
struct stock_reserve {
    uint64_t order_id;
    uint32_t sku;
    uint32_t quantity;
};
struct stock_reserved {
    uint64_t order_id;
};
struct stock_short {
    uint64_t order_id;
};
struct stock_release {
    uint64_t order_id;
};
struct customer_notify {
    uint64_t order_id;
    uint32_t state;
};
TR_TYPE(order_place);
TR_TYPE(order_result);
TR_TYPE(payment_authorize);
TR_TYPE(payment_authorized);
TR_TYPE(payment_declined);
TR_TYPE(payment_cancel);
TR_TYPE(stock_reserve);
TR_TYPE(stock_reserved);
TR_TYPE(stock_short);
TR_TYPE(stock_release);
TR_TYPE(customer_notify);

struct order_peers {
    tr_pid payment, stock, notification;
};

struct order {
    struct order_peers peers;
    enum order_state state;
    tr_caller caller; /* who placed the order; answered in finish() */
    struct order_place what;
};

static tr_err order_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct order *)state)->peers = *(const struct order_peers *)arg;
    return TR_OK;
}

/* Every path ends here; the caller is answered once. */
static tr_err finish(tr_ctx *ctx, struct order *self, enum order_state outcome)
{
    uint64_t id = self->what.order_id;
    if (self->state >= ORDER_CONFIRMED)
        return TR_OK; /* Over already: a late or repeated answer. */
    self->state = outcome;
    if (outcome == ORDER_REJECTED) {
        /* What got no answer may have happened. Undoing it twice, or for nothing, is harmless. */
        tr_send(ctx, self->peers.payment, payment_cancel, .order_id = id);
        tr_send(ctx, self->peers.stock, stock_release, .order_id = id);
    }
    tr_send(ctx, self->peers.notification, customer_notify, .order_id = id, .state = outcome);
    tr_reply_to(ctx, self->caller, order_result, .order_id = id, .state = outcome);
    tr_stop(ctx, tr_self(ctx));
    return TR_OK;
}

static tr_err on_place(tr_ctx *ctx, struct order *self, const struct order_place *msg)
{
    self->caller = tr_caller_of(ctx);
    if (self->state != ORDER_NEW)
        return TR_OK;
    self->what = *msg;
    self->state = ORDER_PAYING;
    (void)tr_request(ctx, self->peers.payment, 2000, payment_authorize, .order_id = msg->order_id,
                     .cents = msg->cents);
    return TR_OK;
}

static tr_err on_authorized(tr_ctx *ctx, struct order *self, const struct payment_authorized *msg)
{
    if (self->state != ORDER_PAYING)
        return TR_OK;
    self->state = ORDER_RESERVING;
    (void)tr_request(ctx, self->peers.stock, 1000, stock_reserve, .order_id = msg->order_id,
                     .sku = self->what.sku, .quantity = self->what.quantity);
    return TR_OK;
}

static tr_err on_declined(tr_ctx *ctx, struct order *self, const struct payment_declined *msg)
{
    (void)msg;
    return finish(ctx, self, ORDER_REJECTED);
}

static tr_err on_reserved(tr_ctx *ctx, struct order *self, const struct stock_reserved *msg)
{
    (void)msg;
    return finish(ctx, self, ORDER_CONFIRMED);
}

static tr_err on_short(tr_ctx *ctx, struct order *self, const struct stock_short *msg)
{
    (void)msg;
    return finish(ctx, self, ORDER_REJECTED);
}

static tr_err on_no_answer(tr_ctx *ctx, struct order *self, const struct tr_request_failed *msg)
{
    (void)msg;
    return finish(ctx, self, ORDER_REJECTED);
}

#define ORDER_HANDLERS(ON)                \
    ON(order_place, on_place)             \
    ON(payment_authorized, on_authorized) \
    ON(payment_declined, on_declined)     \
    ON(stock_reserved, on_reserved)       \
    ON(stock_short, on_short)             \
    ON(tr_request_failed, on_no_answer)
TR_DISPATCH(order, ORDER_HANDLERS);

static const struct tr_actor order_actor = {
    .name = "order",
    .state_size = sizeof(struct order),
    .arg_size = sizeof(struct order_peers),
    .init = order_init,
    .receive = order_receive,
    .accepts = order_accepts,
};

/* ---- Its three peers ----------------------------------------------------- */

/* What reached the outside; the system runs on the test's thread. */
static struct {
    unsigned cancelled, released, notified;
    bool silent; /* payment does not answer */
} world;

struct payment {
    uint64_t authorized;
};

static tr_err on_authorize(tr_ctx *ctx, struct payment *self, const struct payment_authorize *msg)
{
    if (world.silent)
        return TR_OK;
    if (msg->cents > 100000) {
        tr_reply(ctx, payment_declined, .order_id = msg->order_id);
        return TR_OK;
    }
    self->authorized++;
    tr_reply(ctx, payment_authorized, .order_id = msg->order_id);
    return TR_OK;
}

static tr_err on_cancel(tr_ctx *ctx, struct payment *self, const struct payment_cancel *msg)
{
    (void)ctx;
    (void)self;
    (void)msg;
    world.cancelled++;
    return TR_OK;
}

#define PAYMENT_HANDLERS(ON) ON(payment_authorize, on_authorize) ON(payment_cancel, on_cancel)
TR_DISPATCH(payment, PAYMENT_HANDLERS);
static const struct tr_actor payment_actor = {.name = "payment",
                                              .state_size = sizeof(struct payment),
                                              .receive = payment_receive,
                                              .accepts = payment_accepts};

struct stock {
    uint32_t on_hand;
};

static tr_err stock_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    (void)arg;
    ((struct stock *)state)->on_hand = 3;
    return TR_OK;
}

static tr_err on_reserve(tr_ctx *ctx, struct stock *self, const struct stock_reserve *msg)
{
    if (msg->quantity > self->on_hand) {
        tr_reply(ctx, stock_short, .order_id = msg->order_id);
        return TR_OK;
    }
    self->on_hand -= msg->quantity;
    tr_reply(ctx, stock_reserved, .order_id = msg->order_id);
    return TR_OK;
}

static tr_err on_release(tr_ctx *ctx, struct stock *self, const struct stock_release *msg)
{
    (void)ctx;
    (void)self;
    (void)msg;
    world.released++;
    return TR_OK;
}

#define STOCK_HANDLERS(ON) ON(stock_reserve, on_reserve) ON(stock_release, on_release)
TR_DISPATCH(stock, STOCK_HANDLERS);
static const struct tr_actor stock_actor = {.name = "stock",
                                            .state_size = sizeof(struct stock),
                                            .init = stock_init,
                                            .receive = stock_receive,
                                            .accepts = stock_accepts};

struct notification {
    uint32_t sent;
};

static tr_err on_notify(tr_ctx *ctx, struct notification *self, const struct customer_notify *msg)
{
    (void)ctx;
    (void)msg;
    world.notified = ++self->sent;
    return TR_OK;
}

#define NOTIFICATION_HANDLERS(ON) ON(customer_notify, on_notify)
TR_DISPATCH(notification, NOTIFICATION_HANDLERS);
static const struct tr_actor notification_actor = {.name = "notification",
                                                   .state_size = sizeof(struct notification),
                                                   .receive = notification_receive,
                                                   .accepts = notification_accepts};

static uint64_t by_order(const tr_msg *msg)
{
    const struct payment_authorize *a = tr_as(msg, payment_authorize);
    const struct payment_cancel *c = tr_as(msg, payment_cancel);
    return a ? a->order_id : c ? c->order_id : 0;
}

static uint64_t now_ns;
static uint64_t test_clock(void *user)
{
    (void)user;
    /* Whoever waits for an answer looks at the clock: time passes. */
    return now_ns += 1000000;
}

static void an_order_takes_every_path(void **state)
{
    (void)state;
    static const struct tr_supervision keep_up = {TR_RESTART, .restarts_max = 5,
                                                  .within_ms = 10000};
    static const struct {
        uint32_t quantity;
        int64_t cents;
        bool silent;
        enum order_state want;
    } tries[] = {{2, 1999, false, ORDER_CONFIRMED},
                 {1, 200000, false, ORDER_REJECTED}, /* declined */
                 {2, 500, false, ORDER_REJECTED},    /* only one is left */
                 {1, 500, true, ORDER_REJECTED},     /* payment does not answer in time */
                 {1, 500, false, ORDER_CONFIRMED}};
    tr_system *sys;
    const struct tr_config config = {.node = "shop-1",
                                     .manual = true,
                                     .log = tr_log_none,
                                     .clock = {.mono_ns = test_clock},
                                     .seed = 1};
    assert_int_equal(tr_system_create(&sys, &config), TR_OK);
    tr_ctx *root = tr_root(sys);
    struct order_peers peers = {
        .payment = tr_spawn(root, &payment_actor, .name = "payment", .supervise = &keep_up,
                            .pool = 8, .route = TR_ROUTE_HASH, .route_key = by_order),
        .stock = tr_spawn(root, &stock_actor, .name = "stock", .supervise = &keep_up),
        .notification = tr_spawn(root, &notification_actor, .name = "notification"),
    };
    for (unsigned i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        tr_pid order = tr_spawn(root, &order_actor, .arg = &peers);
        struct order_result r;
        world.silent = tries[i].silent;
        tr_err err = tr_ask(root, order, TR_INTO(order_result, &r), 5000, order_place,
                            .order_id = i + 1, .sku = 7, .quantity = tries[i].quantity,
                            .cents = tries[i].cents);
        assert_int_equal(err, TR_OK);
        assert_int_equal(r.state, tries[i].want);
        tr_system_run(sys);
        assert_false(tr_alive(root, order));
    }
    assert_int_equal(world.cancelled, 3);
    assert_int_equal(world.released, 3);
    assert_int_equal(world.notified, 5);
    assert_int_equal(tr_system_stop(sys, 30000), TR_OK);
    struct tr_accounts a;
    tr_system_accounts(sys, &a);
    assert_true(tr_accounts_balance(&a));
    assert_int_equal(a.queued, 0);
    tr_system_destroy(sys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_counts_and_restarts_at_zero),
        cmocka_unit_test(an_order_takes_every_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
