/*
 * sim/nodes/wire.h - the network as a tri_wire: connections, what is on its way, timers, jobs.
 */
#ifndef TROUPE_SIM_NODES_WIRE_H
#define TROUPE_SIM_NODES_WIRE_H

#include "remote/node.h"
#include "sim/nodes/net.h"

enum packet_kind {
    PACKET_MESSAGE,
    PACKET_FIN, /* the dialler has half-closed */
    PACKET_END  /* the acceptor's trailers */
};

/* On its way, or about to go. */
struct packet {
    struct packet *next;
    uint64_t due_ns;
    enum packet_kind kind;
    int status;
    struct tri_buffer *buffer; /* not written yet; then NULL, and the bytes are here: */
    size_t size;
    uint8_t bytes[];
};

struct queue {
    struct packet *first, *last;
};

/* One end of a connection. */
struct tri_stream {
    struct pipe *pipe;
    unsigned node; /* whose it is */
    bool dialled;
    const struct tri_wire_events *events;
    void *user;
    struct queue out;    /* not written */
    struct queue flight; /* towards this end */
    size_t queued;
    bool open;      /* may carry something */
    bool told_open; /* opened() was called, or it was accepted */
    bool shut;      /* close_send() or end() */
    bool paused;
    bool above;   /* queued was above the low mark */
    bool closing; /* closed() is due: */
    bool closed;
    uint64_t close_ns;
    int status;
    const char *text;
};

struct pipe {
    struct pipe *next;
    struct tri_net *net;
    struct tri_stream end[2]; /* who dialled, who accepted */
    bool connecting;
    uint64_t connect_ns;
    const char *path;
    char address[TR_ADDRESS_SIZE_MAX + 1];
};

struct timer_entry {
    struct tri_wire_timer *timer;
    uint64_t due_ns; /* of the node's clock */
};

/* One node's side of the network. */
struct net_node {
    struct tri_net *net;
    unsigned number;
    char address[32];
    const struct tr_remote_config *config;
    struct tri_sim *sim;
    tr_remote *remote; /* NULL: it is down */
    struct tri_wire wire;
    struct tri_wire_job *jobs, **jobs_end;
    struct timer_entry *timers;
    size_t timer_count, timer_capacity;
    uint64_t stalled_until_ns;
    int64_t ahead_ns;
    int fast_ppm;
    bool dying; /* what it dials is in vain */
};

struct tri_net {
    struct net_node nodes[TRI_NET_NODES_MAX];
    unsigned node_count;
    struct pipe *pipes;
    uint64_t seed;
    uint64_t now_ns;
    uint64_t boots;
    struct tri_prng chance;
    struct tri_net_faults faults;
    bool parted[TRI_NET_NODES_MAX][TRI_NET_NODES_MAX];
    uint64_t carried;
    uint64_t digest;
    bool trace;
    struct tri_text text;
};

/* A node's own time, and when it is that late. */
uint64_t net_node_time(const struct net_node *node, uint64_t now_ns);
uint64_t net_node_until(const struct net_node *node, uint64_t time_ns);

void net_wire_init(struct net_node *node);
/* Runs one job or timer of the node that is due; false: there is none. */
bool net_wire_work(struct net_node *node);
/* When the next timer is due, or the time now if a job waits; UINT64_MAX: never. */
uint64_t net_wire_due(const struct net_node *node);

/* Whether something could happen to this connection now, and when next (UINT64_MAX: never). */
bool net_pipe_ready(const struct tri_net *net, const struct pipe *pipe, uint64_t *ret_due_ns);
/* The first of these. */
void net_pipe_work(struct tri_net *net, struct pipe *pipe);
/* Both ends hear of it, each when it does. */
void net_pipe_break(struct tri_net *net, struct pipe *pipe);
/* One end is gone without a word. */
void net_pipe_abandon(struct tri_net *net, struct pipe *pipe, unsigned node);
void net_pipes_sweep(struct tri_net *net, bool all);

uint64_t net_delay_ns(struct tri_net *net);
void net_note(struct tri_net *net, const char *fmt, ...) TR_PRINTF(2, 3);

#endif
