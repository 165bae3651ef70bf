/*
 * tests/interleave/harness.h - for the interleaving tests: clean runs, and weakened ones.
 *
 * TROUPE_INTERLEAVE_LONG=1 in the environment (`make interleave`) asks for the long bounds.
 */
#ifndef TROUPE_TESTS_HARNESS_H
#define TROUPE_TESTS_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/prng.h"
#include "explore.h"

static inline bool long_bounds(void)
{
    return getenv("TROUPE_INTERLEAVE_LONG") != NULL;
}

/* Executions of one program at most: `in_short`, or what takes a minute or two. A program that
 * is cut there says so in its line. */
static inline uint64_t bound(uint64_t in_short)
{
    return long_bounds() ? 500000 : in_short;
}

/* The same for programs of whole turns, of which one takes half a millisecond. */
static inline uint64_t bound_of_turns(uint64_t in_short)
{
    return long_bounds() ? 50000 : in_short;
}

static inline int rounds(int in_short, int in_long)
{
    return long_bounds() ? in_long : in_short;
}

/* Explores all of it and expects no failure. */
static inline void explore_clean(const struct tri_program *program)
{
    struct tri_verdict v;
    tri_explore(program, &v);
    if (v.failed)
        fprintf(stderr, "%s: after %llu executions: %s\n", program->name,
                (unsigned long long)v.executions, v.text);
    assert_false(v.failed);
    printf("  %-52s %8llu schedules, %llu cut, up to %llu steps%s\n", program->name,
           (unsigned long long)v.executions, (unsigned long long)v.cut,
           (unsigned long long)v.steps_max, v.complete ? "" : "; NOT ALL: the bound was reached");
    /* The slice of `make test` may stop at its bound; the long run may not. */
    assert_true(v.complete || program->executions_max);
}

/* Explores programs in which a bug was planted, and expects that one of them fails. */
static inline void explore_planted(const char *bug, const struct tri_program *const *programs)
{
    struct tri_verdict v = {0};
    uint64_t executions = 0;
    for (int i = 0; programs[i] && !v.failed; i++) {
        struct tri_program p = *programs[i];
        p.executions_max = bound(20000);
        tri_explore(&p, &v);
        executions += v.executions + v.cut;
    }
    printf("  planted: %-43s %s after %llu schedules\n", bug, v.failed ? "found" : "NOT FOUND",
           (unsigned long long)executions);
    assert_true(v.failed);
}

static inline bool is_in(const char *const *names, const char *name)
{
    for (int i = 0; names && names[i]; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

/* True if one of the programs fails with that site's order weakened to relaxed. One that is known
 * not to be needed by them would go through all of them to the bound, for nothing: it gets the
 * short one, in which the others are found. */
static inline bool weakened_fails(const struct tri_program *const *programs,
                                  const struct tri_site_info *site, bool spare,
                                  uint64_t *ret_executions)
{
    struct tri_verdict v = {0};
    *ret_executions = 0;
    tri_weaken(site);
    for (int i = 0; programs[i] && !v.failed; i++) {
        struct tri_program p = *programs[i];
        if (!p.executions_max)
            p.executions_max = long_bounds() && !spare ? 200000 : 3000;
        tri_explore(&p, &v);
        *ret_executions += v.executions + v.cut;
    }
    tri_weaken(NULL);
    return v.failed;
}

/*
 * Runs the programs with each order that they use weakened to relaxed, one at a time, and fails
 * if no program does. Those in `spared` ("function operation") are known to be stronger than
 * these programs need; the test says why. `only`: no others than these, and all of these.
 */
static inline void explore_weakened_(const struct tri_program *const *programs,
                                     const char *const *spared, const char *const *only)
{
    const struct tri_site_info *found;
    struct tri_site_info sites[256];
    struct tri_verdict v;
    tri_sites_forget();
    for (int i = 0; programs[i]; i++) {
        struct tri_program p = *programs[i];
        p.executions_max = p.executions_max ? p.executions_max : 5000;
        tri_explore(&p, &v);
    }
    fflush(stdout);
    uint32_t count = tri_sites(&found);
    memcpy(sites, found, count * sizeof *sites);
    uint32_t caught = 0, missed = 0, known = 0, wanted = 0;
    for (uint32_t s = 0; s < count; s++) {
        char name[128];
        uint64_t executions;
        snprintf(name, sizeof name, "%s %s", sites[s].site.func, sites[s].op);
        if (only && !is_in(only, name))
            continue;
        bool spare = is_in(spared, name);
        bool failed = weakened_fails(programs, &sites[s], spare, &executions);
        printf("  weakened %-40s line %3d: %s after %llu\n", name, sites[s].site.line,
               failed  ? "found"
               : spare ? "not needed here"
                       : "NOT FOUND",
               (unsigned long long)executions);
        caught += failed;
        known += !failed && spare;
        missed += !failed && !spare;
    }
    for (int i = 0; only && only[i]; i++)
        wanted++;
    printf("  %u orders weakened: %u found, %u not needed by these programs\n",
           caught + known + missed, caught, known);
    assert_int_equal(missed, 0);
    assert_true(caught > 0 && caught >= wanted);
}

static inline void explore_weakened(const struct tri_program *const *programs,
                                    const char *const *spared)
{
    explore_weakened_(programs, spared, NULL);
}
static inline void explore_weakened_only(const struct tri_program *const *programs,
                                         const char *const *only)
{
    explore_weakened_(programs, NULL, only);
}

#endif
