/* What a test makes up: events that shrinking leaves out, decisions, restarts, and waiting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/run.h"
#include "sim/shrink.h"
#include "troupe/test.h"

struct count {
    uint32_t n;
};
struct question {
    uint32_t wait_ms;
};
struct answer {
    uint32_t n;
};
TR_TYPE(count);
TR_TYPE(question);
TR_TYPE(answer);

/* Answers after a while; wants its counts in order. */
struct clerk {
    uint32_t last;
    tr_caller caller;
};

static struct tr_test *now_testing;

static tr_err on_count(tr_ctx *ctx, struct clerk *self, const struct count *msg)
{
    (void)ctx;
    tr_expect(now_testing, msg->n == self->last + 1);
    self->last = msg->n;
    return TR_OK;
}

static tr_err on_question(tr_ctx *ctx, struct clerk *self, const struct question *msg)
{
    self->caller = tr_caller_of(ctx);
    if (msg->wait_ms)
        tr_after(ctx, msg->wait_ms, answer, .n = msg->wait_ms);
    return TR_OK;
}

static tr_err on_answer(tr_ctx *ctx, struct clerk *self, const struct answer *msg)
{
    tr_reply_to(ctx, self->caller, answer, .n = msg->n);
    return TR_OK;
}

#define CLERK_HANDLERS(ON) ON(count, on_count) ON(question, on_question) ON(answer, on_answer)
TR_DISPATCH(clerk, CLERK_HANDLERS);
static const struct tr_actor clerk_actor = {.name = "clerk",
                                            .state_size = sizeof(struct clerk),
                                            .receive = clerk_receive,
                                            .accepts = clerk_accepts};

static void good(tr_test_fn fn, uint64_t seed)
{
    struct tri_test_result result;
    assert_true(tri_test_run(fn, &(struct tri_sim_options){.seed = seed}, &result));
    if (result.failed)
        fail_msg("seed %u: %s\n%s", (unsigned)seed, result.why, result.trace);
    tri_test_result_fini(&result);
}

/* ---- Events --------------------------------------------------------------- */

static uint64_t numbers[20];
static bool happened[20];

/* Fails if events 4 and 11 happen. */
static void two_of_twenty(struct tr_test *t)
{
    for (int i = 0; i < 20; i++) {
        numbers[i] = tr_test_random(t);
        happened[i] = tr_test_event(t);
    }
    tr_expect(t, !(happened[4] && happened[11]));
}

static void events_that_are_left_out_change_no_others(void **state)
{
    static const uint32_t some[] = {0, 4, 19};
    uint64_t before[20];
    struct tri_test_result result;
    struct tri_sim_options options = {.seed = 5};
    (void)state;
    assert_true(tri_test_run(two_of_twenty, &options, &result));
    assert_true(result.failed);
    assert_true(result.event_count == 20);
    tri_test_result_fini(&result);
    memcpy(before, numbers, sizeof before);
    options.events = some;
    options.event_count = 3;
    assert_true(tri_test_run(two_of_twenty, &options, &result));
    assert_false(result.failed);
    for (int i = 0; i < 20; i++)
        assert_true(happened[i] == (i == 0 || i == 4 || i == 19));
    assert_memory_equal(before, numbers, sizeof before);
    tri_test_result_fini(&result);
}

static bool needs_4_and_11(void *user, const uint32_t *events, size_t count)
{
    struct tri_test_result result;
    static const uint32_t none = 0;
    struct tri_sim_options options = {
        .seed = 5, .events = count ? events : &none, .event_count = count};
    ++*(unsigned *)user;
    bool failed = tri_test_run(two_of_twenty, &options, &result) && result.failed;
    tri_test_result_fini(&result);
    return failed;
}

static void histories_are_shrunk(void **state)
{
    uint32_t events[20];
    unsigned runs = 0;
    (void)state;
    for (uint32_t i = 0; i < 20; i++)
        events[i] = i;
    assert_true(tri_shrink_events(events, 20, needs_4_and_11, &runs) == 2);
    assert_true(events[0] == 4 && events[1] == 11);
    assert_true(runs < 100);
}

/* ---- Time and processes --------------------------------------------------- */

static void asks(struct tr_test *t)
{
    tr_ctx *ctx = tr_test_ctx(t);
    struct answer answer = {0};
    tr_pid clerk = tr_spawn(ctx, &clerk_actor);
    uint64_t began = tr_now_ns(ctx);
    tr_expect(t,
              tr_ask(ctx, clerk, TR_INTO(answer, &answer), 300, question, .wait_ms = 200) == TR_OK);
    tr_expect(t, answer.n == 200);
    tr_expect(t, tr_now_ns(ctx) - began == UINT64_C(200000000));
    tr_expect(t, tr_ask(ctx, clerk, TR_INTO(answer, &answer), 300, question, .wait_ms = 0) ==
                     TR_ETIMEDOUT);
    tr_expect(t, tr_now_ns(ctx) - began == UINT64_C(500000000));
}

