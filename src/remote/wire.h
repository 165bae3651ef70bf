/*
 * remote/wire.h - what carries whole gRPC messages between nodes, as a table of functions.
 *
 * remote/io.h implements it with sockets, HTTP/2 and TLS; a simulated network can, too. A wire
 * belongs to one thread: every call is made there and every callback comes from there, except
 * post(). Callbacks never come out of a call: what a call brings about is told afterwards, from the
 * wire's own loop; so one may call anything from anywhere on that thread.
 *
 * A stream is one gRPC call in which both sides may send any number of messages:
 *
 *     dial() ── opened ──┬── message … ── ended? ── closed     (closed alone: it never opened)
 *     accepted ──────────┘
 *
 * closed() comes exactly once and last, whoever ended the stream, end() included; all buffers have
 * been released before it, and the stream is gone when it returns.
 */
#ifndef TROUPE_REMOTE_WIRE_H
#define TROUPE_REMOTE_WIRE_H

#include "core/wheel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a stream ended: gRPC's codes, and three of our own for what no peer said. */
enum tri_wire_status {
    TRI_WIRE_OK = 0,
    TRI_WIRE_CANCELLED = 1,
    TRI_WIRE_UNKNOWN = 2,
    TRI_WIRE_INVALID_ARGUMENT = 3,
    TRI_WIRE_DEADLINE_EXCEEDED = 4,
    TRI_WIRE_NOT_FOUND = 5,
    TRI_WIRE_ALREADY_EXISTS = 6,
    TRI_WIRE_PERMISSION_DENIED = 7,
    TRI_WIRE_RESOURCE_EXHAUSTED = 8,
    TRI_WIRE_FAILED_PRECONDITION = 9,
    TRI_WIRE_ABORTED = 10,
    TRI_WIRE_OUT_OF_RANGE = 11,
    TRI_WIRE_UNIMPLEMENTED = 12,
    TRI_WIRE_INTERNAL = 13,
    TRI_WIRE_UNAVAILABLE = 14,
    TRI_WIRE_DATA_LOSS = 15,
    TRI_WIRE_UNAUTHENTICATED = 16,
    TRI_WIRE_UNREACHABLE = 100, /* dialled in vain: no such name, refused, timed out, TLS said no */
    TRI_WIRE_LOST = 101,        /* the connection broke, or the peer broke the protocol */
    TRI_WIRE_ENDED = 102        /* end() on this side, before the peer had ended it */
};

struct tri_stream;

/* ---- Sending ------------------------------------------------------------- */

/* What has become of a buffer. The kernel holding all of it means only that it may have arrived;
 * less than all of it means that it has not and will not. */
enum tri_buffer_fate { TRI_BUFFER_UNSENT, TRI_BUFFER_WRITTEN };

/*
 * One message to be sent: `part[0]` followed by `part[1]`, without gRPC's prefix, at most
 * UINT32_MAX bytes together; either part may be empty. The caller fills in part and release and
 * keeps bytes and struct untouched from send() until release(), which comes exactly once, on the
 * wire's thread.
 */
struct tri_buffer {
    struct {
        const uint8_t *at;
        size_t size;
    } part[2];
    void (*release)(struct tri_buffer *buffer, enum tri_buffer_fate fate);
    /* The wire's, from send() to release(): */
    struct tri_buffer *next;
    struct tri_stream *stream;
    uint64_t end; /* where its last byte is in what the connection sends */
    enum tri_buffer_fate fate;
    uint8_t prefix[5]; /* gRPC's: not compressed, length */
};

/* ---- Streams ------------------------------------------------------------- */

