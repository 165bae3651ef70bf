#include "sim/nodes/net.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/worker.h"
#include "sim/nodes/wire.h"

#include <stdio.h>
#include <string.h>

#define START_NS UINT64_C(1000000000)
#define DELAY_US_DEFAULT 1000u
#define MILLION 1000000

/* ---- Time ------------------------------------------------------------------- */

/* START plus what has passed, at the node's pace, plus what it is ahead. */
uint64_t net_node_time(const struct net_node *node, uint64_t now_ns)
{
    int64_t passed = (int64_t)(now_ns - START_NS);
    int64_t drift = passed / MILLION * node->fast_ppm + passed % MILLION * node->fast_ppm / MILLION;
    return START_NS + (uint64_t)(passed + drift + node->ahead_ns);
}

uint64_t net_node_until(const struct net_node *node, uint64_t time_ns)
{
    int64_t wanted = (int64_t)(time_ns - START_NS) - node->ahead_ns;
    if (wanted <= 0)
        return START_NS;
    uint64_t now = START_NS + (uint64_t)(wanted - wanted / MILLION * node->fast_ppm);
    /* The drift of the drift is a millionth of a millionth: a few steps get there. */
    while (net_node_time(node, now) < time_ns)
        now += 1 + (time_ns - net_node_time(node, now)) / 2;
    return now;
}

uint64_t net_delay_ns(struct tri_net *net)
{
    unsigned most = net->faults.delay_us_max ? net->faults.delay_us_max : DELAY_US_DEFAULT;
    return (uint64_t)(1 + tri_net_chance(net, most)) * 1000;
}

uint64_t tri_net_now_ns(const struct tri_net *net)
{
    return net->now_ns;
}

uint32_t tri_net_chance(struct tri_net *net, uint32_t bound)
{
    return (uint32_t)tri_prng_below(&net->chance, bound);
}

void net_note(struct tri_net *net, const char *fmt, ...)
{
    va_list args;
    if (!net->trace)
        return;
    va_start(args, fmt);
    tri_text_line(&net->text, (net->now_ns - START_NS) / 1000, fmt, args);
    va_end(args);
}

/* ---- Nodes -------------------------------------------------------------------- */

struct tri_net *tri_net_create(uint64_t seed, bool trace)
{
    struct tri_net *net = tri_calloc(1, sizeof *net);
    if (!net)
        return NULL;
    net->seed = seed;
    net->now_ns = START_NS;
    net->trace = trace;
    net->digest = UINT64_C(0xCBF29CE484222325);
    tri_prng_seed(&net->chance, seed ^ UINT64_C(0xA0761D6478BD642F));
    return net;
}

void tri_net_faults(struct tri_net *net, const struct tri_net_faults *faults)
{
    net->faults = *faults;
}

unsigned tri_net_add(struct tri_net *net, const struct tr_remote_config *config)
{
    TRI_ASSERT(net->node_count < TRI_NET_NODES_MAX);
    struct net_node *node = &net->nodes[net->node_count];
    node->net = net;
    node->number = net->node_count;
    node->config = config;
    snprintf(node->address, sizeof node->address, "node-%u:1", node->number);
    net_wire_init(node);
    return net->node_count++;
}

const char *tri_net_address(const struct tri_net *net, unsigned node)
{
    return net->nodes[node].address;
}

/* One thing that the node's own thread would do; false: there is nothing to do now. */
static bool node_work(struct net_node *node, bool wire_first)
{
    node->sim->now_ns = net_node_time(node, node->net->now_ns);
    if (wire_first && net_wire_work(node))
        return true;
    if (tr_system_step(node->sim->sys, 1) > 0 || !tri_system_at_rest(node->sim->sys))
        return true;
    return !wire_first && net_wire_work(node);
}

/* While the remote of one node waits to be able to leave: all go on, for a while. */
static void on_wait(struct tr_remote *remote)
{
    struct net_node *node = remote->io_group;
    if (!node_work(node, true))
        (void)tri_net_step(node->net, node->net->now_ns + START_NS);
}

static void abandon(struct net_node *node)
{
    for (struct pipe *pipe = node->net->pipes; pipe; pipe = pipe->next)
        net_pipe_abandon(node->net, pipe, node->number);
}

