/* Pools and groups: who gets what, and how they change while they run. */
#include "workers.h"

/* ---- Pools --------------------------------------------------------------- */

static void round_robin_is_even_and_routees_are_children(void **state)
{
    (void)state;
    tr_pid p = pool(4, TR_ROUTE_NONE);
    assert_int_equal(seen.inits, 4);
    assert_int_equal(seen.argument, 77);
    jobs(p, 1, 40);
    assert_int_equal(seen.count, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(seen.jobs[i], 10);
    assert_true(tr_pid_equal(seen.parent, p));
    tr_stop(root, p);
    run();
    for (int i = 0; i < 4; i++)
        assert_false(tr_alive(root, seen.who[i]));
}

static void random_reaches_all(void **state)
{
    (void)state;
    tr_pid p = pool(3, TR_ROUTE_RANDOM);
    for (int i = 0; i < 10; i++) {
        jobs(p, 1, 100);
        forget_trace();
    }
    assert_int_equal(seen.count, 3);
    for (int i = 0; i < 3; i++)
        assert_in_range(seen.jobs[i], 250, 420);
}

static void broadcast_reaches_each(void **state)
{
    (void)state;
    tr_pid p = pool(3, TR_ROUTE_BROADCAST);
    jobs(p, 5, 5);
    assert_trace("5 5 5");
    assert_int_equal(seen.count, 3);
    struct answer a;
    assert_int_equal(tr_ask(root, p, TR_INTO(answer, &a), 1000, question, .n = 1), TR_OK);
    assert_int_equal(a.n, 2);
    run();
}

static void equal_keys_reach_the_same_routee_before_and_after_a_resize(void **state)
{
    (void)state;
    tr_pid before[200];
    tr_pid p = pool(8, TR_ROUTE_HASH);
    jobs(p, 0, 199);
    memcpy(before, seen.by_key, sizeof before);
    forget_trace();
    jobs(p, 0, 199);
    assert_memory_equal(before, seen.by_key, sizeof before);
    forget_trace();
    resize(p, 9);
    jobs(p, 0, 199);
    uint32_t moved = 0;
    for (int i = 0; i < 200; i++)
        moved += !tr_pid_equal(before[i], seen.by_key[i]);
    assert_in_range(moved, 1, 60); /* about 22 */
    forget_trace();
    resize(p, 8);
    jobs(p, 0, 199);
    assert_memory_equal(before, seen.by_key, sizeof before);
}

static void least_loaded_goes_round_the_long_queue(void **state)
{
    (void)state;
    tr_pid p = pool(3, TR_ROUTE_LEAST_LOADED);
    jobs(p, 1, 3); /* One each: all are idle, they take turns. */
    assert_int_equal(seen.count, 3);
    /* Fifty wait for the first one, and all that is routed meanwhile passes it by. */
    for (uint32_t n = 100; n < 150; n++)
        tr_send(root, seen.who[0], job, .n = n);
    for (uint32_t n = 200; n < 240; n++)
        tr_send(root, p, job, .n = n);
    run();
    assert_int_equal(seen.jobs[0], 1 + 50);
    assert_int_equal(seen.jobs[1], 1 + 20);
    assert_int_equal(seen.jobs[2], 1 + 20);
}

static void answers_and_senders_pass_the_router_by(void **state)
{
    (void)state;
    tr_pid p = pool(2, TR_ROUTE_ROUND_ROBIN);
    struct answer a, b;
    assert_int_equal(tr_ask(root, p, TR_INTO(answer, &a), 1000, question, .n = 1), TR_OK);
    assert_int_equal(tr_ask(root, p, TR_INTO(answer, &b), 1000, question, .n = 2), TR_OK);
    assert_int_equal(a.n, 2);
    assert_int_equal(b.n, 3);
    assert_false(tr_pid_equal(a.by, b.by) || tr_pid_equal(a.by, p));
}

static void routees_too_many_finish_what_they_have(void **state)
{
    (void)state;
    tr_pid p = pool(4, TR_ROUTE_ROUND_ROBIN);
    for (uint32_t n = 1; n <= 40; n++)
        tr_send(root, p, job, .n = n);
    resize(p, 1);
    assert_int_equal(status_of(p).routees, 1);
    uint32_t sum = 0, alive = 0;
    for (uint32_t i = 0; i < seen.count; i++) {
        sum += seen.jobs[i];
        alive += tr_alive(root, seen.who[i]);
    }
    assert_int_equal(sum, 40);
    assert_int_equal(alive, 1);
    assert_int_equal(tr_pool_resize(root, p, 0), TR_EINVAL);
    assert_int_equal(tr_pool_resize(root, p, TR_ROUTEES_MAX + 1), TR_EINVAL);
    resize(p, TR_ROUTEES_MAX);
    assert_int_equal(status_of(p).routees, TR_ROUTEES_MAX);
}

/* ---- Groups -------------------------------------------------------------- */

static void groups_take_in_and_lose_routees(void **state)
{
    (void)state;
    tr_pid members[3];
    for (int i = 0; i < 3; i++)
        members[i] = tr_spawn(root, &worker_actor, .arg = &argument);
    tr_pid g = tr_spawn_group(root, members, 2, .route = TR_ROUTE_BROADCAST, .name = "group");
    run();
    assert_true(tr_pid_equal(tr_lookup(root, "group"), g));
    jobs(g, 1, 1);
    assert_trace("1 1");
    assert_int_equal(tr_group_add(root, g, members[2]), TR_OK);
    assert_int_equal(tr_group_add(root, g, members[2]), TR_OK);
    jobs(g, 2, 2);
    assert_trace("2 2 2");
    assert_int_equal(tr_group_remove(root, g, members[0]), TR_OK);
    tr_stop(root, members[1]);
    run();
    jobs(g, 3, 3);
    assert_trace("3");
    assert_int_equal(tr_group_remove(root, g, members[2]), TR_OK);
    assert_int_equal(tr_group_add(root, g, TR_NOBODY), TR_EINVAL);
    jobs(g, 4, 4);
    assert_trace("");
    assert_int_equal(system_accounts().dead[TR_DEAD_NO_ACTOR], 1);
    tr_stop(root, g);
    run();
    assert_true(tr_alive(root, members[0])); /* They are not its children. */
    struct answer a;
    assert_int_equal(tr_ask(root, g, TR_INTO(answer, &a), 1000, question), TR_ENOACTOR);
}

static void an_empty_group_fills_and_pulls(void **state)
{
    (void)state;
    tr_pid g = tr_spawn_group(root, NULL, 0, .route = TR_ROUTE_PULL);
    assert_int_equal(tr_pid_err(g), TR_OK);
    tr_pid a = tr_spawn(root, &worker_actor, .arg = &argument);
    assert_int_equal(tr_group_add(root, g, a), TR_OK);
    jobs(g, 1, 5);
    assert_trace("1 2 3 4 5");
}

static void groups_count_the_mail_that_they_can_see(void **state)
{
    (void)state;
    tr_pid members[] = {tr_spawn(root, &worker_actor, .arg = &argument, .mailbox_max = 100),
                        tr_spawn(root, &worker_actor, .arg = &argument)};
    tr_pid g = tr_spawn_group(root, members, 2, .route = TR_ROUTE_LEAST_LOADED);
    run();
    for (uint32_t n = 100; n < 120; n++)
        tr_send(root, members[0], job, .n = n);
    for (uint32_t n = 1; n <= 10; n++)
        tr_send(root, g, job, .n = n);
    run();
    assert_int_equal(seen.jobs[hand(members[0])], 20);
    assert_int_equal(seen.jobs[hand(members[1])], 10);
}

static void a_resize_of_a_group_and_a_change_of_a_pool_are_unhandled(void **state)
{
    (void)state;
    tr_pid a = tr_spawn(root, &worker_actor, .arg = &argument);
    tr_pid g = tr_spawn_group(root, &a, 1, .route = TR_ROUTE_RANDOM);
    tr_pid p = pool(2, TR_ROUTE_RANDOM);
    resize(g, 3);
    assert_int_equal(tr_group_add(root, p, a), TR_OK);
    run();
    assert_int_equal(system_accounts().dead[TR_DEAD_UNHANDLED], 2);
    assert_int_equal(status_of(g).routees, 1);
    assert_int_equal(status_of(p).routees, 2);
}

/* ---- Arguments ----------------------------------------------------------- */

static void bad_routers_are_refused(void **state)
{
    (void)state;
    tr_pid nobody[] = {TR_NOBODY};
    const struct tr_spawn_args bad[] = {
        {.actor = &worker_actor, .pool = TR_ROUTEES_MAX + 1},
        {.actor = &worker_actor, .pool = 2, .route = (enum tr_route)99},
        {.actor = &worker_actor, .pool = 2, .route = TR_ROUTE_HASH},
        {.actor = &worker_actor, .pool = 2, .group = nobody, .group_size = 1},
        {.actor = &worker_actor, .group = nobody, .group_size = 1},
        {.group = nobody, .group_size = 1, .route = TR_ROUTE_RANDOM},
        {.group_size = 1, .route = TR_ROUTE_RANDOM},
        {.pool = 3},
        {.actor = NULL},
        {.actor = &worker_actor,
         .pool = 2,
         .route = TR_ROUTE_PULL,
         .overflow = TR_DROP_OLDEST,
         .mailbox_max = 5},
        {.actor = &worker_actor, .pool = 2, .route = TR_ROUTE_PULL, .mailbox_max = TR_PULL_MAX + 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tr_error error = {0};
        struct tr_spawn_args args = bad[i];
        args.error = &error;
        assert_int_equal(tr_pid_err(tr_spawn_(root, &args)), TR_EINVAL);
        assert_int_equal(error.code, TR_EINVAL);
        assert_string_not_equal(error.text, ""); /* A sentence, not only a code. */
        assert_string_not_equal(error.text, tr_strerror(TR_EINVAL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROUTER_TEST(round_robin_is_even_and_routees_are_children),
        ROUTER_TEST(random_reaches_all),
        ROUTER_TEST(broadcast_reaches_each),
        ROUTER_TEST(equal_keys_reach_the_same_routee_before_and_after_a_resize),
        ROUTER_TEST(least_loaded_goes_round_the_long_queue),
        ROUTER_TEST(answers_and_senders_pass_the_router_by),
        ROUTER_TEST(routees_too_many_finish_what_they_have),
        ROUTER_TEST(groups_take_in_and_lose_routees),
        ROUTER_TEST(an_empty_group_fills_and_pulls),
        ROUTER_TEST(groups_count_the_mail_that_they_can_see),
        ROUTER_TEST(a_resize_of_a_group_and_a_change_of_a_pool_are_unhandled),
        ROUTER_TEST(bad_routers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
