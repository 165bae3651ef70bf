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
 * a tri_proxy; tri_spawn_proxy() makes one, and the association that owns it implements
 * deliver() (encode and queue; borrowed block; runs on a worker, one at a time) and ended().
 */
struct tri_transport {
    /* The proxy for a remote actor, made if need be; nobody when the link refuses it. */
    tr_pid (*resolve)(void *self, struct tr_ctx *ctx, const char *address, const char *id);
    /* Closes all links by the deadline; what is queued is dead-lettered by the transport. */
    void (*close)(void *self, unsigned deadline_ms);
    void *self;
};

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
