/*
 * tests/lib/sweep.h - a path with its 1st, 2nd, … nth allocation failing.
 *
 * Who includes it defines sweep_forget(), which forgets what the actors of the last run saw.
 */
#ifndef TROUPE_TESTS_SWEEP_H
#define TROUPE_TESTS_SWEEP_H

#include "stepped.h"

#include <string.h>

#include "base/alloc.h"

static void sweep_forget(void);

static void start(void)
{
    sweep_forget();
    assert_int_equal(stepped_start(NULL), 0);
}

static void end(void)
{
    struct tr_accounts a;
    struct tr_stats s;
    assert_int_equal(tr_system_stop(sys, 30000), TR_OK);
    tr_system_accounts(sys, &a);
    tr_system_stats(sys, &s);
    assert_true(tr_accounts_balance(&a));
    assert_true(a.queued == 0 && s.actors == 0 && s.timers == 0);
    tr_system_destroy(sys);
}

/*
 * Runs `path` with each allocation failing once; it tells whether it succeeded. `must` says
 * that it has to fail when an allocation did. Ends when no allocation is left to fail.
 */
static void sweep(const char *name, tr_err (*path)(void), tr_err must)
{
    for (int n = 0;; n++) {
        assert_true(n < 200);
        start();
        tri_alloc_fail_after(n);
        tr_err err = path();
        bool all = tri_alloc_fail_pending();
        tri_alloc_fail_after(-1);
        if (all)
            assert_int_equal(err, TR_OK);
        else if (err)
            assert_int_equal(err, must);
        tr_system_run(sys);
        sweep_forget();
        assert_int_equal(path(), TR_OK); /* Everything works afterwards. */
        end();
        if (all) {
            printf("  %s: %d allocations\n", name, n);
            return;
        }
    }
}

#endif
