/* guard.c - see guard.h. */
#include "guard.h"

#include <stdio.h>

struct guard {
    struct gate *gate;
};

static tr_err guard_init(tr_ctx *ctx, void *state, const void *arg)
{
    ((struct guard *)state)->gate = ((const struct guard_args *)arg)->gate;
    return tr_subscribe(ctx, tr_actor_failed);
}

static tr_err on_failed(tr_ctx *ctx, struct guard *self, const struct tr_actor_failed *msg)
{
    char why[384];
    (void)ctx;
    if (msg->directive == TR_RESTART)
        return TR_OK;
    snprintf(why, sizeof(why), "actor '%s' failed: %s (run again: it resumes)",
             msg->actor ? msg->actor->name : "?", msg->text);
    gate_fail(self->gate, why);
    return TR_OK;
}

#define GUARD_HANDLERS(ON) ON(tr_actor_failed, on_failed)
TR_DISPATCH(guard, GUARD_HANDLERS);

const struct tr_actor guard_actor = {
    .name = "guard",
    .state_size = sizeof(struct guard),
    .arg_size = sizeof(struct guard_args),
    .init = guard_init,
    .receive = guard_receive,
    .accepts = guard_accepts,
};
