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

/*
 * Runs the programs with each order that they use weakened to relaxed, one at a time, and counts
 * those for which no program fails. Those named in `spared` ("function op", NULL-terminated) are
 * known to be stronger than these programs need; each comes with its reason in the test.
 */
static inline void explore_weakened(const struct tri_program *const *programs,
                                    const char *const *spared)
{
    const struct tri_site_info *found;
    struct tri_site_info sites[256];
    struct tri_verdict v;
    tri_sites_forget();
    for (int i = 0; programs[i]; i++)
        tri_explore(programs[i], &v);
    uint32_t count = tri_sites(&found);
    memcpy(sites, found, count * sizeof *sites);
    uint32_t caught = 0, missed = 0, known = 0;
    for (uint32_t s = 0; s < count; s++) {
        char name[128];
        snprintf(name, sizeof name, "%s %s", sites[s].site.func, sites[s].op);
        bool failed = false;
        tri_weaken(&sites[s]);
        for (int i = 0; programs[i] && !failed; i++) {
            tri_explore(programs[i], &v);
            failed = v.failed;
        }
        tri_weaken(NULL);
        bool spare = false;
        for (int i = 0; spared && spared[i]; i++)
            spare = spare || strcmp(spared[i], name) == 0;
        if (failed) {
            caught++;
            printf("  weakened %-40s line %3d: found after %llu\n", name, sites[s].site.line,
                   (unsigned long long)v.executions);
        } else if (spare) {
            known++;
            printf("  weakened %-40s line %3d: not needed here\n", name, sites[s].site.line);
        } else {
            missed++;
            print_error("weakened %s line %d: NOT FOUND\n", name, sites[s].site.line);
        }
    }
    printf("  %u orders weakened: %u found, %u not needed by these programs\n", count, caught,
           known);
    assert_int_equal(missed, 0);
    assert_true(caught > 0);
}

#endif