/* As destroying an I/O thread does it: every stream is told, then the thread ends. */
static void on_stop(struct tr_remote *remote)
{
    struct net_node *node = remote->io_group;
    node->dying = true;
    abandon(node);
    tri_remote_io_ends(remote, 0);
    node->timer_count = 0; /* They end with the thread. */
    node->jobs = NULL;
    node->jobs_end = &node->jobs;
}

tr_err tri_net_boot(struct tri_net *net, unsigned number)
{
    struct net_node *node = &net->nodes[number];
    struct tr_remote *remote;
    TRI_ASSERT(!node->remote && !node->sim);
    const struct tri_sim_options options = {.seed = net->seed * 31 + ++net->boots};
    node->sim = tri_sim_create(&options);
    if (!node->sim)
        return TR_ENOMEM;
    node->sim->now_ns = net_node_time(node, net->now_ns);
    node->dying = false;
    net_wire_init(node);
    tr_err err = tri_remote_create(node->sim->sys, node->config, &remote, NULL);
    if (err)
        return err;
    remote->io_count = 1;
    remote->io_group = node;
    remote->io_stop = on_stop;
    remote->io_wait = on_wait;
    err = tri_remote_set_address(remote, node->address);
    if (err)
        return err;
    tri_remote_io_begins(remote, 0, &node->wire);
    node->remote = remote;
    net_note(net, "%s boots", node->address);
    return TR_OK;
}

bool tri_net_up(const struct tri_net *net, unsigned node)
{
    return net->nodes[node].remote != NULL;
}

tr_system *tri_net_system(struct tri_net *net, unsigned node)
{
    return net->nodes[node].sim->sys;
}

tr_remote *tri_net_remote(struct tri_net *net, unsigned node)
{
    return net->nodes[node].remote;
}

static void forget(struct net_node *node)
{
    node->remote = NULL;
    tri_sim_destroy(node->sim);
    node->sim = NULL;
    tri_free(node->timers);
    node->timers = NULL;
    node->timer_count = node->timer_capacity = 0;
    node->jobs = NULL;
    node->jobs_end = &node->jobs;
    node->stalled_until_ns = 0;
    net_pipes_sweep(node->net, false);
}

void tri_net_kill(struct tri_net *net, unsigned number)
{
    struct net_node *node = &net->nodes[number];
    if (!node->remote)
        return;
    net_note(net, "%s is killed", node->address);
    node->dying = true;
    node->stalled_until_ns = 0;
    abandon(node);
    /* What its code does from here on reaches nobody. */
    (void)tr_remote_stop(node->remote, 0);
    forget(node);
}

tr_err tri_net_leave(struct tri_net *net, unsigned number, unsigned deadline_ms)
{
    struct net_node *node = &net->nodes[number];
    if (!node->remote)
        return TR_OK;
    net_note(net, "%s leaves", node->address);
    node->stalled_until_ns = 0;
    tr_err err = tr_remote_stop(node->remote, deadline_ms);
    tri_sim_finish(node->sim, NULL);
    forget(node);
    return err;
}

void tri_net_destroy(struct tri_net *net)
{
    if (!net)
        return;
    for (unsigned i = 0; i < net->node_count; i++)
        tri_net_kill(net, i);
    net_pipes_sweep(net, true);
    tri_text_fini(&net->text);
    tri_free(net);
}

/* ---- What goes wrong ------------------------------------------------------------ */

void tri_net_skew(struct tri_net *net, unsigned node, int64_t ahead_ns, int fast_ppm)
{
    TRI_ASSERT(!net->nodes[node].remote);
    net->nodes[node].ahead_ns = ahead_ns;
    net->nodes[node].fast_ppm = fast_ppm;
}

void tri_net_stall(struct tri_net *net, unsigned node, uint64_t ns)
{
    net_note(net, "%s stalls for %llu ms", net->nodes[node].address,
             (unsigned long long)(ns / MILLION));
    net->nodes[node].stalled_until_ns = net->now_ns + ns;
}

void tri_net_part(struct tri_net *net, unsigned from, unsigned to, bool parted)
{
    net_note(net, "from %s to %s: %s", net->nodes[from].address, net->nodes[to].address,
             parted ? "nothing" : "everything again");
    net->parted[from][to] = parted;
}

