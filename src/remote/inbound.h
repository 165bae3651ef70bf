/*
 * remote/inbound.h - calls that others make here: streams of messages, and questions.
 *
 * All on the I/O thread that the stream belongs to. What a batch holds goes straight from the bytes
 * that came into mailboxes; nothing that a peer may send does more than end its own stream.
 */
#ifndef TROUPE_REMOTE_INBOUND_H
#define TROUPE_REMOTE_INBOUND_H

#include "remote/link.h"

struct tri_inbound {
    struct tri_inbound *next, *prev;
    struct tri_remote_io *io;
    struct tri_stream *stream;
    struct tri_link *link; /* to the peer; NULL until it has said who it is */
    /* A message that found the system's memory full: it is gone on with at envelope `held_at`. */
    uint8_t *held;
    size_t held_size;
    uint64_t held_at;
    unsigned held_looks; /* in vain, since one found room */
    struct tri_wire_timer resume;
    uint32_t forgotten; /* of the link, when it said who it is */
    bool ended;         /* the peer has half-closed meanwhile */
    bool client;        /* cannot be dialled: we answer on this stream */
    bool leaving;       /* it has our DisconnectRequest */
    char member_id[64];
};

/* The stream of a call that others have made, by its path; NULL: there is no such call. */
const struct tri_wire_events *tri_inbound_accept(struct tri_remote_io *io,
                                                 struct tri_stream *stream, const char *path,
                                                 void **ret_user);
struct tri_stream *tri_inbound_stream(struct tri_inbound *inbound);

/*
 * The messages of a batch from the peer of `link`, those before *at left out; a malformed one ends
 * the stream (NULL: it is over). False, if it may `wait`: there is no memory for message *at.
 */
bool tri_inbound_batch(struct tri_remote_io *io, struct tri_link *link, const char *member_id,
                       struct tri_stream *stream, const struct tri_remote_message *message,
                       uint64_t *at, bool wait);

/*
 * Messages that come in gather until all that this turn has read is worked off, and what there is
 * for one actor is delivered together: now, where something else is about to be told to actors.
 */
void tri_inbound_settle(struct tri_remote_io *io);
void tri_inbound_on_settle(struct tri_wire_job *job);

/* Now and then. A peer that we could not reach has lost its watches here, and believes them kept as
 * long as its stream to us is whole: that one is ended, then it tells its watchers. */
void tri_inbound_tick(struct tri_remote_io *io);

/* This node leaves: says so to all, or ends all that are left. */
void tri_inbound_leave(struct tri_remote_io *io);
void tri_inbound_cut(struct tri_remote_io *io);

/* What is not one of the user's messages (control.c). `to` is nobody if there is no such actor. */
struct tri_arrival {
    struct tri_remote_io *io;
    struct tri_link *link; /* of the peer that it came from */
    const char *member_id; /* of that peer: we may have dialled it by another address */
    const struct tri_envelope_in *in;
    tr_pid to;   /* a remote one: it is passed on (remote/bridge.h) */
    tr_pid from; /* nobody: it has no sender */
    uint64_t call;
};
/* The call that it answers; 0: none. */
uint64_t tri_arrival_answers(const struct tri_arrival *arrival);
/* A block for a message with these headers; what is above their bounds is left out. NULL: there is
 * no memory. */
struct tri_block *tri_inbound_block(struct tr_ctx *ctx, const struct tr_type *type, size_t size,
                                    struct tri_reader headers);

void tri_control_arrived(const struct tri_arrival *arrival, enum tri_system_type type);
/* It was not taken: its sender, if there is one, gets a DeadLetterResponse. */
void tri_control_reject(const struct tri_arrival *arrival);
/* The same where the accounts of this node have it already. */
void tri_control_dead_letter(const struct tri_arrival *arrival);
/* The link of a PID that came over `link`; NULL: it may have none. */
struct tri_link *tri_control_link(struct tri_link *link, struct tri_name address);

#endif
