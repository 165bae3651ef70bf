/*
 * 10_remote.c - two nodes: an actor of one asks, watches and ends an actor of the other.
 *
 * Both run in this process here; they talk over the network all the same.
 */
#include "troupe/node.h"
#include "troupe/troupe.h"

#include "10_remote.troupe.h"

#include <stdio.h>

/* ---- The node that is asked --------------------------------------------- */

struct desk {
    int asked;
};

static tr_err on_ask(tr_ctx *ctx, struct desk *self, const struct desk_ask *msg)
{
    printf("desk: %s\n", msg->question);
    self->asked++;
    tr_reply(ctx, desk_answer, .text = "half past nine");
    return TR_OK;
}

#define DESK_HANDLERS(ON) ON(desk_ask, on_ask)
TR_DISPATCH(desk, DESK_HANDLERS);
static const struct tr_actor desk_actor = {
    .name = "desk", .state_size = sizeof(struct desk), .receive = desk_receive};

/* ---- The node that asks -------------------------------------------------- */

struct visitor {
    tr_node *node;
    char desk[300]; /* "name@host:port" */
};

static tr_err visitor_init(tr_ctx *ctx, void *state, const void *arg)
{
    struct visitor *self = state;
    memcpy(self, arg, sizeof *self);
    tr_pid desk = tr_lookup(ctx, self->desk); /* Does not wait for the other node. */
    if (tr_pid_is_nobody(desk))
        return tr_fail(ctx, tr_pid_err(desk), "cannot look up %s", self->desk);
    tr_watch(ctx, desk);
    (void)tr_request(ctx, desk, 5000, desk_ask, .question = "When do you open?");
    return TR_OK;
}

static tr_err on_answer(tr_ctx *ctx, struct visitor *self, const struct desk_answer *msg)
{
    (void)self;
    printf("visitor: %s\n", msg->text);
    tr_stop(ctx, tr_sender(ctx));
    return TR_OK;
}

static tr_err on_failed(tr_ctx *ctx, struct visitor *self, const struct tr_request_failed *msg)
{
    (void)ctx;
    printf("visitor: no answer: %s\n", tr_strerror(msg->reason));
    tr_node_quit(self->node);
    return TR_OK;
}

static tr_err on_down(tr_ctx *ctx, struct visitor *self, const struct tr_down *msg)
{
    (void)ctx;
    printf("visitor: the desk has closed: %s\n", tr_strerror(msg->reason));
    tr_node_quit(self->node);
    return TR_OK;
}

#define VISITOR_HANDLERS(ON) \
    ON(desk_answer, on_answer) ON(tr_request_failed, on_failed) ON(tr_down, on_down)
TR_DISPATCH(visitor, VISITOR_HANDLERS);
static const struct tr_actor visitor_actor = {.name = "visitor",
                                              .state_size = sizeof(struct visitor),
                                              .arg_size = sizeof(struct visitor),
                                              .init = visitor_init,
                                              .receive = visitor_receive};

/* ---- Both ----------------------------------------------------------------- */

static tr_node *start(void)
{
    static const struct tr_type *const types[] = {&desk_ask_type, &desk_answer_type, NULL};
    struct tr_node_config config = {.remote = {.types = types}};
    struct tr_error error = {0};
    tr_node *node = NULL;
    if (tr_node_configure(&config, "listen", "127.0.0.1:0", &error) ||
        tr_node_start(&node, &config, &error))
        fprintf(stderr, "%s\n", error.text);
    return node;
}

int main(void)
{
    tr_node *office = start();
    tr_node *home = start();
    struct visitor arg = {.node = home};
    if (!office || !home)
        return 1;
    snprintf(arg.desk, sizeof arg.desk, "desk@%s", tr_remote_address(tr_node_remote(office)));
    tr_pid desk = tr_spawn(tr_node_ctx(office), &desk_actor, .name = "desk");
    tr_pid visitor = tr_spawn(tr_node_ctx(home), &visitor_actor, .arg = &arg);
    if (tr_pid_is_nobody(desk) || tr_pid_is_nobody(visitor))
        return 1;
    tr_err err = tr_node_run(home);
    tr_err stopped = tr_node_stop(home);
    tr_node_destroy(home);
    tr_node_destroy(office);
    return err || stopped;
}
