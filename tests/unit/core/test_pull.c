/* Pools under failures, work pulling, and limits: who is replaced, and that nothing is lost. */
#include "base/alloc.h"
#include "workers.h"

static uint32_t quiet_jobs;

static tr_err quiet_receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)ctx;
    (void)state;
    (void)msg;
    quiet_jobs++;
    return TR_OK;
}
static const struct tr_actor quiet_actor = {.name = "quiet", .receive = quiet_receive};

/* ---- Supervision of pools ------------------------------------------------ */

static void a_routee_that_stops_is_replaced_with_its_keys(void **state)
{
    (void)state;
    tr_pid p = pool(4, TR_ROUTE_HASH);
    jobs(p, 0, 99);
    tr_pid gone = seen.by_key[7];
    tr_pid before[100];
    memcpy(before, seen.by_key, sizeof before);
    order(gone, STOP);
    assert_false(tr_alive(root, gone));
    forget_trace();
    jobs(p, 0, 99);
    for (int i = 0; i < 100; i++) {
        if (tr_pid_equal(before[i], gone))
            assert_true(tr_pid_equal(seen.by_key[i], seen.by_key[7]));
        else
            assert_true(tr_pid_equal(seen.by_key[i], before[i]));
    }
    struct tr_router_status s = status_of(p);
    assert_int_equal(s.routees, 4);
    assert_int_equal(s.replaced, 1);
    for (int i = 0; i < 20; i++) /* Stopping is no failure: as often as they like. */
        order(p, STOP);
    assert_int_equal(status_of(p).replaced, 21);
}

static void failures_are_the_routees_first_and_then_the_routers(void **state)
{
    (void)state;
    tr_pid listener = tr_spawn(root, &worker_actor, .arg = &argument);
    tr_pid p = pool(1, TR_ROUTE_ROUND_ROBIN);
    tr_send(root, listener, order, .what = LISTEN, .to = p);
    run();
    order(p, FAIL); /* restarted */
    order(p, FAIL); /* stopped: one failure is its budget; and replaced */
    char want[128];
    snprintf(want, sizeof want, "failed:worker:%d:%d failed:worker:%d:%d", TR_EUSER, TR_RESTART,
             TR_EUSER, TR_STOP);
    assert_trace(want);
    assert_int_equal(status_of(p).replaced, 1);
    order(p, FAIL);
    order(p, FAIL); /* The second that ends so: the router fails, and is restarted. */
    snprintf(want, sizeof want, "failed:worker:%d:%d failed:worker:%d:%d failed:router:%d:%d",
             TR_EUSER, TR_RESTART, TR_EUSER, TR_STOP, TR_ERESTARTS, TR_RESTART);
    assert_trace(want);
    assert_int_equal(status_of(p).replaced, 0);
    jobs(p, 1, 1);
    for (int i = 0; i < 4; i++)
        order(p, FAIL);
    assert_false(tr_alive(root, p)); /* It has failed twice now. */
    assert_non_null(strstr(trace, "down:11"));
}

static void a_router_with_jobs_in_its_mailbox_restarts_without_losing_them(void **state)
{
    (void)state;
    order(tr_spawn(root, &worker_actor, .arg = &argument), LISTEN);
    tr_pid p = tr_spawn(root, &worker_actor, .arg = &argument, .pool = 2, .route = TR_ROUTE_PULL,
                        .supervise = &stop_and_restart);
    run();
    /* The third failure that ends a routee is beyond the budget of two. */
    for (int i = 0; i < 3; i++)
        tr_send(root, p, order, .what = FAIL);
    for (uint32_t n = 1; n <= 20; n++)
        tr_send(root, p, job, .n = n);
    run();
    uint32_t sum = 0;
    for (uint32_t i = 0; i < seen.count; i++)
        sum += seen.jobs[i];
    assert_int_equal(sum + seen.dead_jobs, 20);
    assert_true(seen.dead_jobs <= 1); /* What the other routee had in hand. */
    assert_int_equal(system_accounts().queued, 0);
    assert_int_equal(seen.inits, 1 + 2 + 2 + 2); /* listener, start, two replaced, restart */
}

/* ---- Work pulling -------------------------------------------------------- */

static void pulling_gives_one_at_a_time_in_order(void **state)
{
    (void)state;
    tr_pid p = pool(2, TR_ROUTE_PULL);
    for (uint32_t n = 1; n <= 50; n++)
        tr_send(root, p, job, .n = n);
    run();
    struct tr_router_status s = status_of(p);
    assert_int_equal(s.routed, 50);
    assert_int_equal(s.waiting, 0);
    assert_int_equal(s.busy, 0);
    assert_int_equal(seen.jobs[0] + seen.jobs[1], 50);
    assert_int_equal(seen.backwards, 0); /* Each routee gets them in the order of the queue. */
}

