/*
 * remote/loop.h - one I/O thread: its loop, jobs, timers and connections.
 *
 * A turn: wait for events; read what has come (and call owners); run jobs; tell owners what their
 * calls brought about; write what connections have to say. So all that one turn produces goes out
 * with one system call for each connection.
 */
#ifndef TROUPE_REMOTE_LOOP_H
#define TROUPE_REMOTE_LOOP_H

#include "os/thread.h"
#include "remote/address.h"
#include "remote/session.h"

#include <uv.h>

/* Bytes of one read; shared by all connections of a loop, as what was read is worked off at once. */
#define TRI_INPUT_SIZE (128u << 10)

struct tri_tls_link;

enum tri_conn_state {
    TRI_CONN_RESOLVING,
    TRI_CONN_CONNECTING,
    TRI_CONN_SECURING, /* the TLS handshake */
    TRI_CONN_OPEN,
    TRI_CONN_LINGERING, /* all is said: waits for the peer to have read it */
    TRI_CONN_CLOSED     /* no socket any more; streams may still have to be told */
};

struct tri_conn {
    struct tri_session session;
    struct tri_loop *loop;
    struct tri_conn *next, **link; /* of the loop */
    struct tri_conn *next_dirty;
    bool dirty;
    bool waits;   /* dirty, and has had its share of this turn */
    bool polled;  /* `poll` is a handle of the loop */
    bool blocked; /* the kernel takes no more */
    bool counted; /* at the group's gate */
    bool broken;  /* nghttp2 cannot go on: what it says last is written, nothing read any more */
    enum tri_conn_state state;
    int fd;
    int events; /* that are polled for */
    uv_poll_t poll;
    struct tri_wire_timer timer;
    uint64_t began_ns;    /* in this state */
    uint64_t progress_ns; /* the kernel took something, or there was nothing to take */
    uint64_t idle_ns;     /* since when there are no streams; 0: there are */
    struct tri_address at;
    struct tri_tls_link *tls;
    bool encrypted; /* all of session.out is in what TLS has to be written */
    /* Dialling. */
    struct tri_stream *dialled;
    uv_getaddrinfo_t lookup;
    bool looking_up;
    struct addrinfo *addresses, *address; /* those found, and the one at hand */
    struct addrinfo numeric;              /* of an address that needs no look-up */
    struct sockaddr_storage numeric_at;
    const char *refusal;
    char *authority; /* as dialled */
    char host[TRI_HOST_SIZE], port[TRI_PORT_SIZE];
    char peer[TRI_ADDRESS_SIZE];
};

struct tri_loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_prepare_t before;
    uv_check_t after;
    uv_timer_t tick;
    uint64_t tick_at; /* of the wheel; TRI_WHEEL_NEVER: not set */
    /* Jobs as a stack, SLEEPING at its bottom while the loop waits for events. */
    TRI_ATOMIC(struct tri_wire_job *) jobs;
    struct tri_hub hub;
    struct tri_wire wire;
    struct tri_wheel wheel;
    struct tri_conn *conns;
    struct tri_conn *dirty_first, *dirty_last; /* with something to write, or to be freed */
    bool again;                                /* one of them has had its share of this turn */
    uint8_t *input;
    uint8_t *plain; /* the same, decrypted; NULL without TLS */
    struct tri_io_group *group;
    unsigned number;
    uint32_t in_vain; /* jobs that were expected, and did not come */
    bool stopping;
    bool refusing; /* no new calls */
    struct tri_wire_job stop;
    struct tri_thread thread;
};

/* ---- Loops (loop.c) ------------------------------------------------------ */

tr_err tri_loop_init(struct tri_loop *loop, struct tr_error *error);
/* Runs until tri_loop_stop(). */
void tri_loop_run(struct tri_loop *loop);
/* On its thread. */
void tri_loop_stop(struct tri_loop *loop);
void tri_loop_fini(struct tri_loop *loop);
uint64_t tri_loop_now_ns(struct tri_loop *loop);
void tri_loop_timer(struct tri_loop *loop, struct tri_wire_timer *timer, uint64_t due_ns);

/* One writer, the loop's thread: a load and a store do. */
static inline void tri_count(TRI_ATOMIC(uint64_t) *counter, uint64_t n)
{
    /* Relaxed: read for information only. */
    tri_store(counter, tri_load(counter, TRI_RELAXED) + n, TRI_RELAXED);
}

/* ---- Connections (conn.c, dial.c) ---------------------------------------- */

struct tri_conn *tri_conn_create(struct tri_loop *loop);
/* Takes over a socket that was accepted; closes it without memory. */
void tri_conn_accepted(struct tri_loop *loop, int fd, const struct tri_address *from);
struct tri_stream *tri_conn_dial(struct tri_loop *loop, const char *address, const char *path,
                                 const struct tri_wire_events *events, void *user);
/* The socket is connected: TLS or HTTP/2 begin. */
void tri_conn_connected(struct tri_conn *conn);
/* Polls the socket for what the state needs. False: not possible. */
bool tri_conn_poll(struct tri_conn *conn);
/* Has something to send, or may be freed. */
void tri_conn_changed(struct tri_session *session);
/* Writes what there is to write; may free the connection. */
void tri_conn_flush(struct tri_conn *conn);
void tri_conn_lose(struct tri_conn *conn, int status, const char *fmt, ...) TR_PRINTF(3, 4);
void tri_conn_ready(struct tri_conn *conn, int events);
/* Dialling: the socket is connected, or is not. */
void tri_conn_dial_result(struct tri_conn *conn);
void tri_conn_dial_fini(struct tri_conn *conn);

#endif
