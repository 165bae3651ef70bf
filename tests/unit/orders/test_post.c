/*
 * Two nodes and a road that loses, repeats, delays and breaks; both nodes are killed at random.
 * What is on disk survives. Whatever happens, each parcel has its effect exactly once, in order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nodes/post.h"

#define PARCELS 400u
#define ROAD 4096u
#define STEP_NS UINT64_C(20000000)

/* ---- A road ---------------------------------------------------------------- */

struct note {
    enum post_event_kind kind;
    uint64_t identity, start, number, sent, acked, applied, taken;
};

struct road {
    struct note at[ROAD];
    size_t count;
};

struct node {
    struct post post;
    uint64_t identity, start;
    /* on disk */
    uint64_t met, kept, forgotten, applied;
    uint64_t effects; /* applied in order, once: the number of the last one */
    /* in memory */
    uint64_t ready; /* the role is done with those up to here */
    unsigned refused;
};

struct world {
    uint64_t dice, now;
    struct node node[2];
    struct road road[2]; /* to node i */
    unsigned loss;       /* permille */
    unsigned kills;
};

static uint64_t roll(struct world *world, uint64_t sides)
{
    uint64_t x = world->dice += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (x ^ (x >> 31)) % sides;
}

static void send_note(struct world *world, int from, struct note note)
{
    struct road *road = &world->road[1 - from];
    note.identity = world->node[from].identity;
    note.start = world->node[from].start;
    if (roll(world, 1000) < world->loss || road->count == ROAD)
        return;
    road->at[road->count++] = note;
    if (roll(world, 1000) < world->loss && road->count < ROAD)
        road->at[road->count++] = note;
}

static void act(struct world *world, int me, unsigned actions, uint64_t echo)
{
    struct node *node = &world->node[me];
    struct post *post = &node->post;
    if (actions & POST_DO_MEET)
        node->met = post->identity;
    if (actions & POST_DO_FORGET)
        node->forgotten = post->acked;
    if (actions & POST_DO_REFUSE)
        node->refused++;
    if (actions & POST_DO_HELLO)
        send_note(world, me,
                  (struct note){.kind = POST_HELLO, .sent = post->sent, .acked = post->acked});
    if (actions & POST_DO_ACK)
        send_note(
            world, me,
            (struct note){
                .kind = POST_ACK, .applied = post->applied, .taken = post->taken, .sent = echo});
}

static void tell(struct world *world, int me, struct post_event event, uint64_t echo)
{
    event.now_ns = world->now;
    act(world, me, post_step(&world->node[me].post, &event), echo);
    struct post *post = &world->node[me].post;
    assert_true(post->acked <= post->sent && post->sent <= post->kept);
    assert_true(post->sent - post->acked <= POST_WINDOW);
    assert_true(post->applied <= post->taken && post->taken - post->applied <= POST_WINDOW);
}

static void pump(struct world *world, int me)
{
    struct node *node = &world->node[me];
    uint64_t bytes, room = post_room(&node->post, &bytes);
    for (; room > 0; room--) {
        uint64_t number = node->post.sent + 1;
        assert_true(number > node->forgotten && number <= node->kept);
        send_note(world, me, (struct note){.kind = POST_PARCEL, .number = number});
        tell(world, me, (struct post_event){.kind = POST_SENT, .number = number, .size = 7}, 0);
    }
}

static void arrive(struct world *world, int me)
{
    struct road *road = &world->road[me];
    size_t count = road->count < 3 ? road->count : (size_t)roll(world, road->count);
    for (size_t i = 0; i < count; i++) {
        struct note n = road->at[i];
        struct node *node = &world->node[me];
        uint64_t taken = node->post.taken;
        tell(world, me,
             (struct post_event){.kind = n.kind,
                                 .identity = n.identity,
                                 .start = n.start,
                                 .number = n.number,
                                 .sent = n.sent,
                                 .acked = n.acked,
                                 .applied = n.applied,
                                 .taken = n.taken},
             n.kind == POST_PARCEL ? n.number - 1 : n.sent);
        if (node->post.taken != taken)
            assert_int_equal(n.number, taken + 1); /* what is taken is the next one */
    }
    road->count -= count;
    memmove(road->at, road->at + count, road->count * sizeof(road->at[0]));
}

