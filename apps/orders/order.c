/*
 * order.c - one actor per order.
 *
 *   placed → checking → paying → reserving → posting → done
 *               │        │  ↑        ↑           │        ↑
 *               │        ↓  │        │           ↓        │
 *               │       asking       │       refunding ───┘
 *               └─ (nothing to pay) ─┘
 *
 * Every order passes through inventory, also one that reserves nothing: that keeps all orders
 * in sequence. A capture is asked for once; silence is resolved by asking what became of it. So is
 * the doubt whether a process that has died had asked (doc->resumed): only when the provider knows
 * of no capture is one asked for. Money goes back only when the books say so: a run that is
 * repeated after a crash may come to another end, and must not find the money gone. Until that is
 * done the customer is not told, so that a later run does it again. Between nodes, where there is
 * no gate, the answer about the stock stays what it is: there the money goes back first.
 */
#include "actors.h"
#include "plant.h"
#include "rules.h"

enum step { PLACED, CHECKING, PAYING, ASKING, RESERVING, REFUNDING, POSTING, DONE };

_Static_assert(PAYMENT_PATIENCE_MS << 6 == PAYMENT_PATIENCE_MS_MAX, "six doublings");

#define TO(step) (1u << (step))
static const uint8_t moves[] = {
    [PLACED] = TO(CHECKING) | TO(RESERVING) | TO(REFUNDING),
    [CHECKING] = TO(PAYING) | TO(ASKING) | TO(RESERVING),
    [PAYING] = TO(RESERVING) | TO(ASKING),
    [ASKING] = TO(ASKING) | TO(PAYING) | TO(RESERVING),
    [RESERVING] = TO(POSTING) | TO(REFUNDING),
    [POSTING] = TO(DONE) | TO(REFUNDING),
    [REFUNDING] = TO(REFUNDING) | TO(DONE) | TO(POSTING),
    [DONE] = 0,
};

struct order {
    struct order_peers peers;
    struct doc *doc; /* ours while nobody else holds it */
    enum step step;
    unsigned attempts;
    int64_t id; /* once it is entered; 0: it was refused */
    uint8_t state;
    int64_t pence; /* what was captured */
    char key[ORDER_KEY_MAX + 1];
};

static tr_err order_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct order *self = state;
    (void)ctx;
    self->peers = *(const struct order_peers *)arg;
    return TR_OK;
}

static tr_err move(tr_ctx *ctx, struct order *self, enum step step)
{
    if (!(moves[self->step] & TO(step)))
        return tr_fail(ctx, TR_EUSER, "order %s cannot go from step %d to %d", self->key,
                       (int)self->step, (int)step);
    self->step = step;
    return TR_OK;
}

static tr_err reserve(tr_ctx *ctx, struct order *self)
{
    tr_err err = move(ctx, self, RESERVING);
    if (!err)
        tr_send(ctx, self->peers.inventory, inventory_reserve, .doc = self->doc);
    return err;
}

static tr_err post(tr_ctx *ctx, struct order *self)
{
    tr_err err = move(ctx, self, POSTING);
    if (!err)
        tr_send(ctx, self->peers.ledger, ledger_post, .doc = self->doc);
    return err;
}

static tr_err withdraw(tr_ctx *ctx, struct order *self, enum order_state state,
                       enum order_reason reason, enum line_outcome outcome)
{
    self->doc->state = (uint8_t)state;
    self->doc->reason = (uint8_t)reason;
    rules_withdraw(self->doc, (uint8_t)outcome);
    return reserve(ctx, self);
}

static tr_err on_place(tr_ctx *ctx, struct order *self, const struct order_place *msg)
{
    self->doc = msg->doc;
    memcpy(self->key, msg->doc->key, sizeof(self->key));
    if (msg->doc->what == DOC_REFUSED)
        return reserve(ctx, self);
    tr_err err = move(ctx, self, CHECKING);
    if (!err)
        tr_send(ctx, self->peers.validation, order_check, .doc = self->doc);
    return err;
}

static void ask_capture(tr_ctx *ctx, struct order *self)
{
    struct payment_capture msg = {.pence = self->doc->amount};
    memcpy(msg.key, self->key, sizeof(msg.key));
    tr_request_value(ctx, self->peers.payment, PAYMENT_PATIENCE_MS, payment_capture, &msg);
}

static tr_err capture(tr_ctx *ctx, struct order *self)
{
    tr_err err = move(ctx, self, PAYING);
    if (!err)
        ask_capture(ctx, self);
    return err;
}

static tr_err ask(tr_ctx *ctx, struct order *self)
{
    if (self->attempts == PAYMENT_INQUIRIES_MAX) /* A person has to find out. */
        return withdraw(ctx, self, STATE_PARKED, REASON_PROVIDER_SILENT, OUTCOME_PARKED);
    tr_err err = move(ctx, self, ASKING);
    if (err)
        return err;
    if (ORDERS_PLANTED(CAPTURED_AGAIN) && self->attempts == 0) {
        self->attempts++;
        ask_capture(ctx, self);
        return TR_OK;
    }
    unsigned doublings = self->attempts < 6 ? self->attempts : 6;
    struct payment_inquire inquire = {.attempt = self->attempts++};
    memcpy(inquire.key, self->key, sizeof(inquire.key));
    tr_request_value(ctx, self->peers.payment, PAYMENT_PATIENCE_MS << doublings, payment_inquire,
                     &inquire);
    return TR_OK;
}

