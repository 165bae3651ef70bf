/*
 * remote/assoc.h - what an association with one peer does next. Pure: from state and event to state
 * and actions; who calls has the clock, the stream and the queue.
 *
 *             WANT                      OPENED              ACCEPTED
 *     IDLE ─────────► DIALLING ────────────────► SHAKING ─────────────► UP ◄─────┐
 *      ▲ │              ▲   │ LOST                │  │ │ ACCEPTED_BLIND         │ DIALECT, TIMER
 *      │ │ WANT,        │   │         LOST        │  │ └──────► PROBING ────────┘
 *      │ │ too early    │   ▼                     │  │             │ LOST
 *      │ └────────► WAITING ◄─────────────────────┘◄─│─────────────┘
 *      │   give up     │ SHUT                        │ REFUSED
 *      ├───────────────┤                             ▼
 *      │ LOST          │          LOST            CLOSING ◄── UP: PEER_LEAVES, IDLE, SHUT
 *      └───── UP       └───────► SHUT ◄───────────────┘
 *
 * An association that is not used is IDLE and costs nothing. Once it is wanted it dials, again and
 * again with growing delays, until it is up or has been in vain for give_up_ms: then what is queued
 * is given up and it is IDLE, but does not dial again before the delay is over. An attempt that is
 * under way by then goes on, for whoever comes next: to a host that says nothing it takes longer.
 * tri_assoc_on() checks every step against the table in assoc.c.
 */
#ifndef TROUPE_REMOTE_ASSOC_H
#define TROUPE_REMOTE_ASSOC_H

#include <stdbool.h>
#include <stdint.h>

#define TRI_ASSOC_STATES(X)                                                          \
    X(TRI_ASSOC_IDLE, "idle")         /* no connection, none wanted */               \
    X(TRI_ASSOC_WAITING, "waiting")   /* will dial again */                          \
    X(TRI_ASSOC_DIALLING, "dialling") /* a stream is being opened */                 \
    X(TRI_ASSOC_SHAKING, "shaking")   /* we have said who we are */                  \
    X(TRI_ASSOC_PROBING, "probing")   /* accepted; the dialect is being found out */ \
    X(TRI_ASSOC_UP, "up")             /* messages flow */                            \
    X(TRI_ASSOC_CLOSING, "closing")   /* the stream is on its way out */             \
    X(TRI_ASSOC_SHUT, "shut")         /* for good */

enum tri_assoc_state {
#define X(code, name) code,
    TRI_ASSOC_STATES(X)
#undef X
        TRI_ASSOC_STATE_COUNT
};

#define TRI_ASSOC_EVENTS(X)                                                                    \
    X(TRI_ASSOC_WANT, "want")                     /* something is queued */                    \
    X(TRI_ASSOC_OPENED, "opened")                 /* the stream is there */                    \
    X(TRI_ASSOC_ACCEPTED, "accepted")             /* the peer took us, its dialect known */    \
    X(TRI_ASSOC_ACCEPTED_BLIND, "accepted blind") /* … and its dialect is not */             \
    X(TRI_ASSOC_REFUSED, "refused")               /* one of the two does not want the other */ \
    X(TRI_ASSOC_DIALECT, "dialect")               /* it is known now */                        \
    X(TRI_ASSOC_PEER_LEAVES, "peer leaves")       /* DisconnectRequest */                      \
    X(TRI_ASSOC_LOST, "lost")                     /* the stream has ended, however */          \
    X(TRI_ASSOC_TIMER, "timer")                                                                \
    X(TRI_ASSOC_UNUSED, "unused") /* nothing to do for idle_ms */                              \
    X(TRI_ASSOC_LEAVE, "leave")   /* this node leaves: send what is queued, and close */       \
    X(TRI_ASSOC_CUT, "cut")       /* … close at once */

enum tri_assoc_event {
#define X(code, name) code,
    TRI_ASSOC_EVENTS(X)
#undef X
        TRI_ASSOC_EVENT_COUNT
};

/* What is to be done, in this order. */
#define TRI_ASSOC_CANCEL 1u    /* end the stream */
#define TRI_ASSOC_GIVE_UP 4u   /* what is queued becomes dead letters */
#define TRI_ASSOC_DOWN 8u      /* tell who watches actors there */
#define TRI_ASSOC_DIAL 16u     /* open a stream */
#define TRI_ASSOC_GREET 32u    /* send the ConnectRequest */
#define TRI_ASSOC_PROBE 64u    /* send what is answered in the peer's dialect */
#define TRI_ASSOC_ASSUME 128u  /* no answer: take the newer dialect */
#define TRI_ASSOC_FLUSH 256u   /* send what is queued */
#define TRI_ASSOC_HANG_UP 512u /* half-close, after what was sent */

struct tri_assoc_config {
    uint32_t backoff_ms_min, backoff_ms_max;
    uint32_t give_up_ms;
    uint32_t dial_ms;  /* until the stream is open */
    uint32_t shake_ms; /* until the ConnectResponse */
    uint32_t probe_ms; /* until the dialect is known */
    uint32_t close_ms; /* until the peer has ended a stream that we hung up */
};

struct tri_assoc {
    enum tri_assoc_state state;
    bool wanted;              /* while closing: dial again afterwards */
    bool leaving;             /* while closing: it is for good */
    uint32_t attempts;        /* failed in a row */
    uint64_t wanted_since_ns; /* what is queued waits since then for a link; 0: nothing does */
    uint64_t attempt_end_ns;  /* DIALLING, SHAKING: until then it may take */
    uint64_t retry_ns;        /* do not dial before */
    uint64_t due_ns;          /* when TIMER is to come; UINT64_MAX: never */
    uint64_t chance;          /* of the jitter */
};

void tri_assoc_init(struct tri_assoc *assoc, uint64_t seed);
/* The actions (TRI_ASSOC_…). Afterwards the timer is to be set to assoc->due_ns. */
uint32_t tri_assoc_on(struct tri_assoc *assoc, const struct tri_assoc_config *config,
                      enum tri_assoc_event event, uint64_t now_ns);

const char *tri_assoc_state_name(enum tri_assoc_state state);
const char *tri_assoc_event_name(enum tri_assoc_event event);
bool tri_assoc_may(enum tri_assoc_state from, enum tri_assoc_state to);

#endif
