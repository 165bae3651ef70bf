/*
 * remote/session.h - one HTTP/2 connection and its streams, without a socket: bytes go in, calls
 * come out, and what is to be sent lies ready in `out`.
 *
 * nghttp2 does the protocol. Three rules keep it right: it is never run from one of its own
 * callbacks; every byte of DATA is given back to the connection's window as it comes, and to the
 * stream's when its owner has had it; and what callers bring about is told later, by
 * tri_hub_tell(), so that no owner is called from within its own call.
 */
#ifndef TROUPE_REMOTE_SESSION_H
#define TROUPE_REMOTE_SESSION_H

#include "base/atomic.h"
#include "remote/grpc.h"
#include "remote/io.h"
#include "remote/out.h"

#include <nghttp2/nghttp2.h>

#define TRI_PATH_SIZE 256u
#define TRI_TEXT_SIZE 256u

/* Frames of DATA, both ways: four times HTTP/2's default costs no more memory to speak of. */
#define TRI_FRAME_SIZE (64u << 10)
/* The window that streams begin with. */
#define TRI_WINDOW_FIRST (1u << 20)

struct tri_session;

/* Streams with something to be told. */
enum tri_tell {
    TRI_TELL_OPENED = 1,
    TRI_TELL_RESUME = 2,
    TRI_TELL_WRITABLE = 4,
    TRI_TELL_CLOSED = 8,
    TRI_TELL_REFUSED = 16, /* buffers that came too late */
};

struct tri_stream {
    struct tri_session *session;
    struct tri_stream *next, **link; /* of the session */
    struct tri_stream *next_told;    /* of the hub, while `tell` is not 0 */
    const struct tri_wire_events *events;
    void *user;
    const char *dial_path; /* what was asked for, of a dialled stream */
    int32_t id;            /* 0: not yet */
    uint8_t tell;
    bool server;
    bool begun;       /* HEADERS have gone out */
    bool deferred;    /* nghttp2 waits for data */
    bool close_send;  /* no more after what is queued */
    bool ending;      /* end(), or the wire gave it up: what comes in is dropped */
    bool h2_closed;   /* nghttp2 is through with it */
    bool closed_told; /* closed() runs or ran */
    bool paused;
    bool high; /* queued() is above the low mark */
    bool peer_ended;
    bool ended_told;
    bool plain; /* not gRPC: answered with `http_status` and a line of text */
    bool head;  /* … that asked for no body */
    bool gzip;  /* the peer may send compressed messages */
    bool is_grpc;
    bool encoding_unknown;
    uint16_t http_status;
    uint32_t headers_size;
    /* Sending. */
    struct tri_buffer *first, *last; /* queued; of the first, first_sent bytes are appended */
    struct tri_buffer *refused;
    size_t first_sent;
    size_t plan_bytes; /* what the planned frame takes of a stage */
    unsigned plan_slots;
    size_t queued;
    uint32_t inflight; /* buffers in session->out */
    /* Receiving. */
    struct tri_deframer deframer;
    uint8_t *held; /* what came while it was paused */
    size_t held_at, held_size, held_capacity;
    /* The end, as closed() will tell it; for accepted streams what the trailers say. */
    int status;
    int trailer_status;
    char text[TRI_TEXT_SIZE];
    char path[TRI_PATH_SIZE];
};

struct tri_hub_counters {
    TRI_ATOMIC(uint64_t) bytes_in, bytes_out, messages_in, messages_out, reads, writes;
    TRI_ATOMIC(uint64_t) accepted, dialled, refused, connections;
};

/* What the sessions of one thread share. */
struct tri_hub {
    const struct tri_io_limits *limits;
    const struct tri_wire_acceptor *acceptor;
    struct tri_wire *wire;
    void (*changed)(struct tri_session *session); /* it has something to send, or to tell */
    struct tri_stream *told_first, *told_last;
    struct tri_stages stages;
    struct tri_spare spare, inflated, sealed;
    struct tri_health_watch *watches; /* services.c's */
    const TRI_ATOMIC(bool) *serving;  /* the group's; NULL: serving */
    struct tri_tls *tls;              /* NULL: plaintext */
    struct tri_gate *gate;
    struct tri_hub_counters counters;
    uint64_t now_ns; /* of this turn; 0: not read yet */
};

