/* Supervision through the public interface: who is restarted, stopped, in which order, when. */
#include "stepped.h"

enum {
    FAIL,
    FAIL_TIMEOUT,
    FAIL_IO,
    SPAWN, /* count children with policy */
    WORK,
    STOP,
    WATCH_B
};
struct order {
    int what;
    unsigned count;
    const struct tr_supervision *policy;
};
TR_TYPE(order);

/* Nodes are called by letters: the first one of a test is A, its children are B, C … */
struct node {
    char name;
    uint32_t worked;
};
struct node_args {
    char name;
    unsigned spawn; /* so many children in init */
};

static tr_pid by_name[26];
static char next_name;
static bool hooks_noted; /* init and ends */
static unsigned inits_that_fail;
static const struct tr_supervision *init_policy;
static uint64_t random_value;

static tr_err init(tr_ctx *ctx, void *state, const void *arg);
static tr_err receive(tr_ctx *ctx, void *state, const tr_msg *msg);

static char name_of(const void *state)
{
    return ((const struct node *)state)->name;
}

static void stop(tr_ctx *ctx, void *state)
{
    (void)ctx;
    if (hooks_noted)
        note("%c.", name_of(state));
}

static void stopping(tr_ctx *ctx, void *state)
{
    (void)ctx;
    if (hooks_noted)
        note("%c!", name_of(state));
}

static void restarting(tr_ctx *ctx, void *state, tr_err why)
{
    (void)ctx;
    if (hooks_noted)
        note("%c-%d", name_of(state), why);
}

static void restarted(tr_ctx *ctx, void *state, tr_err why)
{
    (void)ctx;
    note("%c+%d", name_of(state), why);
}

#define NODE                                                                                 \
    .name = "node", .state_size = sizeof(struct node), .arg_size = sizeof(struct node_args), \
    .init = init, .receive = receive, .stop = stop, .stopping = stopping,                    \
    .restarting = restarting, .restarted = restarted
static const struct tr_actor node_actor = {NODE};
static const struct tr_actor ordered_actor = {NODE, .flags = TR_ACTOR_ENDS_IN_ORDER};

static tr_pid spawn(tr_ctx *ctx, const struct tr_actor *actor, unsigned children,
                    const struct tr_supervision *policy)
{
    struct node_args args = {.name = next_name++, .spawn = children};
    tr_pid pid = tr_spawn(ctx, actor, .arg = &args, .supervise = policy);
    assert_int_equal(tr_pid_err(pid), TR_OK);
    by_name[args.name - 'A'] = pid;
    return pid;
}

static tr_err init(tr_ctx *ctx, void *state, const void *arg)
{
    const struct node_args *args = arg;
    struct node *self = state;
    self->name = args->name;
    if (hooks_noted)
        note("%c", self->name);
    if (inits_that_fail) {
        inits_that_fail--;
        return tr_fail(ctx, TR_EUSER, "init of %c", self->name);
    }
    for (unsigned i = 0; i < args->spawn; i++)
        (void)spawn(ctx, &node_actor, 0, init_policy);
    return TR_OK;
}

static tr_err receive(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    struct node *self = state;
    const struct order *o = tr_as(msg, order);
    const struct tr_down *down = tr_as(msg, tr_down);
    if (down) {
        note("down:%d", down->reason);
        return TR_OK;
    }
    if (!o)
        return tr_unhandled(ctx);
    switch (o->what) {
    case SPAWN:
        for (unsigned i = 0; i < o->count; i++)
            (void)spawn(ctx, &node_actor, 0, o->policy);
        return TR_OK;
    case WORK:
        note("%c%u", self->name, ++self->worked);
        return TR_OK;
    case WATCH_B:
        tr_watch(ctx, by_name[1]);
        return TR_OK;
    case STOP:
        tr_stop(ctx, tr_self(ctx));
        return TR_OK;
    case FAIL_TIMEOUT:
        return tr_fail(ctx, TR_ETIMEDOUT, "as told, by %c", self->name);
    case FAIL_IO:
        return tr_fail(ctx, TR_EIO, "as told, by %c", self->name);
    default:
        return tr_fail(ctx, TR_EUSER, "as told, by %c", self->name);
    }
}

/* ---- Fixture ------------------------------------------------------------- */

static uint64_t test_random(void *user)
{
    (void)user;
    return random_value;
}

static int start(void **state)
{
    (void)state;
    next_name = 'A';
    hooks_noted = false;
    inits_that_fail = 0;
    init_policy = NULL;
    random_value = 0;
    memset(by_name, 0, sizeof by_name);
    return stepped_start_with((struct tr_config){.random = {.next = test_random}});
}

static void tell(char name, int what)
{
    tr_send(root, by_name[name - 'A'], order, .what = what);
    run();
}

