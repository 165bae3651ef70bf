/* Requests and answers at their limits: timeouts, the memory cap, late answers, asking. */
#include "doer.h"
#include "hoard.h"

#include <limits.h>

struct lump {
    char bytes[8000];
};
struct reply {
    char bytes[600];
};
TR_TYPE(lump);
TR_TYPE(reply);

static unsigned timeout_ms;

static tr_err ask_it(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    assert_true(tr_request(ctx, other, timeout_ms, item, .n = 1) != 0);
    return TR_OK;
}

/* ---- Timeouts -------------------------------------------------------------------- */

static void timeouts_are_within_their_bounds(void **state)
{
    (void)state;
    tr_pid a = doer();
    other = doer(); /* Never answers. */
    timeout_ms = 0; /* The default, five seconds. */
    does(a, ask_it);
    assert_trace("item1");
    pass_ms(4990);
    assert_trace("");
    pass_ms(20);
    assert_trace("failed:no reply in time");
    timeout_ms = UINT_MAX; /* More than a day is a day. */
    does(a, ask_it);
    assert_trace("item1");
    now_ns += (TR_TIMEOUT_MS_MAX - 1000ull) * 1000000u;
    run();
    assert_trace("");
    pass_ms(1010);
    assert_trace("failed:no reply in time");
}

/* The time is up and the receiver ends in the same moment: one failure. */
static void a_call_fails_once(void **state)
{
    (void)state;
    tr_pid a = doer();
    other = doer();
    timeout_ms = 40;
    does(a, ask_it);
    pass_ms(30);
    does(a, ask_it); /* And another one, to the same. */
    pass_ms(9);
    assert_trace("item1 item1");
    tr_stop(root, other);
    now_ns += 2000000;
    run();
    int failed = 0;
    for (const char *p = trace; (p = strstr(p, "failed:")); p++)
        failed++;
    pass_ms(100);
    assert_true(failed == 1 || failed == 2);
    failed = 0;
    for (const char *p = trace; (p = strstr(p, "failed:")); p++)
        failed++;
    assert_int_equal(failed, 2);
    trace_size = 0;
    trace[0] = '\0';
}

/* ---- Answers nobody waits for ------------------------------------------------------ */

static tr_caller caller;

static tr_err keep_caller(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    caller = tr_caller_of(ctx);
    return TR_OK;
}
static tr_err answer_kept(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_reply_to(ctx, caller, item, .n = 5);
    return TR_OK;
}
static tr_err request_keep(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    (void)tr_request(ctx, other, 10, act, .fn = keep_caller);
    return TR_OK;
}

static void a_late_answer_is_a_dead_letter(void **state)
{
    (void)state;
    (void)listener();
    tr_pid a = doer();
    other = doer();
    does(a, request_keep);
    pass_ms(15);
    assert_trace("failed:no reply in time");
    does(other, answer_kept);
    assert_trace("dead:item:late");
    /* Answering twice: the second comes too late. */
    does(a, request_keep);
    does(other, answer_kept);
    does(other, answer_kept);
    assert_trace("item5 dead:item:late");
    /* A made-up call of an actor that never made one. */
    caller = (tr_caller){doer(), 77};
    does(other, answer_kept);
    assert_trace("dead:item:late");
    assert_int_equal(accounts_of(caller.pid).dead[TR_DEAD_UNHANDLED] +
                         accounts_of(caller.pid).dead[TR_DEAD_LATE],
                     1);
}

static tr_err answer_outside(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    assert_int_equal(tr_call(ctx), 0);
    tr_reply(ctx, item, .n = 6);
    return TR_OK;
}
static tr_err init_answers(tr_ctx *ctx, void *self, const void *arg)
{
    (void)self, (void)arg;
    assert_true(tr_pid_is_nobody(tr_caller_of(ctx).pid) && tr_pid_is_nobody(tr_sender(ctx)));
    assert_int_equal(tr_call(ctx), 0);
    tr_reply(ctx, item, .n = 7);
    return TR_OK;
}

/* A message from outside has no sender, and in init there is no message. */
static void answers_to_nobody_are_dead_letters(void **state)
{
    static const struct tr_actor answers_at_once = {
        .name = "eager", .state_size = 8, .init = init_answers, .receive = doer_receive};
    (void)state;
    (void)listener();
    does(doer(), answer_outside);
    assert_trace("dead:item:no-actor");
    tr_pid pid = tr_spawn(root, &answers_at_once);
    run();
    assert_true(tr_alive(root, pid));
    assert_trace("dead:item:no-actor");
}

/* ---- The memory cap ---------------------------------------------------------------- */

static tr_err ask_lump(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    assert_true(tr_request(ctx, other, 50, lump, .bytes = {1}) != 0);
    return TR_OK;
}
static tr_err answer_large(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_reply(ctx, reply, .bytes = {2});
    return TR_OK;
}

/* The block is the last one of its size. */
static void a_request_without_memory_fails_at_once(void **state)
{
    (void)state;
    tr_pid a = doer();
    other = doer();
    take_all(&lump_type);
    uint64_t before = system_accounts().dead[TR_DEAD_MEMORY];
    does(a, ask_lump);
    assert_trace("failed:limit reached");
    assert_int_equal(system_accounts().dead[TR_DEAD_MEMORY], before + 1);
    give_all();
    does(a, ask_lump); /* There is room again; it is not handled there. */
    assert_trace("failed:actor has no handler for this message");
}

#define ASKERS 2000u
static uint32_t replies, timed_out;
static tr_ref kept[ASKERS];

