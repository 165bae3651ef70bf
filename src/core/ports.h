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

/*
 * Transport: messages for actors of other nodes. A remote actor is a cell whose messages go to
 * a tri_proxy; tri_spawn_remote() makes one, and the association that owns it implements
 * deliver() (encode and queue; borrowed block; runs on a worker, one at a time), told() and
 * ended(). A message that deliver() has queued counts as processed, and in pending() until it is
 * written; what never gets written is taken back with tri_proxy_undeliverable().
 */
struct tri_transport {
    /* The actor `id` at `address` ("host:port"), which may be this node's own: the proxy of a
     * remote one, made if need be; nobody, with the reason, when there is none. Any thread. */
    tr_pid (*resolve)(void *self, struct tr_ctx *ctx, const char *address, const char *id);
    /* TR_OK: the link to a remote PID will have room for the one message that the caller sends
     * now; TR_EFULL: it takes no more. Any thread. */
    tr_err (*promise)(void *self, tr_pid pid);
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
