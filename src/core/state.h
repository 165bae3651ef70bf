/*
 * core/state.h - the life of an actor.
 *
 *            spawn                init ok
 *    FREE ──────────► STARTING ─────────────► RUNNING ◄───────────────┐
 *     ▲                  │ init fails          │   │                   │ resume
 *     │                  ▼                     │   │ handler fails     │
 *     │              SUSPENDED ◄───────────────┼───┘                   │
 *     │               │  │  │ └───────────────┼────────────────────────┘
 *     │          stop │  │  │ restart, delayed│ stop
 *     │               │  │  └──────► BACKOFF  │
 *     │               │  │ restart     │      │
 *     │               │  ▼             │      │
 *     │               │ RESTARTING ◄───┘      │
 *     │               │  │   │ children gone, old state away
 *     │               │  │   └──────► STARTING
 *     │               ▼  ▼ stop               ▼
 *     └──────────── STOPPING ◄────────────────┘
 *   children gone
 *
 * A healthy actor goes through BACKOFF and RESTARTING too when a sibling's failure restarts it.
 * tri_state_move() checks every step against the table below.
 */
#ifndef TROUPE_CORE_STATE_H
#define TROUPE_CORE_STATE_H

#include "base/assert.h"

#include <stdbool.h>
#include <stdint.h>

#define TRI_STATES(X)                                                    \
    X(TRI_FREE, "free")             /* no tenant */                      \
    X(TRI_STARTING, "starting")     /* init has not run yet */           \
    X(TRI_RUNNING, "running")       /* takes messages */                 \
    X(TRI_SUSPENDED, "suspended")   /* failed; the supervisor decides */ \
    X(TRI_BACKOFF, "backoff")       /* will restart after a delay */     \
    X(TRI_RESTARTING, "restarting") /* waits for its children to end */  \
    X(TRI_STOPPING, "stopping")     /* waits for its children, then ends */

enum tri_state {
#define X(code, name) code,
    TRI_STATES(X)
#undef X
        TRI_STATE_COUNT
};

const char *tri_state_name(enum tri_state state);
#define TRI_TO_(s) (1u << (s))
/* For each state, the set of those that may follow. Here, so that a step between two states that
 * the compiler knows costs nothing. */
static const uint8_t tri_state_next[TRI_STATE_COUNT] = {
    [TRI_FREE] = TRI_TO_(TRI_STARTING) | TRI_TO_(TRI_RUNNING),
    [TRI_STARTING] = TRI_TO_(TRI_RUNNING) | TRI_TO_(TRI_SUSPENDED) | TRI_TO_(TRI_STOPPING) |
                     TRI_TO_(TRI_RESTARTING),
    [TRI_RUNNING] = TRI_TO_(TRI_SUSPENDED) | TRI_TO_(TRI_BACKOFF) | TRI_TO_(TRI_STOPPING) |
                    TRI_TO_(TRI_RESTARTING),
    [TRI_SUSPENDED] = TRI_TO_(TRI_RUNNING) | TRI_TO_(TRI_BACKOFF) | TRI_TO_(TRI_RESTARTING) |
                      TRI_TO_(TRI_STOPPING),
    [TRI_BACKOFF] = TRI_TO_(TRI_RESTARTING) | TRI_TO_(TRI_STOPPING),
    [TRI_RESTARTING] = TRI_TO_(TRI_STARTING) | TRI_TO_(TRI_STOPPING),
    [TRI_STOPPING] = TRI_TO_(TRI_FREE),
};

/* False also for what is no state. */
bool tri_state_may(enum tri_state from, enum tri_state to);

/* Moves *state; asserts that the table allows it. */
static inline void tri_state_move(uint8_t *state, enum tri_state to)
{
    TRI_ASSERT(*state < TRI_STATE_COUNT && (tri_state_next[*state] & 1u << to) != 0);
    *state = (uint8_t)to;
}

/* The same from a state that the caller knows: checked when compiled, but for where it starts. */
static inline void tri_state_step(uint8_t *state, enum tri_state from, enum tri_state to)
{
    TRI_ASSERT(*state == from && (tri_state_next[from] & 1u << to) != 0);
    *state = (uint8_t)to;
}

#endif