static tr_err keep_reply(tr_ctx *ctx, void *self, const tr_msg *msg)
{
    (void)self;
    if (tr_as(msg, act))
        return tr_as(msg, act)->fn(ctx, msg);
    if (tr_as(msg, reply))
        kept[replies++] = tr_msg_ref(ctx, msg); /* It holds its memory. */
    else
        timed_out += tr_as(msg, tr_request_failed)->reason == TR_ETIMEDOUT;
    return TR_OK;
}
static tr_err let_go(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    for (uint32_t i = 0; i < replies; i++)
        tr_msg_unref(ctx, kept[i]);
    return TR_OK;
}
static const struct tr_actor asker_actor = {.name = "asker", .receive = keep_reply};

static tr_err ask_for_large(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    for (uint32_t i = 0; i < ASKERS; i++)
        (void)tr_request(ctx, other, 50, act, .fn = answer_large);
    return TR_OK;
}

/* Work that was taken on is finished: answers come out of a reserve that nothing else gets. Beyond
 * that they are dead letters, and who asked hears of it by the timeout. */
static void answers_come_at_the_cap(void **state)
{
    (void)state;
    replies = timed_out = 0;
    tr_pid a = tr_spawn(root, &asker_actor);
    other = doer();
    tr_send(root, a, act, .fn = ask_for_large);
    (void)tr_system_step(sys, 1); /* All are asked, none has answered. */
    take_all(&reply_type);
    uint32_t before = replies;
    run();
    uint64_t lost = system_accounts().dead[TR_DEAD_MEMORY];
    assert_true(replies >= before + 16);
    assert_true(lost > 0);
    assert_int_equal(replies + lost, ASKERS);
    give_all();
    does(a, let_go);
    now_ns += 60000000;
    run();
    assert_int_equal(timed_out, lost);
}

/* ---- Asking from outside -------------------------------------------------------------- */

static tr_err say_nothing(tr_ctx *ctx, const tr_msg *msg)
{
    (void)ctx, (void)msg;
    return TR_OK;
}
static tr_err answer_item(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_reply(ctx, item, .n = 3);
    return TR_OK;
}
static tr_err ask_inside(tr_ctx *ctx, const tr_msg *msg)
{
    struct item answer = {.n = 9};
    (void)msg;
    assert_int_equal(tr_ask(ctx, other, TR_INTO(item, &answer), 10, act, .fn = answer_item),
                     TR_EWORKER);
    assert_int_equal(answer.n, 9);
    return TR_OK;
}

#define ASK(to, ms, what) tr_ask(root, (to), TR_INTO(item, &answer), (ms), act, .fn = (what))

static void what_asking_may_come_to(void **state)
{
    struct item answer = {.n = 9};
    struct reply large;
    (void)state;
    tr_pid a = doer();
    other = doer();
    does(a, ask_inside);
    assert_int_equal(ASK(TR_NOBODY, 10, answer_item), TR_ENOACTOR);
    assert_int_equal(ASK(a, 10, answer_large), TR_ETYPE);
    assert_int_equal(answer.n, 9); /* Untouched so far. */
    assert_int_equal(tr_ask(root, a, TR_INTO(reply, &large), 0, act, .fn = answer_large), TR_OK);
    assert_int_equal(large.bytes[0], 2);
    assert_int_equal(ASK(a, 0, answer_item), TR_OK);
    assert_int_equal(answer.n, 3);
    tr_pid b = doer();
    tr_stop(root, b);
    assert_int_equal(ASK(b, 10, answer_item), TR_ENOACTOR); /* It ends before its turn comes. */
}

static void asking_needs_memory_and_a_place(void **state)
{
    struct item answer = {.n = 9};
    (void)state;
    tr_pid a = doer();
    take_all(&item_type);
    assert_int_equal(ASK(a, 10, answer_item), TR_EFULL);
    give_all();
    assert_int_equal(ASK(a, 10, answer_item), TR_OK);
    assert_int_equal(answer.n, 3);
}

static void asking_ends_with_the_system(void **state)
{
    struct item answer = {.n = 9};
    (void)state;
    tr_pid a = doer();
    assert_int_equal(tr_system_stop(sys, 30000), TR_OK);
    assert_int_equal(ASK(a, 10, answer_item), TR_ECLOSING);
    assert_int_equal(answer.n, 9);
}

/* On threads the asker sleeps; nobody answers, so its time runs out. */
static void asking_in_vain_takes_its_time(void **state)
{
    const struct tr_config config = {.workers = 2, .log = tr_log_none};
    struct item answer = {.n = 9};
    (void)state;
    assert_int_equal(tr_system_create(&sys, &config), TR_OK);
    root = tr_root(sys);
    tr_pid a = tr_spawn(root, &doer_actor);
    uint64_t began = tr_now_ns(root);
    assert_int_equal(ASK(a, 30, say_nothing), TR_ETIMEDOUT);
    assert_true(tr_now_ns(root) - began >= 30000000u);
    assert_int_equal(answer.n, 9);
    assert_int_equal(ASK(a, 20000, answer_item), TR_OK);
    assert_int_equal(answer.n, 3);
    assert_int_equal(tear_down(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(timeouts_are_within_their_bounds),
        TEST(a_call_fails_once),
        TEST(a_late_answer_is_a_dead_letter),
        TEST(answers_to_nobody_are_dead_letters),
        SMALL_TEST(a_request_without_memory_fails_at_once),
        SMALL_TEST(answers_come_at_the_cap),
        TEST(what_asking_may_come_to),
        SMALL_TEST(asking_needs_memory_and_a_place),
        TEST(asking_ends_with_the_system),
        cmocka_unit_test(asking_in_vain_takes_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