static tr_err on_checked(tr_ctx *ctx, struct order *self, const struct order_checked *msg)
{
    if (msg->doc->state != STATE_FULFILLED || msg->doc->amount == 0)
        return reserve(ctx, self);
    return msg->doc->resumed ? ask(ctx, self) : capture(ctx, self);
}

/* The customer is told. */
static tr_err finish(tr_ctx *ctx, struct order *self)
{
    tr_err err = move(ctx, self, DONE);
    if (err)
        return err;
    if (self->id != 0) {
        struct notice notice = {.id = self->id, .state = self->state};
        memcpy(notice.key, self->key, sizeof(notice.key));
        tr_send_value(ctx, self->peers.notification, notice, &notice);
    }
    tr_stop(ctx, tr_self(ctx));
    return TR_OK;
}

static tr_err finish_refunded(tr_ctx *ctx, struct order *self)
{
    if (!self->peers.gate)
        return post(ctx, self);
    gate_paid_back(self->peers.gate);
    return finish(ctx, self);
}

static tr_err refund(tr_ctx *ctx, struct order *self)
{
    if (ORDERS_PLANTED(REFUND_LOST))
        return finish_refunded(ctx, self);
    if (self->attempts++ == PAYMENT_REFUNDS_MAX)
        return tr_fail(ctx, TR_EPEER, "order %s: %u refunds got no answer", self->key,
                       PAYMENT_REFUNDS_MAX);
    tr_err err = move(ctx, self, REFUNDING);
    if (err)
        return err;
    struct payment_refund msg = {.pence = self->pence};
    memcpy(msg.key, self->key, sizeof(msg.key));
    tr_request_value(ctx, self->peers.payment, PAYMENT_PATIENCE_MS, payment_refund, &msg);
    return TR_OK;
}

static tr_err on_result(tr_ctx *ctx, struct order *self, const struct payment_result *msg)
{
    if (self->step == REFUNDING)
        return msg->answer == PAYMENT_APPROVED ? finish_refunded(ctx, self) : refund(ctx, self);
    if (self->step != PAYING && self->step != ASKING)
        return TR_OK; /* Late or repeated: the order has gone on. */
    if (msg->answer == PAYMENT_SILENT)
        return ask(ctx, self);
    if (msg->answer == PAYMENT_UNKNOWN && self->doc->resumed) {
        self->doc->resumed = false; /* Whoever may have asked is dead, and did not. */
        return capture(ctx, self);
    }
    if (msg->answer != PAYMENT_APPROVED)
        return withdraw(ctx, self, STATE_REJECTED, REASON_DECLINED, OUTCOME_NOT_PAID);
    self->doc->paid = true;
    self->attempts = 0;
    return reserve(ctx, self);
}

static tr_err on_no_answer(tr_ctx *ctx, struct order *self, const struct tr_request_failed *msg)
{
    if (msg->reason != TR_ETIMEDOUT)
        return tr_fail(ctx, msg->reason, "order %s: payment is gone", self->key);
    if (self->step == REFUNDING)
        return refund(ctx, self);
    if (self->step == PAYING || self->step == ASKING)
        return ask(ctx, self);
    return TR_OK;
}

static tr_err on_reserved(tr_ctx *ctx, struct order *self, const struct inventory_reserved *msg)
{
    if (msg->enough || !rules_short(self->doc))
        return post(ctx, self);
    self->pence = self->doc->amount;
    return self->peers.gate ? post(ctx, self) : refund(ctx, self);
}

static tr_err on_posted(tr_ctx *ctx, struct order *self, const struct ledger_posted *msg)
{
    self->doc = NULL; /* The intake uses it again. */
    self->id = msg->id;
    self->state = msg->state;
    bool owes = self->peers.gate && msg->id != 0 && msg->state == STATE_REFUNDED;
    return owes ? refund(ctx, self) : finish(ctx, self);
}

static tr_err on_owes(tr_ctx *ctx, struct order *self, const struct order_owes *msg)
{
    memcpy(self->key, msg->key, sizeof(self->key));
    self->id = msg->id;
    self->state = STATE_REFUNDED;
    self->pence = msg->pence;
    return refund(ctx, self);
}

#define ORDER_HANDLERS(ON)              \
    ON(order_place, on_place)           \
    ON(order_owes, on_owes)             \
    ON(order_checked, on_checked)       \
    ON(payment_result, on_result)       \
    ON(inventory_reserved, on_reserved) \
    ON(ledger_posted, on_posted)        \
    ON(tr_request_failed, on_no_answer)
TR_DISPATCH(order, ORDER_HANDLERS);

const struct tr_actor order_actor = {
    .name = "order",
    .state_size = sizeof(struct order),
    .arg_size = sizeof(struct order_peers),
    .init = order_init,
    .receive = order_receive,
    .accepts = order_accepts,
};
