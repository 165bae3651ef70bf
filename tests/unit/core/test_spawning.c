/* Spawning: what is refused and how that is said, and what a new actor begins with. */
#include "doer.h"

/* ---- Refused -------------------------------------------------------------------- */

static tr_err take_batch(tr_ctx *ctx, void *state, const struct tr_batch *batch)
{
    (void)ctx, (void)state, (void)batch;
    return TR_OK;
}

static const struct tr_actor mute = {.name = "mute"};
static const struct tr_actor nameless_mute = {.state_size = 8};
static const struct tr_actor fat = {
    .name = "fat", .receive = doer_receive, .state_size = TR_MESSAGE_SIZE_MAX + 1};
static const struct tr_actor fat_arg = {
    .name = "fat_arg", .receive = doer_receive, .arg_size = TR_MESSAGE_SIZE_MAX + 1};
static const struct tr_actor greedy = {.name = "greedy",
                                       .receive = doer_receive,
                                       .receive_batch = take_batch,
                                       .batch_type = &item_type,
                                       .batch_max = TR_BATCH_MAX + 1};
static const struct tr_actor no_batch = {
    .name = "no_batch", .receive = doer_receive, .batch_type = &item_type, .batch_max = 2};
static const struct tr_actor no_type = {
    .name = "no_type", .receive = doer_receive, .receive_batch = take_batch, .batch_max = 2};
static const struct tr_supervision bad_strategy = {.strategy = (enum tr_strategy)7};
static const struct tr_overflow_rule bad_rule[] = {{&item_type, (enum tr_overflow)9}, {NULL, 0}};
static char long_name[TR_NAME_SIZE_MAX + 2];

static uint64_t key_of(const tr_msg *msg)
{
    (void)msg;
    return 0;
}

static void what_is_wrong_is_named(void **state)
{
    static const tr_pid group[2] = {{0x100000001}, {0}};
    const struct {
        struct tr_spawn_args args;
        const char *says;
    } cases[] = {
        {{.actor = NULL}, "no actor"},
        {{.actor = &mute}, "actor 'mute' has no receive"},
        {{.actor = &nameless_mute}, "actor '?' has no receive"},
        {{.actor = &fat}, "67108865 bytes of state"},
        {{.actor = &fat_arg}, "67108865 of argument"},
        {{.actor = &greedy}, "batches of 8193, want at most 8192"},
        {{.actor = &no_batch}, "no receive_batch"},
        {{.actor = &no_type}, "no batch_type"},
        {{.actor = &doer_actor, .name = ""}, "has no bytes, want 1 to 255"},
        {{.actor = &doer_actor, .name = long_name}, "has too many bytes, want 1 to 255"},
        {{.actor = &doer_actor, .supervise = &bad_strategy}, "strategy is not one of"},
        {{.actor = &doer_actor, .overflow = TR_DELAY}, "mailbox_max 0"},
        {{.actor = &doer_actor, .mailbox_max = 1, .overflow = (enum tr_overflow)9},
         "overflow is 9"},
        {{.actor = &doer_actor, .mailbox_max = 1, .overflow_rules = bad_rule},
         "overflow policy of 'item' is 9"},
        {{.actor = &doer_actor, .pool = 2, .group_size = 2}, "pool is 2 and group_size is 2"},
        {{.actor = &doer_actor, .pool = TR_ROUTEES_MAX + 1}, "1025 routees"},
        {{.group = group, .group_size = TR_ROUTEES_MAX + 2}, "1026 routees"},
        {{.actor = &doer_actor, .pool = 2, .route = (enum tr_route)77}, "route is 77"},
        {{.actor = &doer_actor, .pool = 2, .route = TR_ROUTE_HASH}, "without route_key"},
        {{.actor = &doer_actor, .pool = 2, .route = TR_ROUTE_PULL, .mailbox_max = TR_PULL_MAX + 1},
         "mailbox_max 1048577"},
        {{.actor = &doer_actor,
          .pool = 2,
          .route = TR_ROUTE_PULL,
          .mailbox_max = 5,
          .overflow = TR_DROP_OLDEST},
         "want TR_REFUSE"},
        {{.actor = &doer_actor,
          .pool = 2,
          .route = TR_ROUTE_PULL,
          .mailbox_max = 5,
          .overflow_rules = bad_rule},
         "want TR_REFUSE"},
        {{.actor = &doer_actor, .group = group, .group_size = 2}, "a group of 2"},
        {{.group_size = 2}, "no actor, want one, or a group"},
        {{.group = group, .group_size = 2, .route_key = key_of}, "routee 1 of the group is nobody"},
    };
    (void)state;
    memset(long_name, 'x', sizeof long_name - 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tr_error error = {0};
        struct tr_spawn_args args = cases[i].args;
        args.error = &error;
        assert_int_equal(tr_pid_err(tr_spawn_(root, &args)), TR_EINVAL);
        assert_int_equal(error.code, TR_EINVAL);
        if (!strstr(error.text, cases[i].says))
            fail_msg("case %zu: '%s' does not say '%s'", i, error.text, cases[i].says);
        args.error = NULL; /* Nobody wants to know. */
        assert_int_equal(tr_pid_err(tr_spawn_(root, &args)), TR_EINVAL);
    }
    assert_int_equal(system_accounts().accepted, 0);
}