/* One transaction: new parcels, effects of taken ones. */
static void commit(struct world *world, int me)
{
    struct node *node = &world->node[me];
    uint64_t add = roll(world, 4);
    if (add > PARCELS - node->kept)
        add = PARCELS - node->kept;
    node->kept += add;
    while (node->applied < node->post.taken && roll(world, 3) > 0) {
        node->applied++;
        assert_int_equal(node->effects + 1, node->applied);
        node->effects++;
    }
    if (add)
        tell(world, me, (struct post_event){.kind = POST_KEPT, .number = node->kept}, 0);
    if (node->applied > node->post.applied)
        tell(world, me, (struct post_event){.kind = POST_APPLIED, .number = node->applied}, 0);
}

static void start(struct world *world, int me)
{
    struct node *node = &world->node[me];
    node->start = roll(world, UINT64_MAX - 1) + 1;
    post_open(&node->post, node->met, node->kept, node->forgotten, node->applied);
}

static void kill_one(struct world *world, int me)
{
    /* Both directions break; half of what was on its way is lost. */
    for (int i = 0; i < 2; i++)
        world->road[i].count /= 2;
    start(world, me);
    world->kills++;
}

static void open_world(struct world *world, uint64_t seed, unsigned loss)
{
    memset(world, 0, sizeof(*world));
    world->dice = seed;
    world->loss = loss;
    for (int i = 0; i < 2; i++) {
        world->node[i].identity = 100 + (uint64_t)i;
        start(world, i);
    }
}

static bool done(const struct world *world)
{
    for (int i = 0; i < 2; i++)
        if (world->node[i].kept < PARCELS || world->node[i].post.acked < PARCELS)
            return false;
    return true;
}

static void step(struct world *world, bool kills)
{
    world->now += STEP_NS;
    for (int i = 0; i < 2; i++) {
        tell(world, i, (struct post_event){.kind = POST_TICK}, 0);
        arrive(world, i);
        commit(world, i);
        pump(world, i);
        if (kills && roll(world, 100) == 0)
            kill_one(world, i);
    }
}

static void test_exactly_once_whatever_happens(void **state)
{
    (void)state;
    struct world *world = malloc(sizeof(*world));
    unsigned kills = 0;
    assert_non_null(world);
    for (uint64_t seed = 1; seed <= 300; seed++) {
        open_world(world, seed * 7919, (unsigned)(seed % 4) * 50);
        unsigned steps = 0;
        while (!done(world) && steps < 100000)
            step(world, ++steps < 3000);
        assert_true(done(world));
        for (int i = 0; i < 2; i++) {
            assert_int_equal(world->node[i].effects, PARCELS);
            assert_int_equal(world->node[i].refused, 0);
        }
        kills += world->kills;
    }
    assert_true(kills > 300);
    free(world);
}

static void run_for(struct world *world, unsigned steps)
{
    while (steps-- > 0)
        step(world, false);
}

static void test_another_database_is_refused(void **state)
{
    (void)state;
    struct world *world = malloc(sizeof(*world));
    assert_non_null(world);
    open_world(world, 5, 0);
    run_for(world, 50);
    uint64_t effects = world->node[0].effects;
    assert_true(effects > 0);
    struct node right = world->node[1];
    memset(&world->node[1], 0, sizeof(world->node[1]));
    world->node[1].identity = 999;
    start(world, 1);
    world->road[0].count = world->road[1].count = 0;
    run_for(world, 200);
    assert_int_equal(world->node[0].post.trouble, POST_OTHER_DATABASE);
    assert_int_equal(world->node[0].refused, 1);
    assert_true(world->node[0].effects <= effects + POST_WINDOW);
    effects = world->node[0].effects;
    /* The right one comes back, and they go on where they were. */
    world->node[1] = right;
    start(world, 1);
    world->road[0].count = world->road[1].count = 0;
    run_for(world, 2000);
    assert_int_equal(world->node[0].post.trouble, POST_FINE);
    assert_true(done(world));
    free(world);
}

