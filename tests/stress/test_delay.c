/*
 * Actors with small mailboxes that hold their senders back, in random graphs full of circles, on
 * threads and on stepped systems: whatever the schedule, all messages arrive and nobody is left
 * waiting. A system in which some wait for each other is at rest with messages queued.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/atomic.h"
#include "base/prng.h"
#include "troupe/troupe.h"

#define NODES 40u
#define EDGES 3u

struct token {
    uint32_t hops;
};
TR_TYPE(token);

struct graph {
    tr_pid node[NODES];
    uint32_t edge[NODES][EDGES];
    TRI_ATOMIC(uint64_t) handled;
};

struct node_args {
    struct graph *graph;
    uint32_t index;
};

struct node {
    struct node_args args;
};

static tr_err node_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    ((struct node *)state)->args = *(const struct node_args *)arg;
    return TR_OK;
}

/* Two tokens for one, until they have hopped enough: more than the mailboxes hold. */
static tr_err on_token(tr_ctx *ctx, struct node *self, const struct token *msg)
{
    struct graph *graph = self->args.graph;
    tri_fetch_add(&graph->handled, 1u, TRI_RELAXED); /* Read at rest. */
    if (msg->hops == 0)
        return TR_OK;
    const uint32_t *edge = graph->edge[self->args.index];
    tr_send(ctx, graph->node[edge[msg->hops % EDGES]], token, .hops = msg->hops - 1);
    tr_send(ctx, graph->node[edge[(msg->hops + 1) % EDGES]], token, .hops = msg->hops - 1);
    return TR_OK;
}

#define NODE_HANDLERS(ON) ON(token, on_token)
TR_DISPATCH(node, NODE_HANDLERS);
static const struct tr_actor node_actor = {.name = "node",
                                           .state_size = sizeof(struct node),
                                           .arg_size = sizeof(struct node_args),
                                           .init = node_init,
                                           .receive = node_receive,
                                           .accepts = node_accepts};

static uint64_t run(const struct tr_config *config, uint64_t seed, uint32_t nodes, uint32_t hops)
{
    static struct graph graph;
    struct tri_prng prng;
    tr_system *sys;
    tri_prng_seed(&prng, seed);
    tri_store(&graph.handled, 0u, TRI_RELAXED);
    assert_int_equal(tr_system_create(&sys, config), TR_OK);
    tr_ctx *root = tr_root(sys);
    for (uint32_t i = 0; i < nodes; i++) {
        for (uint32_t e = 0; e < EDGES; e++)
            graph.edge[i][e] = (uint32_t)tri_prng_below(&prng, nodes);
        struct node_args args = {&graph, i};
        graph.node[i] = tr_spawn(root, &node_actor, .arg = &args, .overflow = TR_DELAY,
                                 .mailbox_max = 1 + (unsigned)tri_prng_below(&prng, 6));
        assert_int_equal(tr_pid_err(graph.node[i]), TR_OK);
    }
    for (uint32_t i = 0; i < nodes; i++)
        tr_send(root, graph.node[i], token, .hops = hops);
    if (config->manual) {
        while (tr_system_step(sys, 1 + (size_t)tri_prng_below(&prng, 9)) > 0) {
        }
    }
    tr_system_run(sys);
    struct tr_stats stats;
    tr_system_stats(sys, &stats);
    struct tr_accounts accounts;
    tr_system_accounts(sys, &accounts);
    assert_int_equal(accounts.queued, 0);
    assert_true(tr_accounts_balance(&accounts));
    assert_int_equal(tri_load(&graph.handled, TRI_RELAXED),
                     (uint64_t)nodes * (((uint64_t)2 << hops) - 1));
    assert_int_equal(tr_system_stop(sys, 10000), TR_OK);
    tr_system_destroy(sys);
    return stats.delays;
}

static void stepped_random_graphs(void **state)
{
    (void)state;
    uint64_t delays = 0;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct tr_config config = {.manual = true, .seed = seed, .log = tr_log_none};
        delays += run(&config, seed, 2 + (uint32_t)(seed % (NODES - 2)), 6);
    }
    assert_true(delays > 10000);
}

static void threaded_random_graphs(void **state)
{
    (void)state;
    uint64_t delays = 0;
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct tr_config config = {.workers = 1 + (unsigned)(seed % 4), .log = tr_log_none};
        delays += run(&config, seed, 2 + (uint32_t)(seed % (NODES - 2)), 9);
    }
    assert_true(delays > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stepped_random_graphs),
        cmocka_unit_test(threaded_random_graphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
