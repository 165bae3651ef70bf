/* The run queue: ring, overflow list, stealing, and what outside threads inject. */
#include "harness.h"

#include "core/sched.h"
#include "world.h"

#define CELLS 8

static tr_system *sys;
static struct tri_cell cells[CELLS];
static uint32_t ran[CELLS];
static uint32_t pushed;

/* Runs a cell: plain accesses, so that two who hold it race. */
static void run_cell(struct tri_cell *cell)
{
    if (!cell)
        return;
    TRI_EXPECT(cell->refused == (uint64_t)(cell - cells)); /* What the pusher wrote. */
    cell->taken++;
    ran[cell - cells]++;
}

static void reset(void)
{
    sys = world_system(3);
    memset(cells, 0, sizeof cells);
    memset(ran, 0, sizeof ran);
    pushed = 0;
    /* Stealing is always worth it. */
    for (uint32_t i = 0; i < 3; i++)
        tri_store(&sys->workers[i]->stuck, true, TRI_RELAXED);
}

static void push(uint32_t index)
{
    cells[index].refused = index; /* What whoever runs it must see. */
    pushed++;
    tri_sched_push(sys->workers[0], &cells[index]);
}

static void reset_with_two(void)
{
    reset();
    push(0);
    push(1);
}

/* A full ring: the next one spills half of it. */
static void reset_full(void)
{
    reset();
    for (uint32_t i = 0; i < TRI_RING_SIZE; i++)
        push(i);
}

/* An empty ring, two cells on the overflow list. */
static void reset_spilled(void)
{
    reset_full();
    push(TRI_RING_SIZE);
    for (uint32_t i = 0; i + 1 < TRI_RING_SIZE; i++)
        run_cell(tri_sched_pop(sys->workers[0]));
    /* One more, so that the refill does not meet its own cells in the places. */
    push(TRI_RING_SIZE + 1);
    run_cell(tri_sched_pop(sys->workers[0]));
}

static void steal(struct tri_worker *thief)
{
    run_cell(tri_sched_steal(thief));
    run_cell(tri_sched_pop(thief));
}
static void owner_pops(void)
{
    run_cell(tri_sched_pop(sys->workers[0]));
    run_cell(tri_sched_pop(sys->workers[0]));
}
static void owner_pushes_and_pops(void)
{
    push(2);
    run_cell(tri_sched_pop(sys->workers[0]));
    push(3);
    run_cell(tri_sched_pop(sys->workers[0]));
}
static void owner_pushes_two(void)
{
    push(0);
    push(1);
}
static void owner_pushes_four(void)
{
    owner_pushes_two();
    push(2);
    push(3);
}
static void owner_pushes_one(void)
{
    push(0);
}
static void owner_overflows(void)
{
    for (uint32_t i = 0; i <= TRI_RING_SIZE; i++)
        push(i);
    for (uint32_t i = 0; i < TRI_RING_SIZE; i++)
        run_cell(tri_sched_pop(sys->workers[0]));
}
static void thief1_twice(void)
{
    steal(sys->workers[1]);
    steal(sys->workers[1]);
}
static void thief1_once(void)
{
    run_cell(tri_sched_steal(sys->workers[1]));
}
static void owner_pushes_one_more(void)
{
    push(TRI_RING_SIZE);
    run_cell(tri_sched_pop(sys->workers[0]));
}
static void owner_reuses_places(void)
{
    run_cell(tri_sched_pop(sys->workers[0]));
    push(TRI_RING_SIZE);
    run_cell(tri_sched_pop(sys->workers[0]));
    push(TRI_RING_SIZE + 1);
}
static void thief1(void)
{
    steal(sys->workers[1]);
}
static void thief2(void)
{
    steal(sys->workers[2]);
}

/* Every cell ran once or is in one queue. */
static void none_lost_none_twice(void)
{
    for (uint32_t i = 0; i < 3; i++) {
        struct tri_cell *cell;
        while ((cell = tri_sched_pop(sys->workers[i])))
            run_cell(cell);
        run_cell(tri_sched_take_injected(sys->workers[i]));
        while ((cell = tri_sched_pop(sys->workers[i])))
            run_cell(cell);
    }
    for (uint32_t i = 0; i < pushed; i++)
        TRI_EXPECT(ran[i] == 1);
}