static void a_name_is_taken_once(void **state)
{
    struct tr_error error = {0};
    (void)state;
    tr_pid a = tr_spawn(root, &doer_actor, .name = "only");
    assert_int_equal(tr_pid_err(a), TR_OK);
    assert_int_equal(tr_pid_err(tr_spawn(root, &doer_actor, .name = "only")), TR_EEXIST);
    assert_int_equal(tr_pid_err(tr_spawn(root, &doer_actor, .name = "only", .error = &error)),
                     TR_EEXIST);
    assert_string_equal(error.text, "name already taken: only");
    assert_true(tr_pid_equal(tr_lookup(root, "only"), a));
    stop(a);
    assert_true(tr_pid_is_nobody(tr_lookup(root, "only")));
}

/* What the handler has said before is not lost to a spawn that fails, or that does not. */
static tr_err spawns_and_fails(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    tr_err err = tr_fail(ctx, TR_EIO, "said first");
    assert_int_equal(tr_pid_err(tr_spawn(ctx, &doer_actor, .name = "child")), TR_OK);
    return err;
}
static tr_err listen_failures(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    return tr_subscribe(ctx, tr_actor_failed);
}
static void a_spawn_keeps_what_was_said(void **state)
{
    (void)state;
    tr_pid a = doer();
    does(doer(), listen_failures);
    does(a, spawns_and_fails);
    assert_trace("failure:input or output failed:said first");
}

static int small_table(void **state)
{
    (void)state;
    return stepped_start_with((struct tr_config){.actors_max = 300});
}

static void a_full_table_refuses_actors_and_asking(void **state)
{
    struct item answer;
    struct tr_error error = {0};
    tr_pid first = TR_NOBODY, last = TR_NOBODY, pid;
    uint32_t count = 0;
    (void)state;
    while (!tr_pid_is_nobody(pid = tr_spawn(root, &doer_actor, .error = &error))) {
        first = count++ ? first : pid;
        last = pid;
        assert_true(count < 1000);
    }
    assert_int_equal(tr_pid_err(pid), TR_EFULL);
    assert_int_equal(error.code, TR_EFULL);
    assert_true(count >= 290 && count < 1000);
    assert_int_equal(tr_ask(root, first, TR_INTO(item, &answer), 20000, item, .n = 1), TR_EFULL);
    assert_int_equal(tr_pid_err(tr_spawn(root, &doer_actor, .pool = 2)), TR_EFULL);
    run();
    stop(last);
    assert_int_equal(tr_pid_err(tr_spawn(root, &doer_actor)), TR_OK);
}