static bool alive(char name)
{
    return tr_alive(root, by_name[name - 'A']);
}

static void family(unsigned children, const struct tr_supervision *policy)
{
    (void)spawn(root, &node_actor, 0, NULL);
    tr_send(root, by_name[0], order, .what = SPAWN, .count = children, .policy = policy);
    run();
}

/* Sorted words: what siblings do at the same time has no order. */
static void assert_words(const char *want)
{
    char sorted[sizeof trace] = "";
    char *words[256];
    int count = 0;
    for (char *word = strtok(trace, " "); word; word = strtok(NULL, " "))
        words[count++] = word;
    for (int i = 0; i < count; i++) {
        for (int j = i + 1; j < count; j++) {
            if (strcmp(words[j], words[i]) < 0) {
                char *swap = words[i];
                words[i] = words[j];
                words[j] = swap;
            }
        }
        strcat(sorted, i ? " " : "");
        strcat(sorted, words[i]);
    }
    assert_string_equal(sorted, want);
    trace_size = 0;
    trace[0] = '\0';
}

/* ---- Strategies ---------------------------------------------------------- */

static void one_for_one_restarts_the_failed_child_alone(void **state)
{
    static const struct tr_supervision one = {.strategy = TR_ONE_FOR_ONE};
    (void)state;
    family(3, &one);
    tell('C', FAIL);
    assert_trace("C+20");
    assert_true(alive('B') && alive('C') && alive('D'));
}

static void all_for_one_restarts_all(void **state)
{
    static const struct tr_supervision all = {.strategy = TR_ALL_FOR_ONE};
    (void)state;
    family(3, &all);
    tell('C', FAIL);
    assert_words("B+20 C+20 D+20");
    assert_true(alive('A') && alive('B') && alive('C') && alive('D'));
}

static void rest_for_one_restarts_it_and_those_after_it(void **state)
{
    static const struct tr_supervision rest = {.strategy = TR_REST_FOR_ONE};
    (void)state;
    family(4, &rest);
    tell('C', FAIL);
    assert_words("C+20 D+20 E+20");
}

static void strategies_hold_for_stops_and_not_for_resumes(void **state)
{
    static const struct tr_supervision rest_stop = {.strategy = TR_REST_FOR_ONE,
                                                    .on_failure = TR_STOP};
    static const struct tr_supervision all_resume = {.strategy = TR_ALL_FOR_ONE,
                                                     .on_failure = TR_RESUME};
    (void)state;
    family(3, &rest_stop);
    tell('C', FAIL);
    assert_true(alive('B') && !alive('C') && !alive('D'));
    next_name = 'H';
    tr_send(root, by_name[0], order, .what = SPAWN, .count = 2, .policy = &all_resume);
    run();
    tell('H', WORK);
    tell('I', WORK);
    tell('H', FAIL);
    tell('H', WORK);
    tell('I', WORK);
    assert_trace("H1 I1 H2 I2"); /* With the state as it was. */
}

/* ---- Directives and budgets ---------------------------------------------- */

static enum tr_directive by_code(tr_err code)
{
    return code == TR_ETIMEDOUT ? TR_RESUME : code == TR_EIO ? TR_STOP : TR_RESTART;
}

static void the_decider_chooses_by_code(void **state)
{
    static const struct tr_supervision policy = {.decide = by_code};
    (void)state;
    family(1, &policy);
    tell('B', WORK);
    tell('B', FAIL_TIMEOUT);
    tell('B', WORK);
    tell('B', FAIL);
    tell('B', WORK);
    assert_trace("B1 B2 B+20 B1");
    tell('B', FAIL_IO);
    assert_false(alive('B'));
}

static void resumes_use_up_no_budget(void **state)
{
    static const struct tr_supervision policy = {
        .decide = by_code, .restarts_max = 1, .within_ms = 1000};
    (void)state;
    family(1, &policy);
    for (int i = 0; i < 50; i++)
        tell('B', FAIL_TIMEOUT);
    tell('B', FAIL);
    assert_trace("B+20");
    tell('B', FAIL);
    assert_false(alive('B'));
}

static void the_budgets_window_slides(void **state)
{
    static const struct tr_supervision two = {.restarts_max = 2, .within_ms = 100};
    (void)state;
    family(1, &two);
    for (int i = 0; i < 20; i++) { /* One in 51 ms is never more than two in 100. */
        tell('B', FAIL);
        assert_trace("B+20");
        pass_ms(51);
    }
    tell('B', FAIL);
    tell('B', FAIL); /* Three within 51 ms. */
    assert_trace("B+20");
    assert_false(alive('B'));
    assert_true(alive('A'));
}

