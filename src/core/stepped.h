/*
 * core/stepped.h - stepped systems whose order of events somebody else chooses (the simulator).
 *
 * All that could run is gathered in one list; the port picks, one message is handled, and so on.
 * The code that handles it is the same as on threads, but for the short path.
 */
#ifndef TROUPE_CORE_STEPPED_H
#define TROUPE_CORE_STEPPED_H

#include "core/ports.h"

struct tri_stepped {
    struct tri_stepper port;
    struct tri_cell **cells; /* runnable: `count` from `first` on */
    size_t first;
    size_t count;
    size_t capacity;
};

/* Before anything has run; `port` is copied. False when out of memory. */
bool tri_stepped_install(struct tr_system *sys, const struct tri_stepper *port);
void tri_stepped_remove(struct tr_system *sys);

/* One choice; how many messages were handled, or UINT64_MAX when there was nothing to choose. */
uint64_t tri_stepped_step(struct tri_worker *worker);

/* True: the message is dealt with, and *ret_err is what its handler returned. */
bool tri_stepped_intercept(struct tr_ctx *ctx, struct tri_cell *cell, struct tri_block *block,
                           tr_err *ret_err);

/* A copy of a message, with whoever waits for an answer; NULL when out of memory. */
struct tri_block *tri_stepped_copy(struct tr_ctx *ctx, struct tri_block *block);

#endif
