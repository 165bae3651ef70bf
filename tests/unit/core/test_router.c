/* Pools and groups: who gets what, who is replaced, and that nothing is lost. */
#include "base/alloc.h"
#include "stepped.h"

struct job {
    uint32_t n;
};
struct question {
    uint32_t n;
};
struct answer {
    uint32_t n;
    tr_pid by;
};
struct order {
    int what;
    tr_pid to;
    unsigned count;
};
TR_TYPE(job);
TR_TYPE(question);
TR_TYPE(answer);
TR_TYPE(order);

enum { FAIL, STOP, SEND_SELF, RESIZE, ADD, REMOVE, LISTEN, POOL };

#define HANDS_MAX 64u

/* Who handled what; the system runs on the test's thread. */
static struct {
    tr_pid who[HANDS_MAX]; /* in the order of their first job */
    uint32_t jobs[HANDS_MAX];
    uint32_t last[HANDS_MAX]; /* job that each has handled */
    uint32_t backwards;       /* jobs that came after a later one */
    uint32_t dead_jobs;
    uint32_t count;
    uint32_t inits;
    int32_t argument;
    tr_pid by_key[1024];
    tr_pid parent;
} seen;

static uint32_t hand(tr_pid pid)
{
    uint32_t i = 0;
    while (i < seen.count && !tr_pid_equal(seen.who[i], pid))
        i++;
    assert_true(i < HANDS_MAX);
    if (i == seen.count)
        seen.who[seen.count++] = pid;
    return i;
}

struct worker {
    int32_t argument;
};

static tr_err worker_init(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx;
    (void)state;
    seen.inits++;
    seen.argument = *(const int32_t *)arg;
    return TR_OK;
}

static tr_err on_job(tr_ctx *ctx, struct worker *self, const struct job *msg)
{
    (void)self;
    uint32_t self_index = hand(tr_self(ctx));
    seen.jobs[self_index]++;
    seen.backwards += msg->n < seen.last[self_index];
    seen.last[self_index] = msg->n;
    seen.parent = tr_parent(ctx);
    if (msg->n < 1024)
        seen.by_key[msg->n] = tr_self(ctx);
    note("%u", msg->n);
    return TR_OK;
}

static tr_err on_question(tr_ctx *ctx, struct worker *self, const struct question *msg)
{
    (void)self;
    tr_reply(ctx, answer, .n = msg->n + 1, .by = tr_self(ctx));
    return TR_OK;
}

static tr_err on_order(tr_ctx *ctx, struct worker *self, const struct order *msg);

static tr_err on_dead(tr_ctx *ctx, struct worker *self, const struct tr_dead_letter *msg)
{
    (void)ctx;
    (void)self;
    seen.dead_jobs += msg->type == &job_type;
    return TR_OK;
}

static tr_err on_failure(tr_ctx *ctx, struct worker *self, const struct tr_actor_failed *msg)
{
    (void)ctx;
    (void)self;
    note("failed:%s:%d:%d", msg->actor->name, msg->code, msg->directive);
    return TR_OK;
}

static tr_err on_down(tr_ctx *ctx, struct worker *self, const struct tr_down *msg)
{
    (void)ctx;
    (void)self;
    note("down:%d", msg->reason);
    return TR_OK;
}

#define WORKER_HANDLERS(ON)         \
    ON(job, on_job)                 \
    ON(question, on_question)       \
    ON(order, on_order)             \
    ON(tr_dead_letter, on_dead)     \
    ON(tr_actor_failed, on_failure) \
    ON(tr_down, on_down)
TR_DISPATCH(worker, WORKER_HANDLERS);

static const struct tr_actor worker_actor = {.name = "worker",
                                             .state_size = sizeof(struct worker),
                                             .arg_size = sizeof(int32_t),
                                             .init = worker_init,
                                             .receive = worker_receive};
static const int32_t argument = 77;
static const struct tr_supervision one_failure = {
    .restarts_max = 1, .within_ms = 1000, .on_failure = TR_RESTART};
static enum tr_directive stop_routees(tr_err code)
{
    return code == TR_ERESTARTS ? TR_RESTART : TR_STOP;
}
static const struct tr_supervision stop_and_restart = {
    .decide = stop_routees, .restarts_max = 2, .within_ms = 1000};

