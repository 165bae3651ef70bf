/*
 * sim/nodes/net.h - several nodes on one thread and the network between them, from a seed.
 *
 * Each node is a stepped system with a clock of its own, which may be ahead or behind and fast or
 * slow, and a remote whose wire is this network: associations, outboxes and envelopes are the code
 * that runs on sockets. Everything that is chance is drawn from the seed: which node goes on, how
 * long a message takes, which connection breaks and when either side notices. A connection keeps
 * the order of what it carries; what was on its way when it broke is lost.
 */
#ifndef TROUPE_SIM_NODES_NET_H
#define TROUPE_SIM_NODES_NET_H

#include "sim/sim.h"
#include "troupe/remote.h"

#define TRI_NET_NODES_MAX 8u

/* Chances per thousand steps of the network; all zero: nothing goes wrong. */
struct tri_net_faults {
    unsigned delay_us_max;    /* of a message or a connection on its way; 0: 1,000 */
    unsigned cut_permille;    /* a connection breaks */
    unsigned refuse_permille; /* of dials: nobody answers */
};

struct tri_net;

/* NULL when out of memory. */
struct tri_net *tri_net_create(uint64_t seed, bool trace);
/* Ends what still runs. NULL is fine. */
void tri_net_destroy(struct tri_net *net);
/* Any time; from now on. */
void tri_net_faults(struct tri_net *net, const struct tri_net_faults *faults);

/* Adds a node that is down; its address is tri_net_address(). `config` is borrowed for the life of
 * the network; listen, advertise and tls are not used. */
unsigned tri_net_add(struct tri_net *net, const struct tr_remote_config *config);
const char *tri_net_address(const struct tri_net *net, unsigned node);
/* Starts it, as a new process. TR_ENOMEM and what tr_remote_start() returns. */
TR_MUST_USE tr_err tri_net_boot(struct tri_net *net, unsigned number);
/* Ends it at once: nobody is told anything, and the others notice when they do. */
void tri_net_kill(struct tri_net *net, unsigned number);
/* Ends it in order, with that much of its own time. */
tr_err tri_net_leave(struct tri_net *net, unsigned number, unsigned deadline_ms);
bool tri_net_up(const struct tri_net *net, unsigned node);
/* Of the node as long as it is up. */
tr_system *tri_net_system(struct tri_net *net, unsigned node);
tr_remote *tri_net_remote(struct tri_net *net, unsigned node);

/* Its clock: so much ahead (may be behind), and so many millionths fast. Before it boots. */
void tri_net_skew(struct tri_net *net, unsigned node, int64_t ahead_ns, int fast_ppm);
/* It does nothing for so long; its peers' messages wait. */
void tri_net_stall(struct tri_net *net, unsigned node, uint64_t ns);
/* What goes from one to the other does not arrive until that is taken back. */
void tri_net_part(struct tri_net *net, unsigned from, unsigned to, bool parted);
/* Breaks the connections between two nodes. */
void tri_net_cut(struct tri_net *net, unsigned a, unsigned b);

uint64_t tri_net_now_ns(const struct tri_net *net);
/* A number below `bound`, from the seed: for histories. */
uint32_t tri_net_chance(struct tri_net *net, uint32_t bound);
/* One thing happens, at the next time at which there is one; false: nothing will before `until`. */
bool tri_net_step(struct tri_net *net, uint64_t until_ns);
/* Everything that happens within so much time. */
void tri_net_run(struct tri_net *net, uint64_t ns);

/* How many messages have crossed, and a hash of everything that has happened. */
uint64_t tri_net_carried(const struct tri_net *net);
uint64_t tri_net_digest(const struct tri_net *net);
/* What has happened, a line each, if it was asked for. */
const char *tri_net_trace(struct tri_net *net);

#endif
