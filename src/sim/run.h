/* sim/run.h - one run of a test function. */
#ifndef TROUPE_SIM_RUN_H
#define TROUPE_SIM_RUN_H

#include "sim/sim.h"

struct tri_test_result {
    bool failed;
    char why[512];
    uint64_t messages;
    uint16_t *decisions;
    size_t decision_count;
    uint32_t event_count; /* of the history, left out or not */
    char *trace;          /* NULL: empty */
};

/* False: it could not be run, and ret->why says why. */
bool tri_test_run(tr_test_fn fn, const struct tri_sim_options *options,
                  struct tri_test_result *ret);
void tri_test_result_fini(struct tri_test_result *result);

#endif