static void test_a_database_that_went_back_is_refused(void **state)
{
    (void)state;
    struct world *world = malloc(sizeof(*world));
    assert_non_null(world);
    for (int what = 0; what < 2; what++) {
        open_world(world, 6, 0);
        run_for(world, 20);
        struct node *node = &world->node[0];
        uint64_t kept = node->kept, applied = node->applied, forgotten = node->forgotten;
        run_for(world, 100);
        if (what == 0) { /* It has lost effects that it has acknowledged … */
            node->applied = node->effects = applied;
        } else { /* … or parcels that the other one has. */
            node->kept = kept;
            node->forgotten = forgotten;
        }
        start(world, 0);
        world->node[0].kept = what == 0 ? node->kept : kept;
        for (unsigned i = 0; i < 20 && node->post.trouble == POST_FINE; i++) {
            world->now += STEP_NS * 10;
            for (int k = 0; k < 2; k++) {
                tell(world, k, (struct post_event){.kind = POST_TICK}, 0);
                arrive(world, k);
            }
        }
        assert_int_equal(node->post.trouble, POST_WENT_BACK);
        uint64_t bytes;
        assert_int_equal(post_room(&node->post, &bytes), 0);
    }
    free(world);
}

static void test_window_bounds_count_and_bytes(void **state)
{
    (void)state;
    struct post post;
    uint64_t bytes;
    post_open(&post, 0, 5000, 0, 0);
    assert_int_equal(post_room(&post, &bytes), 0); /* nobody has answered yet */
    struct post_event hello = {.kind = POST_HELLO, .identity = 1, .start = 2, .now_ns = 1};
    assert_true(post_step(&post, &hello) & POST_DO_UP);
    assert_int_equal(post_room(&post, &bytes), POST_WINDOW);
    for (uint64_t i = 1; i <= POST_WINDOW; i++)
        post_step(&post, &(struct post_event){.kind = POST_SENT, .number = i, .size = 1});
    assert_int_equal(post_room(&post, &bytes), 0);
    struct post_event ack = {
        .kind = POST_ACK, .identity = 1, .start = 2, .now_ns = 1, .applied = 1024, .taken = 1024};
    assert_true(post_step(&post, &ack) & POST_DO_FORGET);
    assert_int_equal(post.bytes, 0);
    post_step(&post, &(struct post_event){
                         .kind = POST_SENT, .number = 1025, .size = POST_WINDOW_BYTES + 5});
    assert_int_equal(post_room(&post, &bytes),
                     0); /* one that is larger than the window goes alone */
    struct post_event silence = {.kind = POST_TICK, .now_ns = 2 + POST_AWAY_NS};
    assert_true(post_step(&post, &silence) & POST_DO_DOWN);
    assert_int_equal(post.sent, 1024);
    assert_int_equal(post.bytes, 0);
}

static void test_who_never_answers_is_away(void **state)
{
    (void)state;
    struct post post;
    post_open(&post, 0, 0, 0, 0);
    struct post_event tick = {.kind = POST_TICK, .now_ns = 1000};
    assert_int_equal(post_step(&post, &tick), POST_DO_HELLO);
    tick.now_ns += POST_AWAY_NS + 1;
    assert_int_equal(post_step(&post, &tick), POST_DO_HELLO | POST_DO_DOWN);
    tick.now_ns += POST_AWAY_NS + 1;
    assert_int_equal(post_step(&post, &tick), POST_DO_HELLO); /* said once */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exactly_once_whatever_happens),
        cmocka_unit_test(test_another_database_is_refused),
        cmocka_unit_test(test_a_database_that_went_back_is_refused),
        cmocka_unit_test(test_window_bounds_count_and_bytes),
        cmocka_unit_test(test_who_never_answers_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
