/*
 * 11_routes_remote.c - a node through which others reach what they cannot reach themselves.
 *
 * The visitor knows the porter's node alone. The porter has a route to the office, and knows none
 * of the messages that go through.
 */
#include "troupe/node.h"
#include "troupe/troupe.h"

#include "11_routes_remote.troupe.h"

#include <stdio.h>

static tr_err on_ask(tr_ctx *ctx, void *self, const struct routes_desk_ask *msg)
{
    (void)self;
    printf("desk: %s\n", msg->question);
    tr_reply(ctx, routes_desk_answer, .text = "half past nine");
    return TR_OK;
}

static tr_err desk_receive(tr_ctx *ctx, void *self, const tr_msg *msg)
{
    const struct routes_desk_ask *ask = tr_as(msg, routes_desk_ask);
    return ask ? on_ask(ctx, self, ask) : tr_unhandled(ctx);
}
static const struct tr_actor desk_actor = {.name = "desk", .receive = desk_receive};

static tr_node *start(const struct tr_remote_route *routes, const struct tr_type *const *types)
{
    struct tr_node_config config = {.remote = {.routes = routes, .types = types}};
    struct tr_error error = {0};
    tr_node *node = NULL;
    if (tr_node_start(&node, &config, &error))
        fprintf(stderr, "%s\n", error.text);
    return node;
}

/* Asks the desk by the name that it has at the porter's node. */
static tr_err visit(tr_node *home, tr_node *porter)
{
    char name[300];
    struct routes_desk_answer answer;
    tr_ctx *ctx = tr_node_ctx(home);
    snprintf(name, sizeof name, "office/desk@%s", tr_remote_address(tr_node_remote(porter)));
    tr_err err = tr_ask(ctx, tr_lookup(ctx, name), TR_INTO(routes_desk_answer, &answer), 10000,
                        routes_desk_ask, .question = "When do you open?");
    if (err)
        fprintf(stderr, "%s: %s\n", name, tr_strerror(err));
    else
        printf("visitor: %s\n", answer.text);
    return err;
}

int main(void)
{
    static const struct tr_type *const types[] = {&routes_desk_ask_type, &routes_desk_answer_type,
                                                  NULL};
    tr_node *office = start(NULL, types);
    if (!office)
        return 1;
    tr_pid desk = tr_spawn(tr_node_ctx(office), &desk_actor, .name = "desk");

    const struct tr_remote_route routes[] = {
        {.name = "office/", .to = tr_remote_address(tr_node_remote(office))}, {.name = NULL}};
    tr_node *porter = start(routes, NULL);
    tr_node *home = start(NULL, types);

    tr_err err = tr_pid_err(desk);
    if (porter && home && !err)
        err = visit(home, porter);
    tr_node_destroy(home);
    tr_node_destroy(porter);
    tr_node_destroy(office);
    return err || !porter || !home;
}
