/*
 * post.h - numbered parcels between this node and one other: what to do next. Pure: a state, an
 * event, and the actions that follow; no I/O, no clock, no allocation.
 *
 * Each direction has numbers 1, 2, 3 … of its own. A parcel is kept in the sender's database from
 * the transaction that made it until the receiver has its effects on disk:
 *
 *    sender    kept ───── sent ───── acked                acked ≤ sent ≤ kept
 *                │          └ under way ┘                  at most POST_WINDOW of them
 *              outbox
 *    receiver  taken ──── applied                          applied ≤ taken < applied + window
 *                └ with the role ┘ └ on disk, with the number, in one transaction
 *
 * The road between them may lose parcels and repeat them, and mixes them up only across breaks:
 * whatever is not the next one is not taken. Loss is found by hellos: an answer tells how far the
 * receiver has taken, and the sender goes back to there. So delivery is at least once, and effect
 * exactly once.
 *
 * Both ends name the database that they work on (identity) and their process (start). Another
 * process has forgotten what was taken but not applied: sending begins again after what was
 * acknowledged. Another database under the same name has other numbers: nothing is taken from it
 * and nothing sent to it.
 */
#ifndef ORDERS_POST_H
#define ORDERS_POST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POST_WINDOW 1024u                 /* parcels under way in one direction at most */
#define POST_WINDOW_BYTES (8u << 20)      /* … and their bytes, unless it is a single one */
#define POST_ASK_NS UINT64_C(100000000)   /* between hellos while something is open */
#define POST_IDLE_NS UINT64_C(500000000)  /* … and while nothing is */
#define POST_AWAY_NS UINT64_C(3000000000) /* silent for so long: the peer is away */

enum post_trouble {
    POST_FINE,
    POST_OTHER_DATABASE, /* the peer's database is not the one that it was */
    POST_WENT_BACK,      /* ours has lost what the peer knows of: parcels or their effects */
    POST_NONSENSE        /* a parcel of the peer's made no sense; set by whoever opened it */
};

struct post {
    uint64_t identity; /* of the peer's database; 0: never met */
    uint64_t start;    /* of the peer's process; 0: not heard of yet */
    enum post_trouble trouble;
    bool up;   /* it answers */
    bool away; /* it has not for POST_AWAY_NS */
    uint64_t heard_ns, asked_ns;

    uint64_t kept, sent, acked; /* out */
    uint64_t applied, taken;    /* in */
    uint64_t gap;               /* told the peer of a gap after this number; UINT64_MAX: of none */
    uint64_t bytes;             /* under way */
    uint32_t size[POST_WINDOW]; /* of those under way, by number */
    uint64_t repeated, went_back; /* for the report: parcels that came again, and resends */
};

enum post_event_kind {
    POST_TICK,    /* now_ns */
    POST_HELLO,   /* identity, start, sent, acked: what the peer has sent us */
    POST_ACK,     /* identity, start, applied, taken; sent: as in the hello that it answers */
    POST_PARCEL,  /* identity, start, number */
    POST_KEPT,    /* number: up to there parcels are in the outbox, on disk */
    POST_SENT,    /* number, size: the next parcel was handed to the road */
    POST_APPLIED, /* number: up to there effects are on disk */
};

struct post_event {
    enum post_event_kind kind;
    uint64_t now_ns;
    uint64_t identity, start; /* of the peer */
    uint64_t number, size;
    uint64_t sent, acked, applied, taken;
};

/* What follows, as a set; the numbers are in the state. */
#define POST_DO_HELLO 1u    /* say hello */
#define POST_DO_ACK 2u      /* tell what is applied and taken (and post_event.sent back) */
#define POST_DO_TAKE 4u     /* give this parcel to the role */
#define POST_DO_PUMP 8u     /* more may be sent: see post_room() */
#define POST_DO_FORGET 16u  /* parcels up to `acked` may leave the outbox */
#define POST_DO_MEET 32u    /* write down the peer's identity */
#define POST_DO_UP 64u      /* the peer answers again */
#define POST_DO_DOWN 128u   /* the peer is away */
#define POST_DO_REFUSE 256u /* see `trouble`; said once */

/* What the database says about the pair. */
void post_open(struct post *post, uint64_t identity, uint64_t kept, uint64_t acked,
               uint64_t applied);
unsigned post_step(struct post *post, const struct post_event *event);

/* How many parcels may be sent now if there are as many, and bytes of them; the first one always
 * may when none is under way. */
uint64_t post_window(const struct post *post, uint64_t *ret_bytes);
/* How many parcels after `sent` may be sent now, likewise. */
uint64_t post_room(const struct post *post, uint64_t *ret_bytes);

#endif
