/*
 * remote/io.h - wires over real networks: an I/O thread each, with sockets, HTTP/2 and TLS.
 *
 * A group is the I/O threads of one node. Connections that are accepted are dealt out to its
 * threads in turn; who dials chooses one.
 */
#ifndef TROUPE_REMOTE_IO_H
#define TROUPE_REMOTE_IO_H

#include "remote/wire.h"
#include "troupe/error.h"

struct tri_io_group;

/* Bounds on what peers can make us hold or do, with their defaults. 0 in a field: the default. */
#define TRI_IO_MESSAGE_MAX (64u << 20) /* bytes of an incoming message, unpacked */
/* Bytes that a thread holds for peers: messages that have not come to their end, and what came for
 * streams that are paused. At least message_max. */
#define TRI_IO_HELD_MAX ((size_t)256 << 20)
#define TRI_IO_STREAMS_MAX 100u        /* calls at a time on one accepted connection */
#define TRI_IO_HEADERS_MAX (16u << 10) /* bytes of a header list */
#define TRI_IO_CONNECTIONS_MAX 16384u  /* accepted, of the group */
#define TRI_IO_PER_ADDRESS_MAX 4096u   /* accepted, from one address */
#define TRI_IO_HANDSHAKE_MS 10000u     /* TCP, TLS and the first settings */
#define TRI_IO_IDLE_MS 300000u         /* an accepted connection without calls is closed */
#define TRI_IO_STALLED_MS 120000u /* a peer that takes no byte, or whose host is silent, is lost */
/* Silence before a peer is pinged. Servers in Go end connections of clients that ping more than once
 * in five minutes. */
#define TRI_IO_PING_CLIENTS_MS 30000u
#define TRI_IO_PING_SERVERS_MS 330000u
#define TRI_IO_PING_ANSWER_MS 20000u  /* without an answer for so long a peer is lost */
#define TRI_IO_WINDOW_MAX (16u << 20) /* bytes a stream's window may grow to */

struct tri_io_limits {
    size_t message_max, held_max, headers_max, window_max;
    uint32_t streams_max, connections_max, per_address_max;
    uint32_t handshake_ms, idle_ms, stalled_ms;
    uint32_t ping_clients_ms, ping_servers_ms, ping_answer_ms;
};

struct tri_tls; /* remote/tls.h */

struct tri_io_config {
    unsigned threads; /* 0: one */
    struct tri_io_limits limits;
    struct tri_tls *tls; /* shared; NULL: plaintext */
    /* Without it, plaintext listens on loopback only. */
    bool plaintext_anywhere;
    struct tri_wire_acceptor acceptor;
    /* Each thread calls this first and last, with its number. May be NULL. */
    void (*thread_begins)(void *self, unsigned number, struct tri_wire *wire);
    void (*thread_ends)(void *self, unsigned number);
    void *self;
};

/* Starts the threads; *config is copied. */
tr_err tri_io_create(const struct tri_io_config *config, struct tri_io_group **ret_group,
                     struct tr_error *error);

/* Listens on "host:port" (numeric, or "localhost"; no host: all addresses; port 0: any free one);
 * *ret_port is the one it got. Once. Calls may come before this returns. Any thread. */
tr_err tri_io_listen(struct tri_io_group *group, const char *address, uint16_t *ret_port,
                     struct tr_error *error);

/* The wire of thread 0 … threads - 1. Any thread. */
struct tri_wire *tri_io_wire(struct tri_io_group *group, unsigned number);

/* What grpc.health.v1.Health says of this node: not serving until told. Any thread. */
void tri_io_set_serving(struct tri_io_group *group, bool serving);

/* No longer accepts connections or new calls (GOAWAY); streams that are open go on. Any thread. */
void tri_io_refuse(struct tri_io_group *group);

/* Ends what is still open (closed() with TRI_WIRE_ENDED), runs the jobs that were posted, joins the
 * threads and frees everything; nobody may post any more. Waits for look-ups of names that are under
 * way, which cannot be broken off. NULL is fine. Not from a wire's thread. */
void tri_io_destroy(struct tri_io_group *group);

/* Sums over the group; any thread, each figure by itself exact. */
struct tri_io_counters {
    uint64_t bytes_in, bytes_out;       /* of sockets */
    uint64_t messages_in, messages_out; /* gRPC messages */
    uint64_t reads, writes;             /* system calls */
    uint64_t accepted, dialled, refused, connections;
};
void tri_io_counters(const struct tri_io_group *group, struct tri_io_counters *ret_counters);

#endif
