/*
 * remote/link.h - the way to one peer: what is queued for it, and the stream it goes over.
 *
 * Workers fill the open chunk (outbox.c); the link's I/O thread seals it and hands it to the wire,
 * so that one chunk grows while another is written. The rest (link.c) is the I/O thread's alone.
 */
#ifndef TROUPE_REMOTE_LINK_H
#define TROUPE_REMOTE_LINK_H

#include "remote/node.h"

/* A batch and its memory. */
struct tri_chunk {
    struct tri_buffer buffer;
    struct tri_chunk *next;
    struct tri_link *link;
    uint64_t serial;  /* of the link's open chunks */
    uint32_t letters; /* messages of the accounts; the rest is ours */
    uint32_t count;   /* envelopes */
    size_t bytes;     /* what the queue counts */
    size_t capacity;
    struct tri_batch batch;
    _Alignas(64) uint8_t memory[];
};

struct tri_link {
    struct tr_remote *remote;
    struct tri_remote_io *io;
    char *address;
    uint32_t number; /* in the table */
    bool bridged;    /* a route leads there: it is to know no address but ours */

    /* The outbox: under `lock`. */
    struct tri_spin lock;
    bool posted; /* a flush will come, so nobody else need ask for one */
    bool queued; /* the job is on its way */
    bool shut;   /* takes nothing any more */
    enum tri_dialect dialect;
    struct tri_chunk *open;
    uint64_t serials;               /* of open chunks, ever */
    struct tri_chunk *first, *last; /* sealed */
    /* Ever queued, and ever done with: the former is written under the lock, the latter by the I/O
     * thread. */
    TRI_ATOMIC(uint64_t) letters_in, bytes_in;
    _Alignas(64) TRI_ATOMIC(uint64_t) letters_out, bytes_out;
    TRI_ATOMIC(uint64_t) refused;
    struct tri_wire_job job;
    struct tri_far *held; /* proxies that wait for room: remote/flow.h */

    /* Under the table's lock. */
    struct tri_far *fars;   /* actors there */
    struct tri_far *future; /* stands for all futures there */
    uint32_t watches;       /* by actors there on ours */

    /* The I/O thread's. */
    struct tri_assoc assoc;
    struct tri_wire_timer timer;
    struct tri_stream *stream;
    struct tri_inbound *client;   /* cannot be dialled: its stream is the way back */
    TRI_ATOMIC(bool) troupe;      /* a node of this library, as far as we know */
    bool configured;              /* the dialect was not found out, but given */
    enum tr_dialect known;        /* as given, or found out; TR_DIALECT_DETECT: not yet */
    TRI_ATOMIC(uint32_t) learned; /* what other threads found out: enum tr_dialect */
    TRI_ATOMIC(bool) learn_queued;
    struct tri_wire_job learn;
    char member_id[64]; /* of whom we were accepted by; "" before */
    uint64_t used_ns;
    uint64_t recent[2], recent_bytes[2]; /* letters written lately on this stream, and bytes */
    TRI_ATOMIC(uint32_t) state;          /* a copy of assoc.state for others */
    TRI_ATOMIC(uint32_t) known_copy;
    TRI_ATOMIC(uint32_t) forgotten; /* how often the peer's watches were, unknown to it */
    TRI_ATOMIC(uint32_t) attempts;
    /* Figures; each has one writer. */
    TRI_ATOMIC(uint64_t) sent, batches_sent, bytes_sent, dead, unknown, connects;
    TRI_ATOMIC(uint64_t) forwarded; /* taken on from other nodes; of any worker */
    TRI_ATOMIC(uint64_t) received, batches_received, bytes_received, rejected;
};

/* What is queued. Relaxed: figures, and a bound that is not to the byte. */
static inline uint64_t tri_link_letters(const struct tri_link *link)
{
    uint64_t out = tri_load(&link->letters_out, TRI_RELAXED);
    uint64_t in = tri_load(&link->letters_in, TRI_RELAXED);
    return in > out ? in - out : 0;
}

static inline uint64_t tri_link_bytes(const struct tri_link *link)
{
    uint64_t out = tri_load(&link->bytes_out, TRI_RELAXED);
    uint64_t in = tri_load(&link->bytes_in, TRI_RELAXED);
    return in > out ? in - out : 0;
}

/* The call of one of our actors as the wire has it, where 0 says that nobody waits. */
static inline uint32_t tri_call_number(uint64_t call)
{
    return call == 0 ? 0 : (uint32_t)call ? (uint32_t)call : UINT32_MAX;
}