/* Static tables: what a stream tells its owner. NULL for what is of no interest, but closed. */
struct tri_wire_events {
    size_t low_mark; /* of writable(), in bytes */
    /* Dialled: connected (TLS, if any, has checked the peer) and the call is on its way. What was
     * sent before that waited. */
    void (*opened)(void *user, struct tri_stream *stream);
    /* One whole message; borrowed until it returns. */
    void (*message)(void *user, struct tri_stream *stream, const uint8_t *data, size_t size);
    /* queued() was above low_mark and no longer is. */
    void (*writable)(void *user, struct tri_stream *stream);
    /* The peer will send no more messages, but still takes them (dialled: never alone, the server
     * ends its half with the status; accepted: the client has half-closed). */
    void (*ended)(void *user, struct tri_stream *stream);
    /* The last call. `status` is a tri_wire_status; `text` says why, never NULL, borrowed. */
    void (*closed)(void *user, struct tri_stream *stream, int status, const char *text);
};

/* ---- Timers and jobs ----------------------------------------------------- */

/* Zeroed: not set. Moves nowhere while it is set. */
struct tri_wire_timer {
    void (*fire)(struct tri_wire_timer *timer);
    struct tri_wheel_node node; /* the wire's */
};

/* Something to be run on the wire's thread; the poster's until it is posted, and again as soon as
 * run() begins, which may post it anew or free it. */
struct tri_wire_job {
    void (*run)(struct tri_wire_job *job);
    struct tri_wire_job *next; /* the wire's */
};

/* ---- The wire ------------------------------------------------------------ */

struct tri_wire {
    /* Opens a connection of its own to `address` ("host:port"; copied) and calls `path` (a string
     * literal, "/package.Service/Method") there. NULL only without memory, or when the wire is
     * being destroyed; all else comes as closed(). */
    struct tri_stream *(*dial)(void *self, const char *address, const char *path,
                               const struct tri_wire_events *events, void *user);
    /* Never fails and never blocks: after the stream has closed_send or end behind it, or is about
     * to report closed, the buffer comes back unsent. */
    void (*send)(struct tri_stream *stream, struct tri_buffer *taken);
    /* Bytes of messages, with gRPC's prefixes, that the kernel does not hold whole. */
    size_t (*queued)(const struct tri_stream *stream);
    /* No more messages from here: dialled streams half-close once all has been sent. An accepted
     * stream cannot half-close: there it is end() with OK, after all has been sent. */
    void (*close_send)(struct tri_stream *stream);
    /* Accepted: what was sent still goes out, then trailers with `status` and `text` (copied; NULL:
     * none). Dialled: cancels; what is queued comes back unsent. */
    void (*end)(struct tri_stream *stream, int status, const char *text);
    /* While paused no message() comes, and the peer may send a window's worth and no more. */
    void (*pause)(struct tri_stream *stream, bool paused);
    /* For logs and allow lists: the peer's address, and the names that its certificate was verified
     * for ("" without TLS; several separated by spaces). Borrowed for as long as the stream. */
    const char *(*peer)(const struct tri_stream *stream);
    const char *(*peer_names)(const struct tri_stream *stream);
    /* Monotonic; read once a turn of the loop. */
    uint64_t (*now_ns)(void *self);
    /* Fires once at or after `due_ns`, in steps of a millisecond; 0 cancels, set again moves. */
    void (*timer)(void *self, struct tri_wire_timer *timer, uint64_t due_ns);
    /* Any thread: the job runs on the wire's thread, in the order of one thread's posts. Wakes it
     * only if it sleeps and nobody else has. */
    void (*post)(void *self, struct tri_wire_job *job);
    bool expects; /* the owner has reason to expect a job soon; the wire takes it back */
    void *self;
};

/*
 * Who answers calls from outside. accept() is asked once for each new stream, before its first
 * message; it fills in *ret_user and returns the stream's events, or NULL: the path is unknown
 * (UNIMPLEMENTED). To refuse for another reason, return events and end() the stream.
 */
struct tri_wire_acceptor {
    const struct tri_wire_events *(*accept)(void *self, struct tri_wire *wire,
                                            struct tri_stream *stream, const char *path,
                                            void **ret_user);
    void *self;
};

#endif
