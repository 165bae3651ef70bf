/*
 * core/supervise.h - what a supervisor decides. Pure: from policy, history, error and time
 * to a directive and a delay.
 */
#ifndef TROUPE_CORE_SUPERVISE_H
#define TROUPE_CORE_SUPERVISE_H

#include "troupe/actor.h"

/* Failures remembered for the sliding window. */
#define TRI_RESTARTS_MAX 64u

/* How often one actor has failed lately. Resumes, stops and escalations use up no budget. */
struct tri_restarts {
    uint64_t at_ns[TRI_RESTARTS_MAX]; /* a ring of the newest that asked for a restart */
    uint32_t count;                   /* of them, ever */
    uint32_t backoff_steps;
    uint64_t last_ns; /* of the last failure, whatever the directive */
};

struct tri_decision {
    enum tr_directive directive;
    unsigned delay_ms; /* before a restart */
    unsigned failures; /* that asked for a restart, within the window, this one included */
};

/* `policy` may be NULL: the default one. `random` feeds the jitter. Records the failure. */
struct tri_decision tri_supervise(const struct tr_supervision *policy,
                                  struct tri_restarts *restarts, tr_err code, uint64_t now_ns,
                                  uint64_t random);

/* NULL, or what is wrong with a policy, as a sentence. */
const char *tri_supervision_invalid(const struct tr_supervision *policy);

#endif
