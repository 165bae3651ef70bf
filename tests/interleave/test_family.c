/* Parents and children: whoever waits for the end of its last child hears of it. */
#include "harness.h"

#include "core/send.h"
#include "world.h"

struct make {
    uint32_t count;
};
struct quit {
    char none;
};
TR_TYPE(make);
TR_TYPE(quit);

static tr_system *sys;
static tr_pid parent;
static tr_pid children[2];

static tr_err on_quit(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    (void)state;
    (void)msg;
    tr_stop(ctx, tr_self(ctx));
    return TR_OK;
}
static const struct tr_actor child_actor = {.name = "child", .receive = on_quit};

static tr_err on_make(tr_ctx *ctx, void *state, const tr_msg *msg)
{
    const struct make *make = tr_as(msg, make);
    (void)state;
    for (uint32_t i = 0; i < make->count; i++)
        children[i] = tr_spawn(ctx, &child_actor);
    return TR_OK;
}
static const struct tr_actor parent_actor = {.name = "parent", .receive = on_make};
static const struct tr_actor orderly_actor = {
    .name = "orderly", .receive = on_make, .flags = TR_ACTOR_ENDS_IN_ORDER};

static void reset_with(const struct tr_actor *actor, uint32_t count, unsigned workers)
{
    sys = world_system(workers);
    parent = tr_spawn(tr_root(sys), actor);
    tr_send(tr_root(sys), parent, make, .count = count);
    world_drain(sys);
}
static void one_child(void)
{
    reset_with(&parent_actor, 1, 2);
}
static void two_children(void)
{
    reset_with(&parent_actor, 2, 3);
}
static void two_in_order(void)
{
    reset_with(&orderly_actor, 2, 2);
}

static void work(uint32_t worker)
{
    while (tri_worker_step(sys->workers[worker], 64) != UINT64_MAX)
        ;
}
static void stop_parent(void)
{
    tri_sys_send(&sys->workers[0]->ctx, parent, TRI_SYS_STOP, TR_NOBODY, TR_OK);
    work(0);
}
static void end_first(void)
{
    tr_send(&sys->workers[1]->ctx, children[0], quit);
    work(1);
}
static void end_second(void)
{
    tr_send(&sys->workers[2]->ctx, children[1], quit);
    work(2);
}
/* Everybody is gone, or somebody waits for what will not come. */
static void all_ended(void)
{
    tr_ctx *root = tr_root(sys);
    world_drain(sys);
    TRI_EXPECT(!tr_alive(root, children[0]) && !tr_alive(root, children[1]));
    TRI_EXPECT(!tr_alive(root, parent));
}

static const struct tri_program last_child = {.name = "family: a parent stops, its child ends",
                                              .set_up = one_child,
                                              .threads = {stop_parent, end_first},
                                              .check = all_ended};
static const struct tri_program in_order = {.name = "family: one by one, and one by itself",
                                            .set_up = two_in_order,
                                            .threads = {stop_parent, end_first},
                                            .check = all_ended};
static const struct tri_program both = {.name = "family: a parent stops, two children end",
                                        .set_up = two_children,
                                        .threads = {stop_parent, end_first, end_second},
                                        .check = all_ended};

static void the_end_of_the_last_child_is_heard_of(void **state)
{
    (void)state;
    struct tri_program p = last_child;
    p.executions_max = bound_of_turns(4000);
    explore_clean(&p);
    p = in_order;
    p.executions_max = bound_of_turns(4000);
    explore_clean(&p);
    p = both;
    p.executions_max = bound_of_turns(4000);
    explore_clean(&p);
}

static void weaker_families_are_found(void **state)
{
    static const char *const only[] = {"tri_family_left rmw", "tri_family_any rmw", NULL};
    static const struct tri_program *const programs[] = {&last_child, &in_order, NULL};
    (void)state;
    explore_weakened_only(programs, only);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_of_the_last_child_is_heard_of),
        cmocka_unit_test(weaker_families_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
