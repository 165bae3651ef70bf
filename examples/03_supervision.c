/* Failure: who fails, who decides, what is kept, and when it is enough. */
#include "troupe/troupe.h"

#include <stdio.h>

struct scan {
    int code;
};
TR_TYPE(scan);

/* ---- The cashier, who fails ---------------------------------------------- */

struct cashier {
    unsigned scanned;
};

static tr_err cashier_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    (void)state;
    (void)arg;
    printf("cashier: ready\n");
    return TR_OK;
}

static tr_err on_scan(tr_ctx *ctx, struct cashier *self, const struct scan *msg)
{
    if (msg->code < 0)
        return tr_fail(ctx, TR_EINVAL, "code is %d, want >= 0", msg->code);
    if (msg->code == 999)
        return tr_fail(ctx, TR_EUSER, "the drawer is jammed");
    self->scanned++;
    printf("cashier: code %d, %u so far\n", msg->code, self->scanned);
    return TR_OK;
}

#define CASHIER_HANDLERS(ON) ON(scan, on_scan)
TR_DISPATCH(cashier, CASHIER_HANDLERS);
static const struct tr_actor cashier_actor = {.name = "cashier",
                                              .state_size = sizeof(struct cashier),
                                              .init = cashier_init,
                                              .receive = cashier_receive,
                                              .accepts = cashier_accepts};

/* A wrong code is the customer's mistake: carry on. Anything else: start afresh. */
static enum tr_directive decide(tr_err code)
{
    return code == TR_EINVAL ? TR_RESUME : TR_RESTART;
}

static const struct tr_supervision cashier_care = {
    .decide = decide, .restarts_max = 1, .within_ms = 60000, .over_budget = TR_STOP};

/* ---- The shop, its parent ------------------------------------------------ */

struct shop {
    tr_pid cashier;
};

static tr_err shop_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct shop *self = state;
    (void)arg;
    self->cashier = tr_spawn(ctx, &cashier_actor, .name = "cashier", .supervise = &cashier_care);
    if (tr_pid_is_nobody(self->cashier))
        return tr_fail(ctx, tr_pid_err(self->cashier), "no cashier");
    tr_watch(ctx, self->cashier);
    return tr_subscribe(ctx, tr_actor_failed);
}

static tr_err on_failed(tr_ctx *ctx, struct shop *self, const struct tr_actor_failed *msg)
{
    (void)ctx;
    (void)self;
    static const char *const said[] = {[TR_RESTART] = "restart",
                                       [TR_STOP] = "stop",
                                       [TR_ESCALATE] = "escalate",
                                       [TR_RESUME] = "resume"};
    printf("shop: %s failed: %s; %s\n", msg->actor->name, msg->text, said[msg->directive]);
    return TR_OK;
}

static tr_err on_down(tr_ctx *ctx, struct shop *self, const struct tr_down *msg)
{
    (void)ctx;
    printf("shop: the %s has ended: %s\n",
           tr_pid_equal(msg->who, self->cashier) ? "cashier" : "stranger",
           tr_strerror(msg->reason));
    return TR_OK;
}

#define SHOP_HANDLERS(ON)          \
    ON(tr_actor_failed, on_failed) \
    ON(tr_down, on_down)
TR_DISPATCH(shop, SHOP_HANDLERS);
static const struct tr_actor shop_actor = {.name = "shop",
                                           .state_size = sizeof(struct shop),
                                           .init = shop_init,
                                           .receive = shop_receive,
                                           .accepts = shop_accepts};

int main(void)
{
    tr_system *sys;
    if (tr_system_create(&sys, &(struct tr_config){.workers = 1, .log = tr_log_none}))
        return 1;
    tr_ctx *root = tr_root(sys);
    if (tr_pid_is_nobody(tr_spawn(root, &shop_actor, .name = "shop")))
        return 1;
    tr_system_run(sys); /* until the cashier has entered the registry */

    static const int codes[] = {4, 5, 999, 6, -1, 7, 999, 8};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        tr_send(root, tr_lookup(root, "cashier"), scan, .code = codes[i]);
        tr_system_run(sys); /* so that the lines below come in one order */
    }
    bool gone = tr_pid_is_nobody(tr_lookup(root, "cashier"));
    tr_err err = tr_system_stop(sys, 1000);
    tr_system_destroy(sys);
    return gone && !err ? 0 : 1;
}
