/*
 * gate.h - the intake's back-pressure: how far the ledger has committed, and what that took.
 * The ledger advances it, the intake's thread waits at it. Any thread.
 */
#ifndef ORDERS_GATE_H
#define ORDERS_GATE_H

#include "doc.h"

#include <pthread.h>

/* Latencies in microseconds: 32 steps per doubling, so within 3%. */
#define GATE_STEPS 32u
#define GATE_BUCKETS (GATE_STEPS * 40u)

struct gate_figures {
    uint64_t committed; /* documents */
    uint64_t committed_lines;
    uint64_t batches, batch_most;
    uint64_t by_state[STATE_COUNT];
    uint64_t refused, refused_lines;
    uint64_t latency[GATE_BUCKETS]; /* of orders entered; refusals are none */
};

struct gate {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    /* Where there are no threads: called instead of waiting, lets the actors go on. False: they
     * have nothing more to do. NULL: there are threads. */
    bool (*next)(void *user);
    void *user;
    struct gate_figures figures;
    int64_t owed; /* orders entered as refunded, and not yet are; below 0: just not counted yet */
    bool failed;
    struct ord_error why;
};

bool gate_init(struct gate *gate);
void gate_fini(struct gate *gate);

/* The ledger has committed these documents. Their memory is the intake's again on return. */
void gate_advance(struct gate *gate, struct doc *const *docs, size_t count);
/* Something broke: whoever waits gets to know. The first reason is kept. */
void gate_fail(struct gate *gate, const char *why);

/* Waits until `committed` documents are, and no more than `lines_left` of `lines` lines are
 * not; false when the run has failed. */
bool gate_wait(struct gate *gate, uint64_t committed, uint64_t lines, uint64_t lines_left,
               struct ord_error *error);
/* The same without waiting: true if it would return at once. */
bool gate_passable(struct gate *gate, uint64_t committed, uint64_t lines, uint64_t lines_left);
/* An earlier run has left a refund to be made. */
void gate_owe(struct gate *gate);
/* One is made. */
void gate_paid_back(struct gate *gate);
/* Waits until all are; false when the run has failed. */
bool gate_wait_paid_back(struct gate *gate, struct ord_error *error);
/* What is committed so far, at no cost. */
uint64_t gate_committed(struct gate *gate);

/* The latency that `permille` of the orders entered did not exceed, in microseconds. */
uint64_t gate_latency_us(const struct gate_figures *figures, unsigned permille);

#endif
