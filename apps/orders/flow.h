/* flow.h - one run: orders from a source through the actors into the books. */
#ifndef ORDERS_FLOW_H
#define ORDERS_FLOW_H

#include "gate.h"
#include "messages.h"
#include "payment.h"
#include "source.h"

#include "troupe/event.h"

struct flow_progress {
    uint64_t done, total; /* of the source, in its own unit; total 0: not known */
    uint64_t orders, lines;
    double seconds;
    bool last;
};

/* What the intake does when orders come faster than the ledger commits them. Whatever it does,
 * an order that was acknowledged is in the books. */
enum flow_backpressure {
    BACKPRESSURE_DELAY, /* it waits: the source is read at the ledger's speed */
    BACKPRESSURE_DROP,  /* the order is turned away, unacknowledged; a later run enters it */
    BACKPRESSURE_QUEUE  /* sixteen times as many may be under way; beyond that it waits */
};

/* Actors without threads, for the simulator. */
struct flow_stage {
    tr_system *system; /* a manual one, which is stopped in the end but stays the caller's */
    /* Lets the actors go on while the run waits; false: they have nothing more to do. */
    bool (*next)(void *user);
    /* Before each document: here other threads may have gone on or not. */
    void (*meanwhile)(void *user);
    void *user;
};

struct flow_options {
    struct ord_source *source; /* borrowed */
    const char *name;          /* of the source, for messages */
    const char *db;
    unsigned workers;               /* 0: one per core */
    const struct flow_stage *stage; /* NULL: threads of the run's own */
    int64_t stock;                  /* pieces per product at the start; -1: no bound */
    bool stock_given;
    enum flow_backpressure backpressure;
    uint32_t under_way; /* orders at most, rounded up to a power of two; 0: 4096 */
    void (*dropped)(void *user, const char *key); /* BACKPRESSURE_DROP; may be NULL */
    int64_t window_s;                  /* repeated baskets closer than this are parked; 0: never */
    struct payment_provider *provider; /* borrowed */
    void (*progress)(void *user, const struct flow_progress *progress); /* may be NULL */
    void (*complain)(void *user, const char *sentence);       /* one refused order or line */
    bool (*deliver)(void *user, const struct notice *notice); /* on a worker; may be NULL */
    void *user;
};

struct flow_result {
    uint64_t lines_read; /* data lines of the source */
    uint64_t orders_entered, lines_entered;
    uint64_t orders_known, lines_known; /* recognised: entered by an earlier run */
    uint64_t refused, refused_lines;    /* orders or lines with an error, now or known */
    uint64_t dropped, dropped_lines;    /* turned away: not entered, not acknowledged */
    uint64_t waits, under_way_most;     /* how often the intake waited, and what was under way */
    double seconds_waited;
    uint64_t notices;
    double seconds;     /* from the first line to the last commit */
    double cpu_seconds; /* of all threads, in that time */
    struct gate_figures figures;
    struct tr_accounts accounts;
    bool lines_accounted;    /* read = entered + known + refused + dropped */
    bool messages_accounted; /* accounts balance; nothing lost but answers that came late */
    bool broken;             /* the source broke off; what came before is entered */
};

/* False: the run could not go on; *error says why, and what is committed stays committed. */
bool flow_run(const struct flow_options *options, struct flow_result *ret_result,
              struct ord_error *error);

#endif