static const struct tri_program pop_and_steal = {.name = "run queue: pops and a thief",
                                                 .set_up = reset_with_two,
                                                 .threads = {owner_pops, thief1},
                                                 .check = none_lost_none_twice};
static const struct tri_program push_and_steal = {.name = "run queue: pushes, pops and a thief",
                                                  .set_up = reset_with_two,
                                                  .threads = {owner_pushes_and_pops, thief1},
                                                  .check = none_lost_none_twice};
static const struct tri_program two_thieves = {.name = "run queue: pops and two thieves",
                                               .set_up = reset_with_two,
                                               .threads = {owner_pops, thief1, thief2},
                                               .check = none_lost_none_twice};
static const struct tri_program overflow = {.name = "run queue: an overflowing ring and a thief",
                                            .set_up = reset_full,
                                            .threads = {owner_pushes_one_more, thief1},
                                            .check = none_lost_none_twice};
static const struct tri_program reuse = {.name = "run queue: places used again and a thief",
                                         .set_up = reset_full,
                                         .threads = {owner_reuses_places, thief1},
                                         .check = none_lost_none_twice};

static const struct tri_program fresh = {.name = "run queue: two pushes and a thief",
                                         .set_up = reset,
                                         .threads = {owner_pushes_two, thief1},
                                         .check = none_lost_none_twice};
static const struct tri_program listed = {.name = "run queue: the overflow list and a thief",
                                          .set_up = reset,
                                          .threads = {owner_overflows, thief1_twice},
                                          .check = none_lost_none_twice};
static const struct tri_program refilled = {.name = "run queue: a refill of the ring and a thief",
                                            .set_up = reset_spilled,
                                            .threads = {owner_pops, thief1},
                                            .check = none_lost_none_twice};
/* The second thief may steal from the first, whose loot it then must see. */
static const struct tri_program chain = {.name = "run queue: a thief steals from a thief",
                                         .set_up = reset,
                                         .threads = {owner_pushes_four, thief1_once, thief2},
                                         .check = none_lost_none_twice};
static const struct tri_program one_for_two = {.name = "run queue: one push and two thieves",
                                               .set_up = reset,
                                               .threads = {owner_pushes_one, thief1, thief2},
                                               .check = none_lost_none_twice};

/* ---- Injected work --------------------------------------------------------- */

static void inject(uint32_t index)
{
    cells[index].refused = index;
    tri_sched_inject(sys, &cells[index]);
}
static void reset_injected(void)
{
    reset();
    pushed = 2;
}
static void injector0(void)
{
    inject(0);
}
static void injector1(void)
{
    inject(1);
}
static void taker(void)
{
    struct tri_cell *cell = tri_sched_take_injected(sys->workers[0]);
    run_cell(cell);
    run_cell(tri_sched_pop(sys->workers[0]));
}

static const struct tri_program injected = {.name = "run queue: two inject, one takes",
                                            .set_up = reset_injected,
                                            .threads = {injector0, injector1, taker},
                                            .check = none_lost_none_twice};

static void no_cell_is_lost_or_run_twice(void **state)
{
    static const struct tri_program *const programs[] = {
        &pop_and_steal, &push_and_steal, &fresh, &overflow,    &listed,  &refilled,
        &reuse,         &one_for_two,    &chain, &two_thieves, &injected};
    (void)state;
    for (size_t i = 0; i < TRI_ARRAY_COUNT(programs); i++) {
        struct tri_program p = *programs[i];
        p.executions_max = bound(5000);
        explore_clean(&p);
    }
}

static void a_weaker_order_is_found(void **state)
{
    /* What is stronger than these programs can show, and why it stays. */
    static const char *const spared[] = {
        /* A place must be read before it is used again: load buffering, which is not explored. */
        "tri_sched_push load", "tri_sched_pop load", "tri_sched_pop cas", "steal_ring cas",
        "spill cas",
        /* A repeated look; the exchange that follows decides. */
        "tri_sched_pop cas failing", "steal_ring load",
        /* For parking: see test_park.c. */
        "tri_sched_inject rmw", "tri_sched_inject load", "tri_sched_take_injected rmw", NULL};
    static const struct tri_program *const programs[] = {
        &fresh, &pop_and_steal, &refilled, &injected, &chain, &listed, NULL};
    (void)state;
    explore_weakened(programs, spared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_cell_is_lost_or_run_twice),
        cmocka_unit_test(a_weaker_order_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