static void over_budget_can_escalate(void **state)
{
    static const struct tr_supervision policy = {
        .restarts_max = 1, .within_ms = 1000, .over_budget = TR_ESCALATE};
    (void)state;
    family(2, &policy);
    tell('B', FAIL);
    assert_trace("B+20");
    tell('B', FAIL); /* A fails with it and is restarted; its children are gone. */
    assert_trace("A+20");
    assert_true(alive('A') && !alive('B') && !alive('C'));
}

static void budgets_belong_to_each_child(void **state)
{
    static const struct tr_supervision policy = {.restarts_max = 1, .within_ms = 1000};
    (void)state;
    family(2, &policy);
    tell('B', FAIL);
    tell('C', FAIL);
    assert_trace("B+20 C+20");
    assert_true(alive('B') && alive('C'));
}

static void an_init_that_fails_is_a_failure(void **state)
{
    static const struct tr_supervision policy = {.restarts_max = 3, .within_ms = 1000};
    (void)state;
    inits_that_fail = 3;
    (void)spawn(root, &node_actor, 0, &policy);
    run();
    assert_trace("A+20"); /* The fourth attempt. */
    tell('A', WORK);
    assert_trace("A1");
    inits_that_fail = 100;
    (void)spawn(root, &node_actor, 0, &policy);
    run();
    assert_false(alive('B'));
    assert_int_equal(inits_that_fail, 96);
    inits_that_fail = 0;
}

/* ---- Back-off ------------------------------------------------------------ */

/* How long it takes until A works again after a failure. */
static unsigned delay_of(char name)
{
    char want[8];
    snprintf(want, sizeof want, "%c+20", name);
    trace_size = 0;
    trace[0] = '\0';
    tell(name, FAIL);
    unsigned ms = 0;
    while (strcmp(trace, want) != 0 && ms < 100000) {
        pass_ms(1);
        ms++;
    }
    return ms;
}

static void back_off_doubles_with_jitter_and_resets_after_quiet(void **state)
{
    static const struct tr_supervision policy = {.restarts_max = 60,
                                                 .within_ms = 3600000,
                                                 .backoff_ms_min = 10,
                                                 .backoff_ms_max = 100,
                                                 .backoff_jitter_permille = 200,
                                                 .quiet_ms = 500};
    const unsigned want[] = {10, 20, 40, 80, 100, 100};
    (void)state;
    (void)spawn(root, &node_actor, 0, &policy);
    run();
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
        assert_int_equal(delay_of('A'), want[i]);
    random_value = 20; /* The most that 200 permille of 100 ms allow. */
    assert_int_equal(delay_of('A'), 120);
    random_value = 21; /* One more begins anew. */
    assert_int_equal(delay_of('A'), 100);
    random_value = 0;
    pass_ms(501);
    assert_int_equal(delay_of('A'), 10);
}

static void mail_waits_during_the_delay_and_children_end_before_it(void **state)
{
    static const struct tr_supervision policy = {
        .restarts_max = 60, .within_ms = 1000, .backoff_ms_min = 50};
    (void)state;
    tr_pid a = spawn(root, &node_actor, 0, &policy);
    tr_send(root, a, order, .what = SPAWN, .count = 2);
    run();
    tell('A', FAIL);
    assert_true(alive('A') && !alive('B') && !alive('C'));
    tell('A', WORK);
    assert_trace("");
    assert_int_equal(accounts_of(a).queued, 1);
    pass_ms(51);
    assert_trace("A+20 A1");
    tell('A', FAIL);
    tr_stop(root, a); /* And can be stopped meanwhile. */
    run();
    assert_false(tr_alive(root, a));
}

static void a_group_comes_back_together_after_the_delay(void **state)
{
    static const struct tr_supervision policy = {
        .restarts_max = 60, .within_ms = 1000, .strategy = TR_ALL_FOR_ONE, .backoff_ms_min = 20};
    (void)state;
    family(3, &policy);
    tell('C', FAIL);
    pass_ms(19);
    assert_trace("");
    pass_ms(2);
    assert_words("B+20 C+20 D+20");
}

/* ---- Restarts ------------------------------------------------------------ */

static void a_restart_keeps_pid_and_mailbox(void **state)
{
    (void)state;
    tr_pid a = spawn(root, &node_actor, 0, NULL);
    tr_send(root, a, order, .what = WORK);
    tr_send(root, a, order, .what = FAIL);
    tr_send(root, a, order, .what = WORK);
    tr_send(root, a, order, .what = WORK);
    run();
    assert_trace("A1 A+20 A1 A2"); /* The failing message is not retried. */
    assert_true(tr_alive(root, a));
    assert_int_equal(accounts_of(a).processed, 4);
}

