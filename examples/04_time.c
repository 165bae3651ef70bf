/* Timers, silence, watching, and an end that loses nothing. */
#include "troupe/troupe.h"

#include <stdio.h>

/* ---- A lamp that blinks three times and goes out after a silence --------- */

struct blink {
    char none;
};
TR_TYPE(blink);

struct lamp {
    tr_timer timer;
    unsigned blinks;
};

static tr_err lamp_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct lamp *self = state;
    (void)arg;
    self->timer = tr_every(ctx, 10, blink);
    return TR_OK;
}

static tr_err on_blink(tr_ctx *ctx, struct lamp *self, const struct blink *msg)
{
    (void)msg;
    printf("lamp: blink %u\n", ++self->blinks);
    if (self->blinks == 3) {
        tr_cancel(ctx, self->timer);
        return tr_receive_timeout(ctx, 20);
    }
    return TR_OK;
}

static tr_err on_idle(tr_ctx *ctx, struct lamp *self, const struct tr_idle *msg)
{
    (void)self;
    printf("lamp: nothing for %u ms, going out\n", msg->after_ms);
    tr_stop(ctx, tr_self(ctx));
    return TR_OK;
}

#define LAMP_HANDLERS(ON) \
    ON(blink, on_blink)   \
    ON(tr_idle, on_idle)
TR_DISPATCH(lamp, LAMP_HANDLERS);
static const struct tr_actor lamp_actor = {.name = "lamp",
                                           .state_size = sizeof(struct lamp),
                                           .init = lamp_init,
                                           .receive = lamp_receive,
                                           .accepts = lamp_accepts};

/* ---- Its owner, who tells an outside thread when it is dark -------------- */

struct await_dark {
    tr_pid lamp;
};
struct dark {
    char none;
};
TR_TYPE(await_dark);
TR_TYPE(dark);

struct owner {
    tr_caller waiting;
};

static tr_err on_await(tr_ctx *ctx, struct owner *self, const struct await_dark *msg)
{
    self->waiting = tr_caller_of(ctx);
    tr_watch(ctx, msg->lamp); /* a lamp that is out already is reported as well */
    return TR_OK;
}

static tr_err on_down(tr_ctx *ctx, struct owner *self, const struct tr_down *msg)
{
    (void)msg;
    tr_reply_to(ctx, self->waiting, dark);
    return TR_OK;
}

#define OWNER_HANDLERS(ON)   \
    ON(await_dark, on_await) \
    ON(tr_down, on_down)
TR_DISPATCH(owner, OWNER_HANDLERS);
static const struct tr_actor owner_actor = {.name = "owner",
                                            .state_size = sizeof(struct owner),
                                            .receive = owner_receive,
                                            .accepts = owner_accepts};

/* ---- A clerk with a full in-tray when the system stops ------------------- */

struct job {
    uint32_t number;
};
TR_TYPE(job);

struct clerk {
    uint32_t done;
};

static tr_err on_job(tr_ctx *ctx, struct clerk *self, const struct job *msg)
{
    (void)ctx;
    (void)msg;
    self->done++;
    return TR_OK;
}

static void clerk_stop(tr_ctx *ctx, void *state)
{
    (void)ctx;
    printf("clerk: %" PRIu32 " jobs done, going home\n", ((struct clerk *)state)->done);
}

#define CLERK_HANDLERS(ON) ON(job, on_job)
TR_DISPATCH(clerk, CLERK_HANDLERS);
static const struct tr_actor clerk_actor = {.name = "clerk",
                                            .state_size = sizeof(struct clerk),
                                            .receive = clerk_receive,
                                            .accepts = clerk_accepts,
                                            .stop = clerk_stop};

int main(void)
{
    tr_system *sys;
    if (tr_system_create(&sys, NULL))
        return 1;
    tr_ctx *root = tr_root(sys);
    tr_pid owner = tr_spawn(root, &owner_actor);
    tr_pid lamp = tr_spawn(root, &lamp_actor);
    struct dark dark;
    tr_err err = tr_ask(root, owner, TR_INTO(dark, &dark), 10000, await_dark, .lamp = lamp);
    printf("main: dark: %s\n", tr_strerror(err));

    tr_pid clerk = tr_spawn(root, &clerk_actor);
    for (uint32_t i = 0; i < 100000; i++)
        tr_send(root, clerk, job, .number = i);
    tr_err stopped = tr_system_stop(sys, 10000); /* works off what is queued */
    printf("main: stopped: %s\n", tr_strerror(stopped));

    struct tr_accounts accounts;
    tr_system_accounts(sys, &accounts);
    bool right = !err && !stopped && tr_accounts_balance(&accounts);
    tr_system_destroy(sys);
    return right ? 0 : 1;
}
