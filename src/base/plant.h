/*
 * base/plant.h - bugs that a build with TROUPE_PLANTED can switch on, to test the tests.
 *
 * In all other builds TRI_PLANTED() is false and leaves nothing behind. `make planted` shows
 * that the simulator finds each of them.
 */
#ifndef TROUPE_BASE_PLANT_H
#define TROUPE_BASE_PLANT_H

#include <stdbool.h>

#define TRI_PLANTS(X)                                                                    \
    X(LOST_WAKEUP, "lost-wakeup")         /* a bounded mailbox sometimes wakes nobody */ \
    X(CIRCLE, "circle")                   /* delays may close a circle */                \
    X(RELEASE_ONE, "release-one")         /* a drained mailbox lets only one go on */    \
    X(OUT_OF_ORDER, "out-of-order")       /* messages overtake in a bounded mailbox */   \
    X(DROP_UNCOUNTED, "drop-uncounted")   /* a dropped message is in no account */       \
    X(WAITERS_KEPT, "waiters-kept")       /* the end of a receiver lets nobody go on */  \
    X(HANDLED_TWICE, "handled-twice")     /* every ninth message of an actor */          \
    X(RESTART_DROPPED, "restart-dropped") /* the supervisor's decision is lost */        \
    X(MAIL_UNCOUNTED, "mail-uncounted")   /* what waits at an end is in no account */    \
    X(DOWN_LOST, "down-lost")             /* watchers do not hear of an end */           \
    X(TIMEOUT_LOST, "timeout-lost")       /* a request waits for ever */                 \
    X(STOP_DROPPED, "stop-dropped")       /* tr_stop() of itself is not heard */         \
    X(BACKOFF_FLAT, "wrong-backoff")      /* the delay before a restart never grows */   \
    X(LEAKED, "leaked-message")           /* dead letters are not given back */          \
    X(STASH_ORDER, "stash-order")         /* what was put aside overtakes */             \
    X(LATE_TAKEN, "late-taken")           /* answers to calls that are over count */     \
    X(TIMER_EARLY, "timer-early")         /* some timers come before their time */       \
    X(RESULT_LOST, "result-lost")         /* some offloaded work is done in vain */      \
    X(BATCH_UNCOUNTED, "batch-uncounted") /* a batch counts as one message less */

enum tri_plant {
    TRI_PLANT_NONE,
#define X(name, word) TRI_PLANT_##name,
    TRI_PLANTS(X)
#undef X
        TRI_PLANT_COUNT
};

/* More of them, which take two threads: only where TROUPE_INTERLEAVE explores their schedules. */
enum tri_race {
    TRI_RACE_NONE,
    TRI_RACE_BOUND_IDLE,      /* a cell goes idle without a look at its bounded mailbox */
    TRI_RACE_BOUND_TENANT,    /* a bounded mailbox takes what was sent to the last tenant */
    TRI_RACE_DELAY_DRAINED,   /* a sender waits for a mailbox that has drained meanwhile */
    TRI_RACE_DELAY_FORGOTTEN, /* a sender that ends while it waits leaves its edge behind */
    TRI_RACE_UNPARKED_SILENT  /* a worker that leaves its rest does not wake the watchdog */
};

#ifdef TROUPE_INTERLEAVE
extern enum tri_race tri_raced;
#define TRI_RACED(name) (tri_raced == TRI_RACE_##name)
#else
#define TRI_RACED(name) false
#endif

#ifdef TROUPE_PLANTED
extern enum tri_plant tri_planted;
#define TRI_PLANTED(name) (tri_planted == TRI_PLANT_##name)
#else
#define TRI_PLANTED(name) false
#endif

/* Switches a bug on; false if there is none of that name, or this build has none. */
bool tri_plant(const char *word);
/* The name of bug `index` (from 0); NULL after the last. */
const char *tri_plant_word(unsigned index);

#endif
