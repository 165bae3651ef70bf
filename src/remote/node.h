/*
 * remote/node.h - what the parts of a remoting node share.
 *
 * Three kinds of threads meet here: workers (and outside threads) that send to actors of other
 * nodes, I/O threads that own links and streams, and the thread that starts and stops. Workers
 * touch the table (under its lock) and a link's outbox (under the link's). An I/O thread has a
 * context of its own in the actor system: what comes in goes straight into mailboxes from there.
 */
#ifndef TROUPE_REMOTE_NODE_H
#define TROUPE_REMOTE_NODE_H

#include "codec/messages.h"
#include "codec/types.h"
#include "core/ports.h"
#include "core/send.h"
#include "remote/assoc.h"
#include "remote/wire.h"
#include "troupe/remote.h"

#define TRI_RECEIVE_PATH "/remote.Remoting/Receive"
#define TRI_IO_THREADS_MAX 16u
/* Silence after which a link is lost. The kernel sends its probes in whole seconds. */
#define TRI_LOST_MS 120000u
#define TRI_LOST_MS_MIN 2000u
#define TRI_LOST_MS_MAX 600000u
/* "$" and 11 digits: the id of a local actor without a name. */
#define TRI_ID_SIZE_MAX TR_NAME_SIZE_MAX
/* Stands for the call number 0 of a peer that waits all the same: a future has no number. */
#define TRI_CALL_UNNUMBERED ((uint64_t)1 << 32)
/* Calls of a peer's futures: this and the future's own number. */
#define TRI_CALL_FUTURE ((uint64_t)1 << 63)

/* What the system id of every node of this library begins with: it speaks both dialects. */
#define TRI_TROUPE_ID "troupe-"

/* Whose Touch follows a Watch: nodes of dialect B do not say that an actor was never there. */
#define TRI_WATCH_ID "$troupe-watch"

struct tr_remote;
struct tri_link;
struct tri_inbound;
struct tri_far;
struct tri_bridge;
struct tri_known;

#define TRI_TRAINS 128u

/* One I/O thread. */
struct tri_remote_io {
    struct tr_remote *remote;
    unsigned number;
    struct tri_wire *wire;
    struct tr_ctx *ctx; /* of this thread */
    struct tri_batch_reader reader;
    struct tri_batch_reader own; /* of batches of ours that are looked through again */
    struct tri_inbound *streams; /* accepted, a list */
    struct tri_filler filler;    /* of blocks for what comes in */
    /* What has come in and is not delivered yet, by slot of who gets it; `settle` will do it. */
    struct tri_train trains[TRI_TRAINS];
    uint64_t trains_used[TRI_TRAINS / 64]; /* bits */
    uint32_t trains_count;                 /* messages */
    bool settles;                          /* the job is on its way */
    struct tri_wire_job settle;
    struct tri_wire_timer tick;
    struct tri_wire_job start, stop; /* run on the thread */
    uint32_t blocked_seen;           /* how long the block list was at the last look */
    bool leaving;
    uint64_t leave_ns; /* the deadline: from when it is told */
    uint64_t leave_due_ns;
};

/* Actors of other nodes and the links to them; see remote/far.h. */
struct tri_table {
    tri_mutex lock;
    uint8_t key[16]; /* ids and addresses come from outside: their hash is keyed */
    struct tri_far **by_id, **by_pid;
    uint32_t capacity; /* of both, a power of two */
    uint32_t count;
    uint32_t sweep;               /* where the search for unused ones goes on */
    struct tri_link **links;      /* in the order they were made; never removed */
    struct tri_link **by_address; /* open addressing, twice links_max and more */
    uint32_t link_count, address_mask;
    TRI_ATOMIC(uint32_t) now_s; /* of the node's clock; a coarse one */
    bool leaving;               /* no new links */
    bool closed;                /* no new actors either */
};

struct tri_blocked {
    struct tri_blocked *next;
    uint32_t size;
    char id[];
};

