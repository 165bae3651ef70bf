/*
 * tests/interleave/explore.h - runs a small program of up to four threads in all its schedules.
 *
 * The threads are coroutines that run the real code, built with TROUPE_INTERLEAVE: before every
 * atomic operation the explorer chooses which of them goes on. All choices are tried, depth
 * first, but for those that dynamic partial-order reduction with sleep sets (Flanagan and
 * Godefroid, POPL 2005) shows to be the same as one that was tried.
 *
 * The memory is that of C11, not of the machine at hand. Each location keeps all stores in its
 * modification order; a load chooses among those that coherence still lets it see; a store may
 * also enter the order before a racing one. Release and acquire hand on views and vector clocks,
 * read-modify-writes continue release sequences and read the latest store, a compare-exchange
 * may fail on an older one, seq_cst operations take effect in the order in which they run.
 * Plain accesses are seen through the compiler's hooks (-fsanitize=thread without its library),
 * and a data race between any two accesses is a failure; as are a deadlock, a failed
 * expectation or assertion, and an execution that does not end.
 *
 * What is not explored: load buffering (a load never sees a store that runs later), fences, a
 * read-modify-write before an older store, and a thread that sees the same overwritten value
 * more than TRI_STALE_MAX times in a row.
 */
#ifndef TROUPE_TESTS_EXPLORE_H
#define TROUPE_TESTS_EXPLORE_H

#include "base/atomic.h"

#define TRI_THREADS_MAX 4u
#define TRI_STALE_MAX 2u

struct tri_program {
    const char *name;
    void (*set_up)(void); /* before every execution; what it writes all threads see */
    void (*threads[TRI_THREADS_MAX])(void);
    void (*check)(void);     /* after every execution, all threads ended; may be NULL */
    uint64_t executions_max; /* 0: no limit */
    bool no_reduction;       /* try every thread everywhere: to check the reduction itself */
};

struct tri_verdict {
    uint64_t executions; /* that ran to their end */
    uint64_t cut;        /* that the sleep sets showed to be repetitions */
    uint64_t steps_max;  /* atomic operations in the longest */
    bool complete;       /* every schedule was covered */
    bool failed;
    char text[8192]; /* what failed, and the schedule up to there */
};

/* Explores until the first failure. */
void tri_explore(const struct tri_program *program, struct tri_verdict *ret);

/* The current execution has failed if `cond` is false. In threads and in check. */
void tri_expect_(bool cond, const char *what, const char *file, int line);
#define TRI_EXPECT(cond) tri_expect_((cond), #cond, __FILE__, __LINE__)

/* 0 … n - 1: every one is tried. In threads only. */
uint32_t tri_choose(uint32_t n);

/* The index of the running thread; TRI_THREADS_MAX in set_up and check. */
uint32_t tri_thread_index(void);

/* In set_up: the 8 bytes at `p` are one place, also where the code accesses halves of it. C11
 * leaves that open; the compilers and machines of today do what is meant. */
void tri_model_word(const volatile void *p);
/* In set_up: no data race is reported for these bytes. */
void tri_race_allow(const volatile void *p, size_t size);
/* Nanoseconds; moves only by the time-outs of the running thread. */
uint64_t tri_model_clock_ns(void);
void tri_model_clock_pass(uint64_t ns);
/* How often the sleeps of one execution may end by themselves; set it in set_up. */
void tri_model_timeouts(uint32_t max);

/* ---- Weakening ----------------------------------------------------------- */

/* Every operation of the function `func` with an order above relaxed is a site. */
struct tri_site_info {
    struct tri_model_site site;
    const char *op;
    memory_order order;
};
/* Sites met since the last tri_sites_forget(); the explorer collects them. */
uint32_t tri_sites(const struct tri_site_info **ret);
void tri_sites_forget(void);
/* From now on that site's order is relaxed. NULL: none. */
void tri_weaken(const struct tri_site_info *site);

#endif
