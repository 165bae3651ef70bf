/* tests/interleave/internal.h - between the explorer's files. */
#ifndef TROUPE_TESTS_INTERLEAVE_INTERNAL_H
#define TROUPE_TESTS_INTERLEAVE_INTERNAL_H

#include "explore.h"

#define STEPS_MAX 3000u

enum kind {
    OP_NONE,
    OP_LOAD,
    OP_STORE,
    OP_RMW,
    OP_CAS,
    OP_AWAIT,
    OP_LOCK,
    OP_SLEEP,
    OP_RESUME,
    OP_WAKE,
    OP_ENDED
};

/* What a thread is about to do. */
struct op {
    enum kind kind;
    bool writes; /* or may write: two reads of one place can change places */
    uintptr_t place;
    struct tri_model_site site;
};

struct clock {
    uint32_t of[TRI_THREADS_MAX];
};

static inline void clock_join(struct clock *a, const struct clock *b)
{
    for (uint32_t i = 0; i < TRI_THREADS_MAX; i++)
        a->of[i] = a->of[i] > b->of[i] ? a->of[i] : b->of[i];
}

/* ---- explore.c ----------------------------------------------------------- */

/* Announces the running thread's next operation; returns when it is to be done. */
void tri_step_begin(struct op op);
/* One of `n` outcomes of the operation at hand. */
uint32_t tri_step_choose(uint32_t n);
/* For the schedule that is printed. */
void tri_step_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Ends the execution. Does not return when a thread runs. */
void tri_step_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* In a thread of a running execution, not in set_up or check. */
bool tri_running(void);

/* ---- model.c ------------------------------------------------------------- */

void tri_memory_reset(void);
/* May the thread's announced operation be done now? */
bool tri_memory_enabled(uint32_t thread, const struct op *op);
/* The vector clock of a thread, for race.c. */
struct clock *tri_memory_clock(uint32_t thread);
/* A plain write took the place of the atomic history of [p, p + size). */
void tri_memory_forget(uintptr_t p, size_t size);

/* ---- race.c -------------------------------------------------------------- */

void tri_race_reset(void);
void tri_race_access(uintptr_t p, size_t size, bool write, bool atomic);

#endif