/* The call of a peer, as the wire had it. */
static inline uint32_t tri_reply_number(uint64_t call)
{
    return call & TRI_CALL_FUTURE ? 0 : (uint32_t)call; /* TRI_CALL_UNNUMBERED is 0, too. */
}

/* ---- The outbox: any thread ------------------------------------------------ */

enum tri_put { TRI_PUT_OK, TRI_PUT_FULL, TRI_PUT_SHUT, TRI_PUT_INVALID, TRI_PUT_MEMORY };

/* Where a sender's messages of one type to one target are in the tables of a chunk: most messages
 * are like the one before. */
struct tri_route {
    uint64_t serial; /* of the chunk; 0: none */
    uint64_t type_key, sender_key;
    int32_t type, target, sender;
};

/* One message to go out. */
struct tri_outgoing {
    struct tri_name type; /* its size may be 0 where a NUL ends it */
    uint64_t type_key;
    struct tri_name target;
    uint64_t target_key;
    tr_pid from; /* nobody: no sender, or this one, which is none of our actors: */
    struct tri_name sender_id;
    uint64_t call; /* of the sender; 0: it does not wait */
    uint32_t target_request_id;
    const struct tr_codec *codec; /* NULL: the body is encoded already */
    const void *body;
    size_t body_size;
    uint32_t serializer_id; /* of an encoded body */
    const struct tri_header *headers;
    uint32_t header_count;
    bool letter;             /* one of the accounts */
    bool must;               /* finds room where others are refused */
    bool bound;              /* or is refused at the bound even where others wait */
    struct tri_route *route; /* may be NULL: is told */
};

/* Which bound of the queue is meant. */
enum tri_room {
    TRI_ROOM_BOUND, /* that of tr_try_send(): a little below */
    TRI_ROOM_USUAL, /* as the overflow policy says */
    TRI_ROOM_MUST,
};
/* Whether there is room now. */
bool tri_outbox_has_room(const struct tri_link *link, enum tri_room room);

enum tri_put tri_outbox_put(struct tri_link *link, struct tr_ctx *ctx,
                            const struct tri_outgoing *out);

/* A letter like the one that `serial` is of: its places in the tables are known. False: it is not so
 * simple any more, nothing was put. Bodies of at most TRI_REPEAT_MAX bytes. */
#define TRI_REPEAT_MAX ((size_t)4096)
bool tri_outbox_repeat(struct tri_link *link, uint64_t serial, const struct tri_envelope_out *e,
                       enum tri_room room);

/* The I/O thread: takes the oldest chunk, sealing it if it is the open one; NULL: none. */
struct tri_chunk *tri_outbox_take(struct tri_link *link);
/* Counts it out of the queue and gives its memory back. */
void tri_outbox_done(struct tri_chunk *chunk);
/* The dialect has been found out: what was queued before is put into it. */
void tri_outbox_set_dialect(struct tri_link *link, enum tri_dialect dialect);
/* Gives back an open chunk that is empty. */
void tri_outbox_drop_open(struct tri_link *link);
void tri_outbox_free_chunks(struct tr_remote *remote);

/* ---- The link --------------------------------------------------------------- */

/* Under the table's lock. NULL when out of memory. */
struct tri_link *tri_link_create(struct tr_remote *remote, const char *address);
void tri_link_destroy(struct tri_link *link);

/* The I/O thread's: */
void tri_link_event(struct tri_link *link, enum tri_assoc_event event);
/* A client's stream is the way back from now on; NULL: not any more. */
void tri_link_client(struct tri_link *link, struct tri_inbound *client);
/* Once a second. */
void tri_link_tick(struct tri_link *link, uint64_t now_ns);
/* What is in the chunk becomes dead letters. */
void tri_link_bury(struct tri_link *link, struct tri_chunk *chunk);

/* The dialect of the peer was seen. Any thread. */
void tri_link_learn(struct tri_link *link, enum tr_dialect dialect);

/* Messages of ours, to an actor there. Any thread. */
void tri_link_terminated(struct tri_link *link, struct tr_ctx *ctx, struct tri_name watcher,
                         struct tri_name who, enum tri_terminated_why why);
void tri_link_dead_letter(struct tri_link *link, struct tr_ctx *ctx, struct tri_name sender,
                          uint32_t request_id, struct tri_name target);

/* A small message by itself, for handshakes: bytes are copied. False when out of memory. */
bool tri_link_say(struct tri_wire *wire, struct tri_stream *stream, const uint8_t *data,
                  size_t size);

#endif