/* ---- Born --------------------------------------------------------------------------- */

struct given {
    uint64_t words[4];
};
static struct given got;
static tr_err look_at_arg(tr_ctx *ctx, void *state, const void *arg)
{
    (void)ctx, (void)state;
    got = *(const struct given *)arg;
    return TR_OK;
}
static const struct tr_actor with_arg = {.name = "with_arg",
                                         .state_size = 8,
                                         .arg_size = sizeof(struct given),
                                         .init = look_at_arg,
                                         .receive = doer_receive};
static const struct tr_actor with_much = {.name = "with_much",
                                          .state_size = 1000,
                                          .arg_size = sizeof(struct given),
                                          .init = look_at_arg,
                                          .receive = doer_receive};

static const struct tr_actor *kind;
static const struct given *arg;
static tr_err spawn_child(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    other = tr_spawn(ctx, kind, .arg = arg);
    return tr_pid_err(other);
}

/* Blocks are used again; an argument that is not given is zero all the same. */
static void an_argument_is_copied_or_zero(void **state)
{
    const struct given full = {{1, 2, 3, 4}}, none = {{0}};
    (void)state;
    tr_pid parent = doer();
    for (int round = 0; round < 8; round++) {
        kind = round & 1 ? &with_much : &with_arg;
        arg = round & 2 ? NULL : &full;
        if (round & 4) {
            does(parent, spawn_child);
        } else {
            other = tr_spawn(root, kind, .arg = arg);
            run();
        }
        assert_memory_equal(&got, arg ? &full : &none, sizeof got);
        stop(other);
    }
}

static tr_pid parent_seen;
static tr_err look_at_parent(tr_ctx *ctx, const tr_msg *msg)
{
    (void)msg;
    parent_seen = tr_parent(ctx);
    return TR_OK;
}
static void children_know_their_parents(void **state)
{
    (void)state;
    assert_true(tr_pid_is_nobody(tr_parent(root)));
    tr_pid parent = doer();
    kind = &doer_actor;
    arg = NULL;
    does(parent, spawn_child);
    does(other, look_at_parent);
    assert_true(tr_pid_equal(parent_seen, parent));
    does(parent, look_at_parent);
    assert_false(tr_pid_is_nobody(parent_seen)); /* The root of all. */
    does(doer(), look_at_parent);
    assert_false(tr_pid_equal(parent_seen, parent));
}

/* ---- Too late ------------------------------------------------------------------------ */

static tr_err late[2];
static void spawn_at_end(tr_ctx *ctx, void *state)
{
    (void)state;
    late[0] = tr_pid_err(tr_spawn(ctx, &doer_actor));
    late[1] = tr_pid_err(tr_spawn(ctx, &doer_actor, .mailbox_max = 1));
}
static const struct tr_actor late_parent = {
    .name = "late_parent", .state_size = 8, .receive = doer_receive, .stop = spawn_at_end};

static void who_ends_has_no_more_children(void **state)
{
    struct tr_stats stats;
    (void)state;
    tr_pid a = tr_spawn(root, &late_parent);
    kind = &doer_actor;
    arg = NULL;
    does(a, spawn_child); /* It had one. */
    stop(a);
    assert_int_equal(late[0], TR_ECLOSING);
    assert_int_equal(late[1], TR_ECLOSING);
    tr_system_stats(sys, &stats);
    assert_int_equal(stats.actors, 1); /* The root of all. */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_wrong_is_named),
        TEST(a_name_is_taken_once),
        TEST(a_spawn_keeps_what_was_said),
        cmocka_unit_test_setup_teardown(a_full_table_refuses_actors_and_asking, small_table,
                                        tear_down),
        TEST(an_argument_is_copied_or_zero),
        TEST(children_know_their_parents),
        TEST(who_ends_has_no_more_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
