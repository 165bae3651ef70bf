/*
 * core/ports.h - what the core needs from the layers above it, as tables of functions. They
 * implement, node/ connects, core calls. Clock and random source are public
 * (struct tr_clock, struct tr_random_source in troupe/system.h): embedders bring their own. The
 * probe is public, too: who measures and traces gives a chain of struct tr_middleware
 * (troupe/middleware.h) to the system, and costs nothing where there is none.
 */
#ifndef TROUPE_CORE_PORTS_H
#define TROUPE_CORE_PORTS_H

#include "core/cold.h"

/* A message for an actor of another node. All is borrowed. */
struct tri_outward {
    tr_pid to; /* was alive just now */
    tr_pid from;
    const struct tr_type *type;
    const void *body;
    size_t size;
    uint64_t call;
    uint32_t flags;                 /* TRI_BLOCK_REQUEST, REPLY, POISON or PROMISED */
    bool trying;                    /* for tr_try_send(): at the bound it is refused, always */
    const struct tri_block *holder; /* that has headers; or NULL */
};

/* A message in a block, sent to `to`. */
struct tri_outward tri_outward_of(tr_pid to, struct tri_block *block);

/* What became of it; or an enum tr_dead_reason: nothing was taken, and the core has to see to it
 * (TR_DEAD_REFUSED: no room). */
#define TRI_OUTWARD_TAKEN (-1)
#define TRI_OUTWARD_DROPPED (-2) /* by the overflow policy */

/*
 * Transport: messages for actors of other nodes. A remote actor is a cell without a mailbox of
 * messages: carry() encodes and queues them where they are sent. (Only one that was spawned with a
 * bound has a mailbox, for what waits; its deliver() carries.) The cell and its tri_proxy, which
 * tri_spawn_remote() makes, are for system messages: told() and ended(). What carry() has taken
 * counts as processed, and in pending() until it is written; what never gets written is taken back
 * with tri_proxy_undeliverable().
 */
struct tri_transport {
    /* Any thread. Messages of one thread to one actor stay in order. */
    int (*carry)(void *self, struct tr_ctx *ctx, const struct tri_outward *out);
    /* The actor `id` at `address` ("host:port"), which may be this node's own: the proxy of a
     * remote one, made if need be; nobody, with the reason, when there is none. Any thread. */
    tr_pid (*resolve)(void *self, struct tr_ctx *ctx, const char *address, const char *id);
    /* TR_OK: the link to a remote PID has room, and will take one message that is marked as
     * PROMISED; TR_EFULL: it takes no more. Any thread. */
    tr_err (*room)(void *self, struct tr_ctx *ctx, tr_pid pid);
    /* Messages that proxies have taken and that have not been written. Any thread. */
    uint64_t (*pending)(void *self);
    /* Closes all links by the deadline; what is queued is dead-lettered by the transport. Of an
     * outside thread; again it does nothing. */
    void (*close)(void *self, unsigned deadline_ms);
    /* The last call, when no thread of the system runs any more. */
    void (*destroy)(void *self);
    void *self;
};

/* Gives the system its transport; once, by the thread that made the system. Borrowed until
 * destroy(). TR_EEXIST. */
tr_err tri_transport_install(struct tr_system *sys, const struct tri_transport *transport);

/* Stepped systems: what runs next, and what becomes of a message. Installed by the simulator with
 * tri_stepped_install(); systems with threads have none. */
enum tri_fate {
    TRI_FATE_HANDLE,
    TRI_FATE_LOSE,  /* it never came; only the accounts know */
    TRI_FATE_DELAY, /* it has not come yet: the port holds a copy */
    TRI_FATE_FAIL   /* its handler fails */
};
struct tri_stepper {
    /* One of `count` things that could go on now, 0 being the one that waits longest. */
    size_t (*choose)(void *self, size_t count);
    /* Before the current actor handles `block`. */
    enum tri_fate (*fate)(void *self, struct tr_ctx *ctx, struct tri_block *block);
    /* Before the current actor handles a batch, which has no faults. */
    void (*batch)(void *self, struct tr_ctx *ctx, const struct tr_type *type, uint32_t count);
    /* Around each turn. */
    void (*turn)(void *self, bool begins);
    /* Nothing can go on, and somebody outside waits until `until_ns` at the latest: moves the
     * clock. False: it does not move. */
    bool (*wait)(void *self, uint64_t until_ns);
    void *self;
};

/* Store: a journal that entries are appended to, and that is read at recovery. All calls come
 * from tr_offload() threads, one at a time per stream. */
struct tri_store {
    /* Appends `size` bytes as entry `sequence` (from 1, without gaps) of `stream`. */
    tr_err (*append)(void *self, const char *stream, uint64_t sequence, const void *data,
                     size_t size);
    /* Returns when everything appended is on stable storage. */
    tr_err (*sync)(void *self);
    /* Calls `each` for the entries from `first` on, in order, until it returns an error. */
    tr_err (*replay)(void *self, const char *stream, uint64_t first,
                     tr_err (*each)(void *user, uint64_t sequence, const void *data, size_t size),
                     void *user);
    void *self;
};

#endif
