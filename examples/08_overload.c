/*
 * 08_overload.c - a mailbox with a bound, and a policy for each kind of message.
 *
 * A display shows the newest readings and lets old ones go. Alarms are kept: who sends too many is
 * held back. The bound holds for both together.
 */
#include "troupe/troupe.h"

#include <stdio.h>

struct reading {
    int celsius;
};
struct alarm {
    int code;
};
TR_TYPE(reading);
TR_TYPE_FLAGS(alarm, TR_TYPE_DURABLE);

struct display {
    int readings, alarms, last;
};

static tr_err on_reading(tr_ctx *ctx, struct display *self, const struct reading *msg)
{
    (void)ctx;
    self->readings++;
    self->last = msg->celsius;
    return TR_OK;
}

static tr_err on_alarm(tr_ctx *ctx, struct display *self, const struct alarm *msg)
{
    (void)ctx;
    self->alarms += msg->code > 0;
    return TR_OK;
}

static void display_stop(tr_ctx *ctx, void *state)
{
    const struct display *self = state;
    (void)ctx;
    printf("%d readings, the last %d; %d alarms\n", self->readings, self->last, self->alarms);
}

#define DISPLAY_HANDLERS(ON) ON(reading, on_reading) ON(alarm, on_alarm)
TR_DISPATCH(display, DISPLAY_HANDLERS);
static const struct tr_actor display_actor = {.name = "display",
                                              .state_size = sizeof(struct display),
                                              .receive = display_receive,
                                              .stop = display_stop,
                                              .accepts = display_accepts};

static const struct tr_overflow_rule display_rules[] = {
    {&reading_type, TR_DROP_OLDEST}, {&alarm_type, TR_DELAY}, {NULL, TR_REFUSE}};

int main(void)
{
    tr_system *sys;
    struct tr_error why;
    if (tr_system_create(&sys, &(struct tr_config){.manual = true}))
        return 1;
    tr_ctx *root = tr_root(sys);

    /* Alarms are durable: without the rules this is refused. */
    tr_pid wrong = tr_spawn(root, &display_actor, .mailbox_max = 8, .overflow = TR_DROP_OLDEST,
                            .error = &why);
    if (tr_pid_is_nobody(wrong))
        printf("%s\n", why.text);

    tr_pid display = tr_spawn(root, &display_actor, .mailbox_max = 8,
                              .overflow_rules = display_rules);
    for (int i = 1; i <= 100; i++)
        tr_send(root, display, reading, .celsius = i);
    for (int i = 1; i <= 3; i++)
        tr_send(root, display, alarm, .code = i);
    if (tr_try_send(root, display, reading, .celsius = 101) == TR_EFULL)
        printf("the display is busy: we could slow down\n");
    tr_system_run(sys);

    struct tr_accounts accounts;
    tr_system_accounts(sys, &accounts);
    printf("%" PRIu64 " sent, %" PRIu64 " handled, %" PRIu64 " dropped\n", accounts.accepted,
           accounts.processed, accounts.dropped);
    bool good = tr_accounts_balance(&accounts) && accounts.dropped == 92;
    (void)tr_system_stop(sys, 1000);
    tr_system_destroy(sys);
    return !good;
}