static void hooks_run_in_order_and_children_end_first(void **state)
{
    (void)state;
    hooks_noted = true;
    (void)spawn(root, &node_actor, 1, NULL); /* A, and B in init; C after the restart. */
    run();
    assert_trace("A B");
    tell('A', FAIL);
    assert_trace("B! B. A-20 A A+20 C");
    tell('A', STOP);
    assert_trace("A! C! C. A.");
}

static void children_end_one_after_the_other_where_asked_for(void **state)
{
    (void)state;
    hooks_noted = true;
    (void)spawn(root, &ordered_actor, 4, NULL);
    run();
    assert_words("A B C D E");
    tr_send(root, by_name['D' - 'A'], order, .what = SPAWN, .count = 1); /* F, below D */
    run();
    assert_trace("F");
    tell('A', FAIL);
    trace[strcspn(trace, "-") - 2] = '\0'; /* Up to the restart of A. */
    assert_string_equal(trace, "E! E. D! F! F. D. C! C. B! B.");
    trace_size = 0;
    trace[0] = '\0';
    tell('A', STOP);
    assert_trace("A! J! J. I! I. H! H. G! G. A.");
}

static void the_end_of_a_suspended_actor_names_its_failure(void **state)
{
    static const struct tr_supervision up = {.on_failure = TR_ESCALATE};
    (void)state;
    init_policy = &up;
    (void)spawn(root, &node_actor, 1, NULL);
    run();
    next_name = 'W';
    (void)spawn(root, &node_actor, 0, NULL);
    tell('W', WATCH_B);
    next_name = 'C';
    tell('B', FAIL); /* A is restarted, and B ended with its failure. */
    assert_false(alive('B'));
    assert_true(alive('C'));
    assert_words("A+20 down:20");
}

/* ---- Escalation ---------------------------------------------------------- */

static void escalation_goes_up_to_the_root_with_a_report(void **state)
{
    static const struct tr_supervision up = {.on_failure = TR_ESCALATE};
    char text[256];
    (void)state;
    (void)spawn(root, &node_actor, 0, &up);
    tr_send(root, by_name[0], order, .what = SPAWN, .count = 1, .policy = &up);
    run();
    tr_send(root, by_name[1], order, .what = SPAWN, .count = 1, .policy = &up);
    run();
    tr_pid other = tr_spawn(root, &node_actor, .arg = &(struct node_args){.name = 'Z'});
    tell('C', FAIL);
    assert_int_equal(tr_system_failure(sys, text, sizeof text), TR_EUSER);
    assert_non_null(strstr(text, "node"));
    assert_non_null(strstr(text, "as told, by C")); /* Through three levels. */
    assert_false(alive('A') || alive('B') || alive('C') || tr_alive(root, other));
}

static void a_resumed_parent_resumes_the_child_that_escalated(void **state)
{
    static const struct tr_supervision up = {.on_failure = TR_ESCALATE};
    static const struct tr_supervision resume = {.on_failure = TR_RESUME};
    (void)state;
    (void)spawn(root, &node_actor, 0, &resume);
    tr_send(root, by_name[0], order, .what = SPAWN, .count = 1, .policy = &up);
    run();
    tell('B', WORK);
    tell('B', FAIL);
    tell('B', WORK);
    assert_trace("B1 B2");
}

#define LIFE_TEST(fn) cmocka_unit_test_setup_teardown(fn, start, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LIFE_TEST(one_for_one_restarts_the_failed_child_alone),
        LIFE_TEST(all_for_one_restarts_all),
        LIFE_TEST(rest_for_one_restarts_it_and_those_after_it),
        LIFE_TEST(strategies_hold_for_stops_and_not_for_resumes),
        LIFE_TEST(the_decider_chooses_by_code),
        LIFE_TEST(resumes_use_up_no_budget),
        LIFE_TEST(the_budgets_window_slides),
        LIFE_TEST(over_budget_can_escalate),
        LIFE_TEST(budgets_belong_to_each_child),
        LIFE_TEST(an_init_that_fails_is_a_failure),
        LIFE_TEST(back_off_doubles_with_jitter_and_resets_after_quiet),
        LIFE_TEST(mail_waits_during_the_delay_and_children_end_before_it),
        LIFE_TEST(a_group_comes_back_together_after_the_delay),
        LIFE_TEST(a_restart_keeps_pid_and_mailbox),
        LIFE_TEST(hooks_run_in_order_and_children_end_first),
        LIFE_TEST(children_end_one_after_the_other_where_asked_for),
        LIFE_TEST(the_end_of_a_suspended_actor_names_its_failure),
        LIFE_TEST(escalation_goes_up_to_the_root_with_a_report),
        LIFE_TEST(a_resumed_parent_resumes_the_child_that_escalated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