struct tr_remote {
    struct tri_transport port;
    tr_system *sys;
    char *address; /* advertised */
    char **own;    /* NULL-terminated: what else means this node */
    char system_id[40];
    struct tr_remote_config config; /* defaults filled in; the pointers are not used */
    struct tri_assoc_config assoc;
    struct tri_types types;
    const struct tr_type **refused; /* sorted by address */
    uint32_t refused_count;
    struct tr_remote_kind *kinds;
    uint32_t kind_count;
    struct tr_remote_peer *peers;
    uint32_t peer_count;
    struct tri_bridge *routes; /* remote/bridge.h */
    uint32_t route_count;
    char **allowed; /* NULL: all */
    struct tri_table table;
    struct tri_spin blocked_lock;
    struct tri_blocked *blocked;
    uint32_t blocked_count;
    tr_pid activator;
    struct tri_known *known[TRI_CONTEXTS_MAX + 1]; /* by context, whose own they are */

    struct tri_remote_io io[TRI_IO_THREADS_MAX];
    unsigned io_count;
    TRI_ATOMIC(uint32_t) io_running;   /* threads that have not left */
    TRI_ATOMIC(uint64_t) queued_bytes; /* of all links, batches being filled left out */
    TRI_ATOMIC(uint32_t) fars;         /* proxies that have not ended */
    TRI_ATOMIC(uint32_t) spawned;      /* by peers, alive */

    struct tri_spin chunk_lock;
    struct tri_chunk *chunks; /* free ones */
    uint32_t chunk_count;

    /* Whoever starts and stops the I/O threads. */
    void (*io_stop)(struct tr_remote *remote);
    /* Where nothing goes on by itself: makes something go on. NULL: threads do. */
    void (*io_wait)(struct tr_remote *remote);
    void *io_group;
    struct tri_tls *tls;
    bool stopped;
};

/* ---- Putting it together (remote.c) --------------------------------------- */

/* A remote without I/O threads yet; installed in the system. *given is copied, and checked. */
tr_err tri_remote_create(tr_system *sys, const struct tr_remote_config *given,
                         struct tr_remote **ret_remote, struct tr_error *error);
/* By which others reach it; before the first link. Copied. */
tr_err tri_remote_set_address(struct tr_remote *remote, const char *address);
/* On the I/O thread, first and last. `self` is the tr_remote. */
void tri_remote_io_begins(void *self, unsigned number, struct tri_wire *wire);
void tri_remote_io_ends(void *self, unsigned number);
const struct tri_wire_events *tri_remote_accept(void *self, struct tri_wire *wire,
                                                struct tri_stream *stream, const char *path,
                                                void **ret_user);
/* Whether an address, or one of the names of a certificate, is allowed as a peer. */
bool tri_remote_peer_allowed(const struct tr_remote *remote, const char *address,
                             const char *names);
bool tri_remote_is_blocked(struct tr_remote *remote, struct tri_name member_id);
/* Whether `address` means this node. */
bool tri_remote_is_own(const struct tr_remote *remote, struct tri_name address);
enum tr_dialect tri_remote_known_dialect(const struct tr_remote *remote, const char *address);
/* The I/O thread of this wire. */
struct tri_remote_io *tri_remote_io_of(struct tr_remote *remote, const struct tri_wire *wire);

/* ---- Ids of local actors (ids.c) ------------------------------------------- */

/* The id by which others know a local actor: its name, or "$" and its PID. Returns its size. */
uint32_t tri_id_of(struct tr_ctx *ctx, tr_pid pid, char text[TRI_ID_SIZE_MAX + 1]);
/* The local actor behind an id; nobody if there is none. */
tr_pid tri_id_find(struct tr_ctx *ctx, struct tri_name id);
/* "future$…" and its number; false if it has another form. */
bool tri_future_number(struct tri_name id, uint64_t *ret_number);
uint32_t tri_future_id(uint64_t number, char text[TRI_ID_SIZE_MAX + 1]);
/* Numbers with the digits of ids, at most 11 and no zero in front; write returns how many. */
bool tri_number_read(const char *at, uint32_t size, uint64_t *ret);
uint32_t tri_number_write(uint64_t value, char *out);

#endif