void tri_net_cut(struct tri_net *net, unsigned a, unsigned b)
{
    net_note(net, "cut: %s and %s", net->nodes[a].address, net->nodes[b].address);
    for (struct pipe *pipe = net->pipes; pipe; pipe = pipe->next) {
        unsigned x = pipe->end[0].node, y = pipe->end[1].node;
        if ((x == a && y == b) || (x == b && y == a))
            net_pipe_break(net, pipe);
    }
}

/* ---- What happens next -------------------------------------------------------- */

/* When the node would do something by itself. */
static uint64_t node_due(const struct net_node *node)
{
    uint64_t due = net_wire_due(node);
    uint64_t timer = tr_system_next_timer_ns(node->sim->sys);
    uint64_t late = node->sim->late_count ? node->sim->late[0].due_ns : UINT64_MAX;
    timer = late < timer ? late : timer;
    if (timer != UINT64_MAX) {
        timer = net_node_until(node, timer);
        due = timer < due ? timer : due;
    }
    return due;
}

/* Tries the nodes and connections once, from a random one on. */
static bool anything(struct tri_net *net)
{
    unsigned start = tri_net_chance(net, net->node_count + 1);
    for (unsigned i = 0; i <= net->node_count; i++) {
        unsigned which = (start + i) % (net->node_count + 1);
        if (which < net->node_count) {
            struct net_node *node = &net->nodes[which];
            if (node->remote && node->stalled_until_ns <= net->now_ns &&
                node_work(node, tri_net_chance(net, 2)))
                return true;
            continue;
        }
        uint64_t due;
        uint32_t ready = 0;
        for (struct pipe *pipe = net->pipes; pipe; pipe = pipe->next)
            ready += net_pipe_ready(net, pipe, &due);
        uint32_t chosen = ready ? tri_net_chance(net, ready) : 0;
        for (struct pipe *pipe = net->pipes; pipe && ready; pipe = pipe->next) {
            if (!net_pipe_ready(net, pipe, &due) || chosen-- > 0)
                continue;
            if (tri_net_chance(net, 1000) < net->faults.cut_permille)
                net_pipe_break(net, pipe);
            net_pipe_work(net, pipe);
            return true;
        }
    }
    return false;
}

static uint64_t next_due(struct tri_net *net)
{
    uint64_t next = UINT64_MAX;
    for (unsigned i = 0; i < net->node_count; i++) {
        struct net_node *node = &net->nodes[i];
        if (!node->remote)
            continue;
        uint64_t due = node_due(node);
        if (due != UINT64_MAX && due < node->stalled_until_ns)
            due = node->stalled_until_ns;
        next = due < next ? due : next;
    }
    for (struct pipe *pipe = net->pipes; pipe; pipe = pipe->next) {
        uint64_t due;
        (void)net_pipe_ready(net, pipe, &due);
        next = due < next ? due : next;
    }
    return next;
}

/* Before anything else comes at that time, or what follows them would overtake them. */
static void deliver_late(struct tri_net *net)
{
    for (unsigned i = 0; i < net->node_count; i++) {
        struct net_node *node = &net->nodes[i];
        if (!node->remote || node->stalled_until_ns > net->now_ns)
            continue;
        node->sim->now_ns = net_node_time(node, net->now_ns);
        tri_sim_deliver_due(node->sim);
    }
}

bool tri_net_step(struct tri_net *net, uint64_t until_ns)
{
    if (anything(net))
        return true;
    net_pipes_sweep(net, false);
    uint64_t next = next_due(net);
    if (next > until_ns) {
        net->now_ns = until_ns > net->now_ns ? until_ns : net->now_ns;
        deliver_late(net);
        return false;
    }
    /* A wheel may give a tick before the timer's: the clock goes on all the same. */
    net->now_ns = next > net->now_ns ? next : net->now_ns + MILLION;
    deliver_late(net);
    return true;
}

void tri_net_run(struct tri_net *net, uint64_t ns)
{
    uint64_t until = net->now_ns + ns;
    while (net->now_ns < until && tri_net_step(net, until)) {
    }
}

uint64_t tri_net_carried(const struct tri_net *net)
{
    return net->carried;
}

uint64_t tri_net_digest(const struct tri_net *net)
{
    return net->digest;
}

const char *tri_net_trace(struct tri_net *net)
{
    return tri_text(&net->text);
}
