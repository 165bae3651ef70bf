/*
 * notification.c - tells customers. The orders in the database are its outbox: it remembers up
 * to which one everything was delivered, and after a crash goes on from there. A notice may
 * come twice, never not at all; who receives it knows it by the order's number.
 */
#include "actors.h"

#include <stdlib.h>

#define REPORT_EVERY 1024 /* positions between two reports to the ledger */

struct notification {
    struct notification_args args;
    int64_t position; /* all up to here are delivered */
    int64_t reported;
    uint64_t delivered;
    uint8_t *done; /* ring: which of those after position are delivered */
    int64_t room;  /* a power of two */
};

static tr_err notification_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct notification *self = state;
    self->args = *(const struct notification_args *)arg;
    self->position = self->reported = self->args.position;
    self->room = 4096;
    self->done = calloc((size_t)self->room, 1);
    return self->done ? TR_OK : tr_fail(ctx, TR_ENOMEM, "no memory for %d notices", 4096);
}

static void notification_stop(tr_ctx *ctx, void *state)
{
    struct notification *self = state;
    (void)ctx;
    free(self->done);
}

static bool grow(struct notification *self, int64_t id)
{
    int64_t room = self->room;
    while (id - self->position >= room)
        room *= 2;
    if (room == self->room)
        return true;
    uint8_t *done = calloc((size_t)room, 1);
    if (!done)
        return false;
    for (int64_t i = self->position + 1; i < self->position + self->room; i++)
        done[i & (room - 1)] = self->done[i & (self->room - 1)];
    free(self->done);
    self->done = done;
    self->room = room;
    return true;
}

static tr_err on_notice(tr_ctx *ctx, struct notification *self, const struct notice *msg)
{
    if (msg->id <= self->position)
        return TR_OK; /* Known already. */
    if (!grow(self, msg->id))
        return tr_fail(ctx, TR_ENOMEM, "no memory for the notice of order %s", msg->key);
    uint8_t *done = &self->done[msg->id & (self->room - 1)];
    if (*done)
        return TR_OK;
    if (self->args.deliver && !self->args.deliver(self->args.user, msg))
        return tr_fail(ctx, TR_EIO, "the notice of order %s cannot be written", msg->key);
    *done = 1;
    self->delivered++;
    for (; (done = &self->done[(self->position + 1) & (self->room - 1)]), *done; self->position++)
        *done = 0;
    if (self->position - self->reported >= REPORT_EVERY) {
        self->reported = self->position;
        tr_send(ctx, self->args.ledger, ledger_noticed, .position = self->position);
    }
    return TR_OK;
}

static tr_err on_question(tr_ctx *ctx, struct notification *self, const struct notice_question *msg)
{
    (void)msg;
    tr_reply(ctx, notice_position, .position = self->position, .delivered = self->delivered);
    return TR_OK;
}

#define NOTIFICATION_HANDLERS(ON) \
    ON(notice, on_notice)         \
    ON(notice_question, on_question)
TR_DISPATCH(notification, NOTIFICATION_HANDLERS);

const struct tr_actor notification_actor = {
    .name = "notification",
    .state_size = sizeof(struct notification),
    .arg_size = sizeof(struct notification_args),
    .init = notification_init,
    .receive = notification_receive,
    .stop = notification_stop,
    .accepts = notification_accepts,
};