static void pulling_with_one_routee_is_a_queue(void **state)
{
    (void)state;
    tr_pid p = pool(1, TR_ROUTE_PULL);
    for (uint32_t n = 1; n <= 9; n++)
        tr_send(root, p, job, .n = n);
    for (uint32_t i = 0; i < 3; i++)
        (void)tr_system_step(sys, 1);
    struct tr_accounts a;
    tr_system_accounts(sys, &a);
    assert_true(tr_accounts_balance(&a));
    run();
    assert_trace("1 2 3 4 5 6 7 8 9");
    struct answer b;
    assert_int_equal(tr_ask(root, p, TR_INTO(answer, &b), 1000, question, .n = 4), TR_OK);
    assert_int_equal(b.n, 5);
}

static void a_larger_pool_pulls_what_waits(void **state)
{
    (void)state;
    tr_pid p = pool(1, TR_ROUTE_PULL);
    for (uint32_t n = 1; n <= 30; n++)
        tr_send(root, p, job, .n = n);
    resize(p, 3);
    jobs(p, 31, 60);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < seen.count; i++)
        sum += seen.jobs[i];
    assert_int_equal(sum, 60);
    assert_int_equal(seen.count, 3);
    resize(p, 1);
    jobs(p, 61, 70);
    assert_int_equal(status_of(p).busy, 0);
    assert_int_equal(system_accounts().processed, system_accounts().accepted);
}

static void who_waits_in_a_router_that_ends_is_a_dead_letter(void **state)
{
    (void)state;
    order(tr_spawn(root, &worker_actor, .arg = &argument), LISTEN);
    tr_pid p = pool(1, TR_ROUTE_PULL);
    for (uint32_t n = 1; n <= 9; n++)
        tr_send(root, p, job, .n = n);
    (void)tr_system_step(sys, 4); /* Some are with the router now. */
    tr_stop(root, p);
    run();
    assert_int_equal(system_accounts().queued, 0);
    assert_int_equal(seen.jobs[0] + seen.dead_jobs, 9);
    assert_true(seen.dead_jobs > 0);
}

/* ---- Limits -------------------------------------------------------------- */

static void what_a_router_keeps_is_bounded(void **state)
{
    (void)state;
    const uint32_t count = 5000;
    tr_pid p = tr_spawn(root, &quiet_actor, .pool = 1, .route = TR_ROUTE_PULL, .mailbox_max = 1000);
    run();
    for (uint32_t n = 0; n < count; n++)
        tr_send(root, p, job, .n = n);
    run();
    struct tr_accounts a = system_accounts();
    assert_true(a.dead[TR_DEAD_REFUSED] > 0);
    assert_true(quiet_jobs >= 1000);
    assert_int_equal(quiet_jobs + a.dead[TR_DEAD_REFUSED], count);
    assert_int_equal(a.queued, 0);
}

/* The 1st … nth allocation of a pool's life fails: no crash, no leak, and the accounts balance. */
static void routers_survive_without_memory(void **state)
{
    (void)state;
    uint32_t refused = 0, made = 0;
    for (int64_t n = 0; n < 60; n++) {
        tri_alloc_fail_after(n);
        tr_pid p = tr_spawn(root, &worker_actor, .arg = &argument, .pool = 3,
                            .route = TR_ROUTE_HASH, .route_key = key_of, .name = "pool");
        run();
        if (tr_alive(root, p)) {
            tr_send(root, p, job, .n = 1);
            assert_int_equal(tr_pool_resize(root, p, 20), TR_OK);
        }
        run();
        tri_alloc_fail_after(-1);
        refused += tr_pid_is_nobody(p);
        if (!tr_pid_is_nobody(p) && tr_alive(root, p)) {
            made++;
            tr_stop(root, p);
        }
        run();
        (void)system_accounts();
        assert_true(tr_pid_is_nobody(tr_lookup(root, "pool")));
    }
    assert_true(refused > 0 && made > 0);
    forget_trace();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTER_TEST(a_routee_that_stops_is_replaced_with_its_keys),
        ROUTER_TEST(failures_are_the_routees_first_and_then_the_routers),
        ROUTER_TEST(a_router_with_jobs_in_its_mailbox_restarts_without_losing_them),
        ROUTER_TEST(pulling_gives_one_at_a_time_in_order),
        ROUTER_TEST(pulling_with_one_routee_is_a_queue),
        ROUTER_TEST(a_larger_pool_pulls_what_waits),
        ROUTER_TEST(who_waits_in_a_router_that_ends_is_a_dead_letter),
        ROUTER_TEST(what_a_router_keeps_is_bounded),
        ROUTER_TEST(routers_survive_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