static tr_err on_order(tr_ctx *ctx, struct worker *self, const struct order *msg)
{
    (void)self;
    switch (msg->what) {
    case STOP:
        tr_stop(ctx, tr_self(ctx));
        return TR_OK;
    case LISTEN:
        if (!tr_pid_is_nobody(msg->to))
            tr_watch(ctx, msg->to);
        if (tr_subscribe(ctx, tr_dead_letter))
            return TR_EFULL;
        return tr_subscribe(ctx, tr_actor_failed);
    case RESIZE:
        return tr_pool_resize(ctx, msg->to, msg->count);
    case SEND_SELF:
        tr_send(ctx, tr_self(ctx), job, .n = msg->count);
        return TR_OK;
    default:
        return tr_fail(ctx, TR_EUSER, "as told");
    }
}

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

static uint64_t key_of(const tr_msg *msg)
{
    const struct job *job = tr_as(msg, job);
    return job ? job->n : 0;
}

static int start(void **state)
{
    memset(&seen, 0, sizeof seen);
    return set_up(state);
}

static tr_pid pool(unsigned count, enum tr_route how)
{
    tr_pid pid = tr_spawn(root, &worker_actor, .arg = &argument, .pool = count, .route = how,
                          .route_key = key_of, .supervise = &one_failure);
    run();
    assert_int_equal(tr_pid_err(pid), TR_OK);
    return pid;
}

static void jobs(tr_pid to, uint32_t first, uint32_t last)
{
    for (uint32_t n = first; n <= last; n++)
        tr_send(root, to, job, .n = n);
    run();
}

static void order(tr_pid to, int what)
{
    tr_send(root, to, order, .what = what);
    run();
}

static struct tr_router_status status_of(tr_pid router)
{
    struct tr_router_status s = {0};
    assert_int_equal(tr_ask(root, router, TR_INTO(tr_router_status, &s), 1000, tr_router_get),
                     TR_OK);
    return s;
}

static void resize(tr_pid router, unsigned count)
{
    assert_int_equal(tr_pool_resize(root, router, count), TR_OK);
    run();
}

static void forget_trace(void)
{
    trace_size = 0;
    trace[0] = '\0';
}

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

/* ---- Limits -------------------------------------------------------------- */

static void what_a_router_keeps_is_bounded(void **state)
{
    (void)state;
    const uint32_t count = TR_PULL_MAX + TR_PULL_MAX / 16;
    tr_pid p = tr_spawn(root, &quiet_actor, .pool = 1, .route = TR_ROUTE_PULL);
    run();
    for (uint32_t n = 0; n < count; n++)
        tr_send(root, p, job, .n = n);
    run();
    struct tr_accounts a = system_accounts();
    assert_true(a.dead[TR_DEAD_REFUSED] > 0);
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
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(tr_pid_err(tr_spawn_(root, &bad[i])), TR_EINVAL);
}

#define ROUTER_TEST(fn) cmocka_unit_test_setup_teardown(fn, start, tear_down)

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
        ROUTER_TEST(a_routee_that_stops_is_replaced_with_its_keys),
        ROUTER_TEST(failures_are_the_routees_first_and_then_the_routers),
        ROUTER_TEST(a_router_with_jobs_in_its_mailbox_restarts_without_losing_them),
        ROUTER_TEST(pulling_gives_one_at_a_time_in_order),
        ROUTER_TEST(pulling_with_one_routee_is_a_queue),
        ROUTER_TEST(a_larger_pool_pulls_what_waits),
        ROUTER_TEST(who_waits_in_a_router_that_ends_is_a_dead_letter),
        ROUTER_TEST(groups_take_in_and_lose_routees),
        ROUTER_TEST(an_empty_group_fills_and_pulls),
        ROUTER_TEST(groups_count_the_mail_that_they_can_see),
        ROUTER_TEST(a_resize_of_a_group_and_a_change_of_a_pool_are_unhandled),
        ROUTER_TEST(what_a_router_keeps_is_bounded),
        ROUTER_TEST(routers_survive_without_memory),
        ROUTER_TEST(bad_routers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
