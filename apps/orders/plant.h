/*
 * plant.h - bugs that a build with TROUPE_PLANTED can switch on, to test the tests. In all other
 * builds ORDERS_PLANTED() is false and leaves nothing behind. `make planted` shows that the
 * simulation finds each of them.
 */
#ifndef ORDERS_PLANT_H
#define ORDERS_PLANT_H

#include <stdbool.h>

#define ORDERS_PLANTS(X)                                                                  \
    X(SKIPPED_SYNC, "skipped-sync")     /* commits are reported before they are safe */   \
    X(EARLY_ACK, "early-ack")           /* orders are acknowledged before their commit */ \
    X(CAPTURED_AGAIN, "captured-again") /* silence is answered by another capture */      \
    X(RELEASED_TWICE, "released-twice") /* a reservation is given back twice */           \
    X(KEY_FORGOTTEN, "key-forgotten")   /* what an earlier run entered is not known */    \
    X(TWIN_UNSEEN, "twin-unseen")       /* … nor what is under way */                   \
    X(BATCH_STOCK, "batch-stock")       /* a batch forgets the stock of its last order */ \
    X(REFUND_LOST, "refund-lost")       /* refunded in the books, not at the provider */  \
    X(OUT_OF_TURN, "out-of-turn")       /* stock goes to whoever comes first */           \
    X(NOTICE_LOST, "notice-lost")       /* after a crash nobody is told */                \
    X(STALE_STOCK, "stale-stock")       /* a run begins with the first run's stock */     \
    X(BATCH_TORN, "batch-torn")         /* a batch is committed in two halves */          \
    X(PARCEL_TWICE, "parcel-twice")     /* effect and number are two transactions */      \
    X(PARCEL_LOST, "parcel-lost")       /* a new process does not send the old parcels */ \
    X(PARCEL_EARLY, "parcel-early")     /* acknowledged when taken, not when on disk */

enum orders_plant {
    ORDERS_PLANT_NONE,
#define X(name, word) ORDERS_PLANT_##name,
    ORDERS_PLANTS(X)
#undef X
};

#ifdef TROUPE_PLANTED
extern enum orders_plant orders_planted;
#define ORDERS_PLANTED(name) (orders_planted == ORDERS_PLANT_##name)
#else
#define ORDERS_PLANTED(name) false
#endif

/* Switches a bug on; false if there is none of that name, or this build has none. */
bool orders_plant(const char *word);

#endif
