/*
 * sim/sim.h - one node on one thread, from a seed.
 *
 * The system is a stepped one (core/stepped.h) with a virtual clock. All that is not decided by
 * the code under test is a decision: a number below a bound, drawn from the seed or taken from a
 * list. 0 always means the dull thing (whoever waits longest, no fault), so that a list of
 * decisions can be shrunk by making them 0.
 */
#ifndef TROUPE_SIM_SIM_H
#define TROUPE_SIM_SIM_H

#include "base/prng.h"
#include "core/stepped.h"
#include "sim/text.h"
#include "troupe/test.h"

/* Decisions that are recorded; a run may take more. */
#define TRI_SIM_DECISIONS_MAX ((size_t)1 << 20)
/* Messages on hold at a time. */
#define TRI_SIM_LATE_MAX 65536u
#define TRI_SIM_RULES_MAX 32u

struct tri_sim_options {
    uint64_t seed;
    uint64_t salt;          /* another one: other decisions for the same history */
    const uint16_t *script; /* decisions to take first; then 0. NULL: from the seed */
    size_t script_count;
    const uint32_t *events; /* those of the history that happen, ascending. NULL: all */
    size_t event_count;
    bool trace;
};

struct tri_sim_rule {
    const struct tr_type *type;
    int what;
    unsigned count;
    unsigned ms;
};

/* A message that has not come yet. */
struct tri_sim_late {
    uint64_t due_ns;
    tr_pid to;
    struct tri_block *block;
};

struct tri_sim {
    struct tri_sim_options options;
    tr_system *sys;
    uint64_t now_ns;
    struct tri_prng choices;
    struct tri_prng random;
    struct tri_prng history;
    uint16_t *decisions; /* as they were taken */
    size_t decision_count;
    uint32_t event;  /* number of the next one */
    size_t event_at; /* in options.events */
    struct tri_sim_rule rules[TRI_SIM_RULES_MAX];
    unsigned rule_count;
    struct tr_test_faults faults;
    struct tri_sim_late *late; /* by due_ns, then age */
    size_t late_count;
    size_t late_capacity;
    struct tri_text trace;
    uint64_t messages;
    bool in_turn;
    bool ending; /* no more faults */
};

/* NULL when out of memory. */
struct tri_sim *tri_sim_create(const struct tri_sim_options *options);
/* Stops the system within its own time; *accounts (may be NULL) is what is left. */
void tri_sim_finish(struct tri_sim *sim, struct tr_accounts *ret_accounts);
void tri_sim_destroy(struct tri_sim *sim);

/* Bytes of messages and states that nobody gave back. After tri_sim_finish(). */
uint64_t tri_sim_leaked(struct tri_sim *sim);
/* Instead of the system that has been finished a new one, at the same time. False: no memory. */
bool tri_sim_boot(struct tri_sim *sim);

/* Probes: what they get is not subject to chance. */
extern const struct tr_actor tri_probe_actor;

/* A decision: 0 … bound - 1. */
uint32_t tri_sim_decide(struct tri_sim *sim, uint32_t bound);
/* Does the next event of the history happen? */
bool tri_sim_event(struct tri_sim *sim);

void tri_sim_settle(struct tri_sim *sim);
/* Puts late messages that are due where they belong, for who steps the system himself. */
void tri_sim_deliver_due(struct tri_sim *sim);
void tri_sim_advance(struct tri_sim *sim, uint64_t ns);
/* One thing happens, at the next time at which there is one; false: nothing will. */
bool tri_sim_next(struct tri_sim *sim);

/* A line of the trace, behind the time. */
void tri_sim_note(struct tri_sim *sim, const char *fmt, ...) TR_PRINTF(2, 3);

#endif