struct tri_session {
    nghttp2_session *h2; /* NULL: not yet, or lost */
    struct tri_hub *hub;
    struct tri_out out;
    struct tri_stream *streams;
    uint32_t stream_count; /* whose closed() has not returned */
    bool server;
    bool tls;
    bool settled;      /* the peer's SETTINGS have come */
    bool refusing;     /* a last GOAWAY is out */
    bool large_frames; /* the peer has been told that it may send them */
    int32_t last_id;   /* of the last stream that the peer has opened */
    /* How much comes while a ping goes there and back: what windows have to let through. */
    bool probing;
    uint64_t probe_bytes, probe_ns;
    int32_t window;      /* of streams */
    char last_words[96]; /* of a peer that said why it goes; or empty */
    bool pinged;         /* an acknowledgement is awaited */
    uint64_t pinged_ns, heard_ns;
    /* Frames that cost us more than their sender: a bucket of tokens. */
    uint64_t cheap_ns;
    uint32_t cheap_left;
    const char *peer, *peer_names;
};

/* ---- Sessions ------------------------------------------------------------ */

/* Zeroed before. TR_ENOMEM. The first SETTINGS lie ready. */
tr_err tri_session_begin(struct tri_session *session, struct tri_hub *hub, bool server);
/* Takes in what the peer sent. False: the connection is to be closed once `out` is written. */
bool tri_session_input(struct tri_session *session, const uint8_t *data, size_t size);
/* Puts what is to be sent into `out`, which must be empty. False: give the connection up. */
bool tri_session_fill(struct tri_session *session);
/* After tri_out_wrote(): releases buffers. */
void tri_session_wrote(struct tri_session *session);
/* True when neither side has anything left to say. */
bool tri_session_over(const struct tri_session *session);
/* No new streams; those that are open go on. */
void tri_session_refuse(struct tri_session *session);
/* Asks the peer whether it is there. */
void tri_session_ping(struct tri_session *session);
/* The connection is gone: ends all streams with `status` and `text`. */
void tri_session_lose(struct tri_session *session, int status, const char *text);

/* ---- Streams ------------------------------------------------------------- */

/* Of a session that may not have begun. NULL: no memory. */
struct tri_stream *tri_stream_create(struct tri_session *session,
                                     const struct tri_wire_events *events, void *user);
/* Sends the call of a dialled stream; `authority` is its host and port. */
tr_err tri_stream_call(struct tri_stream *stream, const char *authority);
/* The wire gives the stream up, whoever owns it. */
void tri_stream_fail(struct tri_stream *stream, int status, const char *fmt, ...) TR_PRINTF(3, 4);
/* What the calls of struct tri_wire do. */
void tri_stream_send(struct tri_stream *stream, struct tri_buffer *taken);
size_t tri_stream_queued(const struct tri_stream *stream);
void tri_stream_close_send(struct tri_stream *stream);
void tri_stream_end(struct tri_stream *stream, int status, const char *text);
void tri_stream_pause(struct tri_stream *stream, bool paused);
const char *tri_stream_peer(const struct tri_stream *stream);
const char *tri_stream_peer_names(const struct tri_stream *stream);

/* Tells owners what has happened; true if there was anything. */
bool tri_hub_tell(struct tri_hub *hub);
void tri_hub_fini(struct tri_hub *hub);

/* ---- Between session.c, stream.c and incoming.c ---------------------------- */

void tri_stream_tell(struct tri_stream *stream, enum tri_tell what);
/* nghttp2 is through with it. */
void tri_stream_h2_closed(struct tri_stream *stream, uint32_t code);
/* Tells of its end, if it has come. */
void tri_stream_close_if_done(struct tri_stream *stream);
/* A buffer is with the kernel, or never will be. */
void tri_stream_released(struct tri_stream *stream, struct tri_buffer *buffer);
/* DATA has come. */
void tri_stream_data(struct tri_stream *stream, const uint8_t *data, size_t size);
/* Messages that were held back. */
void tri_stream_resume(struct tri_stream *stream);
void tri_stream_peer_ended(struct tri_stream *stream);
void tri_stream_receive_fini(struct tri_stream *stream);
/* Headers, one at a time, then their end. False: reset the stream. */
bool tri_stream_header(struct tri_stream *stream, const uint8_t *name, size_t name_size,
                       const uint8_t *value, size_t value_size);
void tri_stream_headers_end(struct tri_stream *stream, bool first);
/* A frame of DATA for nghttp2: planned, then appended to `out`. */
ssize_t tri_stream_plan(nghttp2_session *h2, int32_t id, uint8_t *buffer, size_t length,
                        uint32_t *ret_flags, nghttp2_data_source *source, void *user);
int tri_stream_append(struct tri_stream *stream, const uint8_t *head, size_t size);
/* One half has come to its end, and the other (remote: the peer's) is not wanted any more: resets the
 * stream without an error, unless that half has ended, too. */
void tri_stream_stop(struct tri_stream *stream, bool remote);
/* An answer in plain HTTP, to what is not gRPC. */
void tri_stream_answer_plain(struct tri_stream *stream);

#endif
