/* sim.c - how many simulated messages a second and core: a ring of 100 actors, 10 messages on it,
 * any of which may go on next; as tests run, with a trace, and without. */
#include "sim/sim.h"
#include "os/clock.h"

#include <stdio.h>

#define ACTORS 100
#define HOPS 200000u

struct hop {
    uint32_t left;
};
struct next {
    tr_pid pid;
};
TR_TYPE(hop);
TR_TYPE(next);

struct place {
    tr_pid next;
};

static tr_err on_hop(tr_ctx *ctx, struct place *self, const struct hop *msg)
{
    if (msg->left > 0)
        tr_send(ctx, self->next, hop, .left = msg->left - 1);
    return TR_OK;
}

static tr_err on_next(tr_ctx *ctx, struct place *self, const struct next *msg)
{
    (void)ctx;
    self->next = msg->pid;
    return TR_OK;
}

#define PLACE_HANDLERS(ON) ON(hop, on_hop) ON(next, on_next)
TR_DISPATCH(place, PLACE_HANDLERS);
static const struct tr_actor place_actor = {
    .name = "place", .state_size = sizeof(struct place), .receive = place_receive};

/* A trace that reaches its bound costs nothing any more: fewer hops then. */
static int measure(bool trace, uint32_t hops)
{
    struct tri_sim *sim = tri_sim_create(&(struct tri_sim_options){.seed = 1, .trace = trace});
    tr_pid ring[ACTORS];
    if (!sim)
        return 1;
    tr_ctx *ctx = tr_root(sim->sys);
    for (int i = 0; i < ACTORS; i++)
        ring[i] = tr_spawn(ctx, &place_actor);
    for (int i = 0; i < ACTORS; i++)
        tr_send(ctx, ring[i], next, .pid = ring[(i + 1) % ACTORS]);
    tri_sim_settle(sim);
    for (int round = 0; round < 5; round++) {
        uint64_t began = tri_clock_mono_ns(), before = sim->messages;
        for (int i = 0; i < 10; i++)
            tr_send(ctx, ring[i * (ACTORS / 10)], hop, .left = hops);
        tri_sim_settle(sim);
        double ns = (double)(tri_clock_mono_ns() - began);
        printf("%.2f million simulated messages a second, %s trace\n",
               (double)(sim->messages - before) / ns * 1e3, trace ? "with" : "without");
    }
    tri_sim_finish(sim, NULL);
    tri_sim_destroy(sim);
    return 0;
}

int main(void)
{
    return measure(false, HOPS) || measure(true, HOPS / 10);
}