static void who_asks_moves_the_clock(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        good(asks, seed);
}

static void restarts(struct tr_test *t)
{
    tr_pid clerk = tr_spawn(tr_test_ctx(t), &clerk_actor, .name = "clerk");
    tr_pid probe = tr_test_probe(t, "probe");
    tr_test_send(t, probe, clerk, question, .wait_ms = 10);
    tr_test_advance(t, 10);
    tr_test_send(t, probe, clerk, question, .wait_ms = 10);
    uint64_t before = tr_now_ns(tr_test_ctx(t));
    tr_test_restart(t);
    tr_expect(t, tr_now_ns(tr_test_ctx(t)) == before);
    tr_expect(t, !tr_alive(tr_test_ctx(t), clerk));
    tr_expect(t, tr_test_count(t, probe, answer) == 1);
    clerk = tr_spawn(tr_test_ctx(t), &clerk_actor, .name = "clerk");
    probe = tr_test_probe(t, "probe");
    tr_test_send(t, probe, clerk, question, .wait_ms = 10);
    while (tr_test_next(t)) {
    }
    tr_expect(t, tr_test_count(t, probe, answer) == 1);
    tr_expect(t, tr_now_ns(tr_test_ctx(t)) == before + 10000000u);
}

static void a_process_ends_and_another_begins(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++)
        good(restarts, seed);
}

/* ---- Order ---------------------------------------------------------------- */

static void counts_while_messages_are_late(struct tr_test *t)
{
    now_testing = t;
    tr_test_faults(t, &(struct tr_test_faults){.delay_permille = 300, .delay_ms_max = 20});
    tr_pid clerk = tr_spawn(tr_test_ctx(t), &clerk_actor);
    for (uint32_t i = 1; i <= 60; i++) {
        tr_send(tr_test_ctx(t), clerk, count, .n = i);
        if (tr_test_choose(t, 3) == 0)
            tr_test_advance(t, 7);
    }
    tr_test_advance(t, 10000);
    struct tr_accounts accounts;
    tr_expect(t, tr_actor_accounts(tr_test_ctx(t), clerk, &accounts) == TR_OK);
    tr_expect(t, accounts.processed == 60);
}

static void what_is_late_is_not_overtaken(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++)
        good(counts_while_messages_are_late, seed);
}

static unsigned first_done[2];

static tr_err work(const void *arg, void *result)
{
    ((struct answer *)result)->n = ((const struct question *)arg)->wait_ms;
    return TR_OK;
}
struct boss {
    bool any;
};
static tr_err on_begin(tr_ctx *ctx, struct boss *self, const struct count *msg)
{
    (void)self;
    (void)msg;
    tr_offload(ctx, work, answer, question, .wait_ms = 0);
    tr_offload(ctx, work, answer, question, .wait_ms = 1);
    return TR_OK;
}
static tr_err on_done(tr_ctx *ctx, struct boss *self, const struct answer *msg)
{
    (void)ctx;
    if (!self->any)
        first_done[msg->n]++;
    self->any = true;
    return TR_OK;
}
#define BOSS_HANDLERS(ON) ON(count, on_begin) ON(answer, on_done)
TR_DISPATCH(boss, BOSS_HANDLERS);
static const struct tr_actor boss_actor = {
    .name = "boss", .state_size = sizeof(struct boss), .receive = boss_receive};

static void offloads(struct tr_test *t)
{
    tr_send(tr_test_ctx(t), tr_spawn(tr_test_ctx(t), &boss_actor), count, .n = 0);
    tr_test_settle(t);
}

static void offloaded_work_ends_in_any_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++)
        good(offloads, seed);
    assert_true(first_done[0] > 5 && first_done[1] > 5);
}

/* ---- What is left behind -------------------------------------------------- */

static void forgets_a_message(struct tr_test *t)
{
    struct count *count = tr_msg_new(tr_test_ctx(t), &count_type, sizeof *count);
    tr_expect(t, count != NULL);
    count->n = 1;
}

static void what_is_not_given_back_is_noticed(void **state)
{
    struct tri_test_result result;
    (void)state;
    assert_true(tri_test_run(forgets_a_message, &(struct tri_sim_options){.seed = 1}, &result));
    assert_true(result.failed);
    assert_non_null(strstr(result.why, "never given back"));
    tri_test_result_fini(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_that_are_left_out_change_no_others),
        cmocka_unit_test(histories_are_shrunk),
        cmocka_unit_test(who_asks_moves_the_clock),
        cmocka_unit_test(a_process_ends_and_another_begins),
        cmocka_unit_test(what_is_late_is_not_overtaken),
        cmocka_unit_test(offloaded_work_ends_in_any_order),
        cmocka_unit_test(what_is_not_given_back_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
