/*
 * 12_contained.c - an actor whose bug ends the actor, not the process.
 *
 * The changer has a rate while it is open. Nobody thought of customers who come later. It is
 * contained: the fault is its failure, its supervisor restarts it, and everybody else goes on.
 */
#include "troupe/troupe.h"

#include <stdio.h>
#include <string.h>

struct rate {
    int64_t permille;
};
struct exchange {
    int64_t cents;
};
struct changed {
    int64_t cents;
    uint32_t customers; /* since the changer has begun */
};
struct close_up {
    char none;
};
TR_TYPE(exchange);
TR_TYPE(changed);
TR_TYPE(close_up);

struct changer {
    const struct rate *rate;
    uint32_t customers;
};

static tr_err changer_init(tr_ctx *ctx, void *state, const void *arg)
{
    static const struct rate today = {920};
    struct changer *self = state;
    (void)ctx;
    (void)arg;
    self->rate = &today;
    return TR_OK;
}

static tr_err on_exchange(tr_ctx *ctx, struct changer *self, const struct exchange *msg)
{
    self->customers++;
    tr_reply(ctx, changed, .cents = msg->cents * self->rate->permille / 1000,
             .customers = self->customers);
    return TR_OK;
}

static tr_err on_close_up(tr_ctx *ctx, struct changer *self, const struct close_up *msg)
{
    (void)ctx;
    (void)msg;
    self->rate = NULL; /* on_exchange() does not expect that. */
    return TR_OK;
}

#define CHANGER_HANDLERS(ON)  \
    ON(exchange, on_exchange) \
    ON(close_up, on_close_up)
TR_DISPATCH(changer, CHANGER_HANDLERS);
static const struct tr_actor changer_actor = {.name = "changer",
                                              .state_size = sizeof(struct changer),
                                              .init = changer_init,
                                              .receive = changer_receive,
                                              .accepts = changer_accepts,
                                              .flags = TR_ACTOR_CONTAINED};

struct guard {
    char none;
};

static tr_err guard_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)state;
    (void)arg;
    return tr_subscribe(ctx, tr_actor_failed);
}

static tr_err on_failed(tr_ctx *ctx, struct guard *self, const struct tr_actor_failed *msg)
{
    (void)ctx;
    (void)self;
    bool named = strstr(msg->text, "SIGSEGV") && strstr(msg->text, "in receive");
    printf("%s failed: %s; %s; the text names %s\n", msg->actor->name, tr_strerror(msg->code),
           msg->directive == TR_RESTART ? "restarted" : "not restarted",
           named ? "signal and function" : msg->text);
    return TR_OK;
}

#define GUARD_HANDLERS(ON) ON(tr_actor_failed, on_failed)
TR_DISPATCH(guard, GUARD_HANDLERS);
static const struct tr_actor guard_actor = {.name = "guard",
                                            .state_size = sizeof(struct guard),
                                            .init = guard_init,
                                            .receive = guard_receive,
                                            .accepts = guard_accepts};

static bool change(tr_ctx *root, tr_pid changer, int64_t cents)
{
    struct changed answer = {0};
    tr_err err = tr_ask(root, changer, TR_INTO(changed, &answer), 5000, exchange, .cents = cents);
    if (err) {
        printf("no answer: %s\n", tr_strerror(err));
        return false;
    }
    printf("%" PRId64 " cents for customer %u\n", answer.cents, answer.customers);
    return answer.cents == cents * 920 / 1000;
}

int main(void)
{
    tr_system *sys;
    if (tr_system_create(&sys, &(struct tr_config){.workers = 1, .log = tr_log_none}))
        return 1;
    tr_ctx *root = tr_root(sys);
    tr_pid guard = tr_spawn(root, &guard_actor);
    tr_pid changer = tr_spawn(root, &changer_actor);
    if (tr_pid_is_nobody(guard) || tr_pid_is_nobody(changer))
        return 1;

    bool good = change(root, changer, 1000) && change(root, changer, 50);
    tr_send(root, changer, close_up);
    tr_send(root, changer, exchange, .cents = 3);
    tr_system_run(sys);
    good = change(root, changer, 200) && good; /* The same PID, a new state. */

    struct tr_accounts accounts;
    good = !tr_system_stop(sys, 1000) && good;
    tr_system_accounts(sys, &accounts);
    good = good && tr_accounts_balance(&accounts);
    tr_system_destroy(sys);
    return !good;
}
